"""The rules V1 to V14: what must hold before a side signs. Each has a function of its own that raises its name.

`check_before_signing` runs them all. As both sides build the transaction with the same code, most of them cannot fail;
they are run all the same, on what will be signed. What is asked after signing is in `signature_checks`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from darkswap_browser.bitcoin.alkanes.protostone import ALKANES, decode_protostones
from darkswap_browser.bitcoin.networks import GENESIS
from darkswap_browser.bitcoin.runes.message import MAGIC
from darkswap_browser.bitcoin.runes.runestone import Runestone, decipher
from darkswap_browser.bitcoin.transaction import OutPoint, Transaction
from darkswap_browser.errors import MalformedMessage, VerificationFailed
from darkswap_browser.market.assets import BTC, Asset, AssetKind
from darkswap_browser.market.orders import MAX_INPUTS
from darkswap_browser.settlement.balance_change import effect_of, place
from darkswap_browser.settlement.chain_snapshot import MATURITY, ChainSnapshot, InputSnapshot
from darkswap_browser.settlement.terms import Contribution, Role, TradeInput, TradeTerms
from darkswap_browser.settlement.transaction import SEQUENCE, Settlement

FEE_FLOOR = 1_000
"""Sats per 1000 virtual bytes: below, many nodes do not relay."""
FEE_CAP = 500_000
MAX_INDEX_LAG = 1
"""Blocks: an index that has not read the last block yet may still be believed about deeper coins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TradePolicy:
    """What this side insists on. `confirmations`: of every coin of the other side."""

    fee_floor: int = FEE_FLOOR
    fee_cap: int = FEE_CAP
    confirmations: int = 1
    sign_seconds: int = 60
    private_sales: bool = False
    """Take them, knowing their risks (`settlement.private_sale.RISKS`)."""


DEFAULT_POLICY = TradePolicy()


@dataclass(frozen=True, slots=True, kw_only=True)
class VerificationContext:
    """All that one side goes by. `agreed` is its own copy of the terms, `peer_txid` what the other side computed,
    `own_scripts` every script of its wallet, `own_coins` every coin of it, `busy` coins that other trades hold.
    """

    role: Role
    agreed: TradeTerms
    own: Contribution
    theirs: Contribution
    settlement: Settlement
    peer_txid: str
    snapshot: ChainSnapshot
    own_scripts: frozenset[bytes]
    own_coins: frozenset[OutPoint] = frozenset()
    busy: frozenset[OutPoint] = frozenset()
    max_fee: int
    """Sats that I pay the miners at most."""
    policy: TradePolicy = DEFAULT_POLICY

    @property
    def tx(self) -> Transaction:
        return self.settlement.tx

    def contents(self) -> dict[OutPoint, dict[Asset, int]]:
        """What the inputs hold, as far as the indexes tell."""
        return {each.outpoint: dict(self.snapshot.of(each.outpoint).assets) for each in self.tx.inputs}

    def facts(self, contribution: Contribution) -> Iterator[tuple[TradeInput, InputSnapshot]]:
        return ((coin, self.snapshot.of(coin.outpoint)) for coin in contribution.coins)


def check_before_signing(context: VerificationContext) -> None:
    """V1 to V14. Raises `VerificationFailed` with the first rule that does not hold."""
    for rule in BEFORE_SIGNING.values():
        rule(context)


# --- terms and identity


def v1_terms(context: VerificationContext) -> None:
    """The settlement is of the terms that I keep, on the chain that I mean."""
    _demand("V1", context.settlement.terms == context.agreed, "the settlement is made of other terms")
    genesis = GENESIS.get(context.agreed.network)
    _demand("V1", context.snapshot.genesis == genesis, f"the chain servers are not on {context.agreed.network}")


def v2_time(context: VerificationContext) -> None:
    """There is time to sign, and no other trade holds my coins."""
    left = context.agreed.deadline - context.snapshot.now
    _demand("V2", left > 0, "the deadline has passed")
    _demand("V2", left >= min(context.policy.sign_seconds, 10), "too little time is left to sign")
    taken = context.busy & {coin.outpoint for coin in context.own.coins}
    _demand("V2", not taken, "another trade holds one of my coins")


# --- structure


def v3_same_transaction(context: VerificationContext) -> None:
    tx = context.tx
    _demand("V3", tx.txid == context.peer_txid, "the other side computed another transaction")
    agreed = (context.agreed.tx_version, 0)
    _demand("V3", (tx.version, tx.locktime) == agreed, "version or locktime is not as agreed")
    _demand("V3", all(each.sequence == SEQUENCE for each in tx.inputs), "a sequence is not as agreed")


def v4_own_inputs(context: VerificationContext) -> None:
    """My coins once each, and no coin of mine that I did not declare."""
    spent = [each.outpoint for each in context.tx.inputs]
    declared = {coin.outpoint for coin in context.own.coins}
    for outpoint in declared:
        _demand("V4", spent.count(outpoint) == 1, f"my coin {outpoint} is not spent exactly once")
    for outpoint, prevout in zip(spent, context.settlement.prevouts, strict=True):
        is_mine = outpoint in context.own_coins or prevout.script in context.own_scripts
        _demand("V4", outpoint in declared or not is_mine, f"{outpoint} is mine and was not declared")


def v5_their_inputs(context: VerificationContext) -> None:
    spent = {each.outpoint for each in context.tx.inputs}
    mine = {coin.outpoint for coin in context.own.coins}
    theirs = {coin.outpoint for coin in context.theirs.coins}
    _demand("V5", spent - mine == theirs - mine, "other inputs than the declared ones")
    _demand("V5", not theirs & mine, "the other side declares a coin of mine")
    _demand("V5", len(theirs) <= MAX_INPUTS, f"the other side brings more than {MAX_INPUTS} coins")


def v6_outputs(context: VerificationContext) -> None:
    """Every output as planned, to scripts that one of us declared, and what I get to mine."""
    planned = context.settlement.outputs
    actual = [(output.sats, output.script) for output in context.tx.outputs]
    _demand("V6", actual == [(each.sats, each.script) for each in planned], "an output is not as planned")
    declared = {context.role: scripts_of(context.own), context.role.other: scripts_of(context.theirs)}
    for output in planned:
        if output.owner is not None:
            _demand("V6", output.script in declared[output.owner], f"an output of the {output.owner} pays a stranger")
    _demand("V6", scripts_of(context.own) <= context.own_scripts, "what I get would go to a script that is not mine")


def scripts_of(contribution: Contribution) -> frozenset[bytes]:
    """Where this side is paid."""
    return frozenset(
        (contribution.receive_script, contribution.asset_change_script, contribution.bitcoin_change_script)
    )


def v7_runestone(context: VerificationContext) -> None:
    """One OP_RETURN, the planned one; read again, it moves the traded assets as planned."""
    data = [output.script for output in context.tx.outputs if output.script[:1] == MAGIC[:1]]
    _demand("V7", data == [context.settlement.runestone.encipher()], "the OP_RETURN is not the planned one")
    artifact = decipher(context.tx)
    _demand("V7", artifact == context.settlement.runestone, "the runestone does not read as it was meant")
    coins = {coin.outpoint: coin for coin in (*context.own.coins, *context.theirs.coins)}
    given = {
        context.role: context.agreed.gives(context.role)[0],
        context.role.other: context.agreed.gets(context.role)[0],
    }
    contents: dict[OutPoint, dict[Asset, int]] = {}
    for each, owner in zip(context.tx.inputs, context.settlement.input_owners, strict=True):
        coin = coins.get(each.outpoint)
        contents[each.outpoint] = {given[owner]: coin.atoms} if coin is not None and coin.atoms else {}
    placed = place(context.tx, contents)
    _demand("V7", placed.readable and not placed.lost, "the runestone loses assets")
    for output, assets in zip(context.settlement.outputs, placed.outputs, strict=True):
        _demand("V7", dict(output.assets) == dict(assets), "the runestone moves assets elsewhere than planned")


def v8_fee(context: VerificationContext) -> None:
    settlement, policy = context.settlement, context.policy
    fee = sum(each.sats for each in settlement.prevouts) - sum(each.sats for each in context.tx.outputs)
    _demand("V8", fee == sum(settlement.fees.values()), "the fee is not the sum of what both sides pay")
    rate = context.agreed.fee_rate
    _demand("V8", policy.fee_floor <= rate <= policy.fee_cap, f"{rate} sats per 1000 vB is beyond what I accept")
    index = settlement.inputs_of(context.role)
    gives, atoms = context.agreed.gives(context.role)
    gets, received = context.agreed.gets(context.role)
    brought = sum(settlement.prevouts[each].sats for each in index)
    owned = sum(settlement.outputs[each].sats for each in settlement.outputs_of(context.role))
    mine = brought - owned - (atoms if gives == BTC else 0) + (received if gets == BTC else 0)
    _demand("V8", mine == settlement.fees[context.role], "what I pay the miners is not my share")
    _demand("V8", mine <= context.max_fee, f"I would pay the miners {mine} sats, and pay at most {context.max_fee}")


# --- what is spent


def v9_previous(context: VerificationContext) -> None:
    """Amount and script of every coin of the other side, from the transaction that made it, whose hash I took."""
    for coin, facts in context.facts(context.theirs):
        _demand("V9", facts.raw is not None, f"the transaction of {coin.outpoint} is not known")
        try:
            made = Transaction.parse(facts.raw or b"")
        except MalformedMessage as error:
            raise VerificationFailed("V9", f"{coin.outpoint}: {error.reason}") from None
        _demand("V9", made.txid == coin.outpoint.txid, f"{coin.outpoint} is not of the transaction shown for it")
        _demand("V9", coin.outpoint.vout < len(made.outputs), f"{coin.outpoint} does not exist")
        output = made.outputs[coin.outpoint.vout]
        _demand("V9", (output.sats, output.script) == (coin.sats, coin.script), f"{coin.outpoint} is not as declared")


def v10_unspent(context: VerificationContext) -> None:
    """Every coin of the other side is deep enough and unspent, as the mempool sees it."""
    for coin, facts in context.facts(context.theirs):
        _demand("V10", facts.spent_by in (None, context.tx.txid), f"{coin.outpoint} is spent already")
        depth = 0 if facts.height is None else context.snapshot.tip_height - facts.height + 1
        _demand("V10", depth >= context.policy.confirmations, f"{coin.outpoint} has {depth} confirmations")
        mature = depth >= MATURITY or not _is_coinbase(facts.raw)
        _demand("V10", mature, f"{coin.outpoint} is a block's reward and not {MATURITY} blocks deep")


def _is_coinbase(raw: bytes | None) -> bool:
    """By the one input that spends nothing (V9 has judged the bytes)."""
    if raw is None:
        return False
    at = 6 if raw[4:6] == b"\x00\x01" else 4
    return raw[at : at + 33] == b"\x01" + bytes(32)


def v11_their_assets(context: VerificationContext) -> None:
    """The other side's coins hold what they are said to, by indexes that have read far enough."""
    asset, _ = context.agreed.gets(context.role)
    if asset == BTC:
        return
    _demand(
        "V11", context.snapshot.index_lag <= MAX_INDEX_LAG, f"the index is {context.snapshot.index_lag} blocks behind"
    )
    for coin in context.theirs.asset_coins:
        facts = context.snapshot.of(coin.outpoint)
        balances = facts.runes if asset.kind is AssetKind.RUNE else facts.alkanes
        _demand("V11", balances is not None, f"no index knows what {coin.outpoint} holds")
        held = (balances or {}).get(asset, 0)
        _demand("V11", held == coin.atoms, f"{coin.outpoint} holds {held} atoms of {asset}, not {coin.atoms}")
        if context.agreed.private_sale:
            # A lot is sold as it lies: nothing else is paid for, and nothing else should change hands with it.
            _demand("V11", facts.known, f"no index vouches for what else {coin.outpoint} holds")
            alone = set(facts.assets) == {asset} and not facts.inscriptions
            _demand("V11", alone, f"{coin.outpoint} holds other things than {asset}")


def v12_own_assets(context: VerificationContext) -> None:
    """My coins hold what I trade and nothing that would be lost with it."""
    asset, _ = context.agreed.gives(context.role)
    for coin, facts in context.facts(context.own):
        _demand("V12", facts.known, f"no index vouches for what my coin {coin.outpoint} holds")
        _demand("V12", not facts.inscriptions, f"my coin {coin.outpoint} carries an inscription")
        expected = {asset: coin.atoms} if coin in context.own.asset_coins else {}
        _demand("V12", dict(facts.assets) == expected, f"my coin {coin.outpoint} holds other assets than are traded")


def v13_protostones(context: VerificationContext) -> None:
    """Alkanes anywhere: exactly one protostone, of alkanes, that calls no contract. None: no protostone."""
    kinds = {context.agreed.base.kind, context.agreed.quote.kind}
    kinds |= {asset.kind for assets in context.contents().values() for asset in assets}
    artifact = decipher(context.tx)
    values = artifact.protocol if isinstance(artifact, Runestone) else ()
    stones = decode_protostones(values)
    _demand("V13", stones is not None, "the protostones cannot be read")
    if AssetKind.ALKANE not in kinds:
        _demand("V13", not stones, "there is a protostone, and nothing for it to move")
        return
    _demand("V13", stones is not None and len(stones) == 1, "there is not exactly one protostone")
    _demand("V13", all(stone.tag == ALKANES for stone in stones or ()), "the protostone is of another protocol")
    _demand("V13", not any(stone.message for stone in stones or ()), "the protostone calls a contract")


def v14_effect(context: VerificationContext) -> None:
    """By what the indexes say of all inputs, the transaction gives and takes what the terms say, and loses nothing."""
    effect = effect_of(
        context.tx,
        context.settlement.prevouts,
        context.contents(),
        frozenset(context.settlement.inputs_of(context.role)),
        context.own_scripts,
        context.settlement.fees[context.role],
    )
    gives, gets = context.agreed.gives(context.role), context.agreed.gets(context.role)
    _demand("V14", dict(effect.gives) == dict([gives]), "it does not take from me what was agreed")
    # What else lies on the other side's coins may come to me; that costs me nothing.
    _demand("V14", effect.gets.get(gets[0]) == gets[1], "it does not give me what was agreed")
    _demand("V14", not {gives[0], gets[0]} & effect.lost.keys(), "it loses a traded asset")


BEFORE_SIGNING: dict[str, Callable[[VerificationContext], None]] = {
    "V1": v1_terms,
    "V2": v2_time,
    "V3": v3_same_transaction,
    "V4": v4_own_inputs,
    "V5": v5_their_inputs,
    "V6": v6_outputs,
    "V7": v7_runestone,
    "V8": v8_fee,
    "V9": v9_previous,
    "V10": v10_unspent,
    "V11": v11_their_assets,
    "V12": v12_own_assets,
    "V13": v13_protostones,
    "V14": v14_effect,
}


def _demand(rule: str, holds: bool, detail: str) -> None:
    if not holds:
        raise VerificationFailed(rule, detail)
