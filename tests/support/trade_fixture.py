"""One trade with all that belongs to it: keys, coins and what made them, what chain and indexes say of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from hashlib import sha256

from darkswap_browser.bitcoin import curve, psbt, signing
from darkswap_browser.bitcoin.networks import GENESIS
from darkswap_browser.bitcoin.script import ScriptKind
from darkswap_browser.bitcoin.transaction import OutPoint, Transaction, TxInput, TxOutput
from darkswap_browser.market.assets import BTC, Asset, AssetKind
from darkswap_browser.market.orders import FeeRule
from darkswap_browser.settlement import private_sale as sales
from darkswap_browser.settlement import transaction as settlements
from darkswap_browser.settlement.chain_snapshot import ChainSnapshot, InputSnapshot
from darkswap_browser.settlement.checks import VerificationContext
from darkswap_browser.settlement.messages import Witnesses
from darkswap_browser.settlement.terms import Contribution, Role, TradeInput, TradeTerms
from darkswap_browser.settlement.transaction import Settlement

AUX = bytes(32)
DEADLINE = 1_800_000_300
NOW = DEADLINE - 200
HEIGHT, TIP = 100, 105
KINDS = (ScriptKind.P2TR, ScriptKind.P2WPKH, ScriptKind.P2SH)
POSTAGE = 546
MAX_FEE = 50_000_000
NO_TXID = "00" * 32


@lru_cache
def key_of(role: Role, use: str) -> bytes:
    """Private key; `use` is "assets" or "payment"."""
    return sha256(f"{role} {use}".encode()).digest()


@lru_cache
def script_of(role: Role, use: str, kind: ScriptKind) -> bytes:
    return signing.script_for(kind, curve.public_key(key_of(role, use)))


@lru_cache
def keys_of(role: Role) -> dict[bytes, bytes]:
    """Every script of a side's wallet → its private key."""
    return {script_of(role, use, kind): key_of(role, use) for use in ("assets", "payment") for kind in KINDS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """The kinds of script that both sides use."""

    assets: ScriptKind = ScriptKind.P2TR
    bitcoin: ScriptKind = ScriptKind.P2WPKH
    outputs: ScriptKind = ScriptKind.P2TR


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeFixture:
    terms: TradeTerms
    declared: Mapping[Role, Contribution]
    made_by: Mapping[OutPoint, Transaction]
    """The transaction of each coin."""

    def settlement(self) -> Settlement:
        build = sales.build if self.terms.private_sale else settlements.build
        return build(self.terms, self.declared[Role.MAKER], self.declared[Role.TAKER])

    def snapshot(self) -> ChainSnapshot:
        """What honest servers say."""
        facts = {}
        for role in Role:
            asset = self.terms.gives(role)[0]
            for coin in self.declared[role].coins:
                held = {asset: coin.atoms} if coin.atoms else {}
                facts[coin.outpoint] = InputSnapshot(
                    raw=self.made_by[coin.outpoint].serialize(),
                    height=HEIGHT,
                    runes=held if asset.kind is AssetKind.RUNE else {},
                    alkanes=held if asset.kind is AssetKind.ALKANE else {},
                    inscriptions=(),
                )
        return ChainSnapshot(now=NOW, genesis=GENESIS["regtest"], tip_height=TIP, coins=facts)

    def contents(self) -> dict[OutPoint, dict[Asset, int]]:
        return {outpoint: dict(facts.assets) for outpoint, facts in self.snapshot().coins.items()}

    def context(self, role: Role) -> VerificationContext:
        """All as it should be."""
        settlement = self.settlement()
        return VerificationContext(
            role=role,
            agreed=self.terms,
            own=self.declared[role],
            theirs=self.declared[role.other],
            settlement=settlement,
            peer_txid=settlement.txid,
            snapshot=self.snapshot(),
            own_scripts=frozenset(keys_of(role)),
            own_coins=frozenset(coin.outpoint for coin in self.declared[role].coins),
            max_fee=MAX_FEE,
        )

    def with_declared(self, role: Role, **changes: object) -> TradeFixture:
        changed = replace(self.declared[role], **changes)  # type: ignore[arg-type]
        return replace(self, declared={**self.declared, role: changed})

    def asked(self, role: Role) -> psbt.Psbt:
        """What a side's wallet is given to sign."""
        settlement = self.settlement()
        previous = {made.txid: made.serialize() for made in self.made_by.values()}
        keys = {index: curve.public_key(self._key(settlement, role, index)) for index in settlement.inputs_of(role)}
        return psbt.create_psbt(settlement.tx, settlement.prevouts, previous, keys)

    def witnesses(self, role: Role) -> Witnesses:
        settlement = self.settlement()
        if self.terms.private_sale and role is Role.MAKER:
            private = self._key(settlement, role, sales.LOT)
            return ((sales.LOT, pair_for(settlement.tx, sales.LOT, settlement.prevouts, private)),)
        return tuple(
            (index, witness_for(settlement, index, self._key(settlement, role, index)))
            for index in settlement.inputs_of(role)
        )

    @staticmethod
    def _key(settlement: Settlement, role: Role, index: int) -> bytes:
        return keys_of(role)[settlement.prevouts[index].script]


def witness_for(settlement: Settlement, index: int, private: bytes) -> tuple[bytes, ...]:
    signature = signing.sign_input(settlement.tx, index, settlement.prevouts, private, AUX)
    return signing.witness_of(settlement.prevouts[index].script, curve.public_key(private), signature)


def pair_for(tx: Transaction, index: int, prevouts: Sequence[TxOutput], private: bytes) -> tuple[bytes, ...]:
    """The witness of a maker that sells the coin at `index` for the output there."""
    signature = signing.sign_single_anyonecanpay(tx, index, prevouts, private, AUX)
    return signing.witness_of(prevouts[index].script, curve.public_key(private), signature)


def sale(base: Asset, *, style: Style | None = None, coins: int = 2, spare: int = 40_000, **more: int) -> TradeFixture:
    """A private sale: the lot, and a taker with `coins` coins, whose first has the price in it and `spare` sats."""
    style = style or Style()
    plain = deal(base, BTC, style=style, fee_rule=FeeRule.TAKER_PAYS, spare=spare, **more)
    maker, taker = plain.declared[Role.MAKER], plain.declared[Role.TAKER]
    paid = script_of(Role.MAKER, "payment", style.outputs)
    offered = Contribution(
        asset_coins=maker.asset_coins, receive_script=paid, asset_change_script=paid, bitcoin_change_script=paid
    )
    made_by = dict(plain.made_by)
    script = script_of(Role.TAKER, "payment", style.bitcoin)
    others = tuple(_coin(f"other {number}", 5_000, script, 0, made_by, False) for number in range(coins - 1))
    buying = replace(taker, bitcoin_coins=(*taker.bitcoin_coins, *others))
    terms = replace(plain.terms, private_sale=True, tx_version=2)
    return TradeFixture(terms=terms, declared={Role.MAKER: offered, Role.TAKER: buying}, made_by=made_by)


def deal(
    base: Asset,
    quote: Asset,
    *,
    left: int = 0,
    style: Style | None = None,
    base_giver: Role = Role.MAKER,
    fee_rule: FeeRule = FeeRule.OWN_WEIGHT,
    fee_rate: int = 2500,
    base_atoms: int = 60_000,
    quote_atoms: int = 70_001,
    spare: int = 40_000,
    coinbase: bool = False,
) -> TradeFixture:
    """Each side brings exactly what it gives, or `left` atoms more in two coins, and a coin of `spare` sats.

    `coinbase`: the coins are blocks' rewards.
    """
    terms = TradeTerms(
        trade_id="ab" * 16,
        order_id="01" * 32,
        order_hash="02" * 32,
        network="regtest",
        base=base,
        base_atoms=base_atoms,
        quote=quote,
        quote_atoms=quote_atoms,
        base_giver=base_giver,
        fee_rule=fee_rule,
        fee_rate=fee_rate,
        deadline=DEADLINE,
        maker_max_fee=MAX_FEE,
    )
    made_by: dict[OutPoint, Transaction] = {}
    declared = {role: _side(terms, role, left, style or Style(), spare, made_by, coinbase) for role in Role}
    return TradeFixture(terms=terms, declared=declared, made_by=made_by)


def _side(
    terms: TradeTerms,
    role: Role,
    left: int,
    style: Style,
    spare: int,
    made_by: dict[OutPoint, Transaction],
    coinbase: bool,
) -> Contribution:
    asset, atoms = terms.gives(role)
    shares: Sequence[int] = ()
    if asset != BTC:
        shares = (atoms // 2, atoms - atoms // 2 + left) if left else (atoms,)
    sats = spare + (atoms if asset == BTC else 0)
    assets, bitcoin = script_of(role, "assets", style.assets), script_of(role, "payment", style.bitcoin)
    given = tuple(_coin(f"{role} {at}", POSTAGE, assets, share, made_by, coinbase) for at, share in enumerate(shares))
    return Contribution(
        asset_coins=given,
        bitcoin_coins=(_coin(f"{role} bitcoin", sats, bitcoin, 0, made_by, coinbase),),
        receive_script=script_of(role, "assets", style.outputs),
        asset_change_script=script_of(role, "assets", style.outputs),
        bitcoin_change_script=script_of(role, "payment", style.outputs),
    )


def _coin(
    name: str, sats: int, script: bytes, atoms: int, made_by: dict[OutPoint, Transaction], coinbase: bool
) -> TradeInput:
    """The second output of a transaction of its own."""
    source = sha256(name.encode())
    origin = TxInput(OutPoint(NO_TXID, 0xFFFFFFFF) if coinbase else OutPoint(source.hexdigest(), 0))
    if coinbase:
        origin = replace(origin, script_sig=source.digest(), witness=(bytes(32),))
    made = Transaction((origin,), (TxOutput(1000, b"\x51"), TxOutput(sats, script)))
    outpoint = OutPoint(made.txid, 1)
    made_by[outpoint] = made
    return TradeInput(outpoint, sats, script, atoms)
