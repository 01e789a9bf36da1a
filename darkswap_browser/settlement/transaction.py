"""The settlement: one transaction that both sides build from terms and contributions, byte for byte the same.

Inputs: assets of the base giver, assets of the other side, bitcoin of the base giver, bitcoin of the other side; each
group by (txid, vout). Outputs: base delivery, quote delivery, what is left of base, what is left of quote, bitcoin
change of the base giver, of the other side, and the OP_RETURN; each only where it has something to hold. Amounts are
atoms and sats; fees are exact by formula, so there is nothing to tolerate.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from darkswap_browser.bitcoin.alkanes.ids import AlkaneId, ProtoEdict
from darkswap_browser.bitcoin.alkanes.protostone import Protostone, encode_protostones
from darkswap_browser.bitcoin.runes.ids import Edict, RuneId
from darkswap_browser.bitcoin.runes.runestone import Runestone
from darkswap_browser.bitcoin.script import ScriptKind, dust_limit, input_weight, kind_of, output_weight
from darkswap_browser.bitcoin.transaction import Transaction, TxInput, TxOutput
from darkswap_browser.errors import InvalidArgument, TradeRefused
from darkswap_browser.market.assets import BTC, MAX_U128, Asset, AssetKind
from darkswap_browser.market.orders import MAX_INPUTS, POSTAGE, TX_VERSIONS, FeeRule
from darkswap_browser.settlement.terms import Contribution, Role, TradeInput, TradeTerms

SEQUENCE = 0xFFFFFFFD
"""Replaceable (BIP125), so that a stuck settlement can be taken back."""
OVERHEAD_WEIGHT = 42
"""Version, counts, segwit mark and locktime: 10.5 virtual bytes."""
MAX_OP_RETURN = 83
"""Bytes of a scriptPubKey that every node relays."""
INPUT_KINDS = (ScriptKind.P2TR, ScriptKind.P2WPKH)
"""Nested P2WPKH is not among them: its scriptSig is part of the txid, which both sides must know before they sign."""
OUTPUT_KINDS = (*INPUT_KINDS, ScriptKind.P2SH, ScriptKind.P2WSH)
PAID_INPUTS = 2
"""Coins of the maker that a taker who pays the miners pays for: what a lot needs, and not the joining of twenty."""
HEAVIEST_INPUT = 272
"""Weight of a P2WPKH input, the heavier of `INPUT_KINDS`."""
LARGEST_OP_RETURN = 9 + MAX_OP_RETURN
WIDEST_OUTPUT = 4 * 43
"""Weight of a P2TR output."""


class OutputPurpose(StrEnum):
    BASE = "base"
    QUOTE = "quote"
    BASE_CHANGE = "base_change"
    QUOTE_CHANGE = "quote_change"
    BITCOIN_CHANGE = "bitcoin_change"
    DATA = "data"


@dataclass(frozen=True, slots=True)
class PlannedOutput:
    """`owner` is None for the OP_RETURN. `assets`: the atoms that the runestone puts there."""

    owner: Role | None
    purpose: OutputPurpose
    sats: int
    script: bytes
    assets: Mapping[Asset, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """`prevouts` and `input_owners` go with `tx.inputs`; `fees` in sats."""

    terms: TradeTerms
    tx: Transaction
    prevouts: tuple[TxOutput, ...]
    input_owners: tuple[Role, ...]
    outputs: tuple[PlannedOutput, ...]
    fees: Mapping[Role, int]
    runestone: Runestone

    @property
    def txid(self) -> str:
        return self.tx.txid

    def inputs_of(self, role: Role) -> tuple[int, ...]:
        return tuple(index for index, owner in enumerate(self.input_owners) if owner is role)

    def outputs_of(self, role: Role) -> tuple[int, ...]:
        return tuple(index for index, output in enumerate(self.outputs) if output.owner is role)


def build(terms: TradeTerms, maker: Contribution, taker: Contribution) -> Settlement:
    """Build the one transaction that these arguments have. Raises `TradeRefused` with a cancel code."""
    declared = {Role.MAKER: maker, Role.TAKER: taker}
    check_terms(terms)
    _demand(not terms.private_sale, "TERMS", "a private sale has another transaction")
    for role, contribution in declared.items():
        check_contribution(terms, role, contribution)
    check_apart(maker, taker)
    giver, receiver = terms.base_giver, terms.base_giver.other
    groups = [
        (giver, declared[giver].asset_coins),
        (receiver, declared[receiver].asset_coins),
        (giver, declared[giver].bitcoin_coins),
        (receiver, declared[receiver].bitcoin_coins),
    ]
    coins = [(role, coin) for role, group in groups for coin in sorted(group, key=lambda each: each.outpoint)]
    fixed = _fixed_outputs(terms, declared)
    outputs, fees = _with_change(terms, declared, fixed)
    most, paid = terms.maker_max_fee, fees[Role.MAKER]
    _demand(paid <= most, "FEE_RANGE", f"the maker would pay {paid} sats to the miners, and pays at most {most}")
    runestone = _runestone(terms, outputs)
    outputs.append(PlannedOutput(None, OutputPurpose.DATA, 0, runestone.encipher()))
    tx = Transaction(
        tuple(TxInput(coin.outpoint, SEQUENCE) for _, coin in coins),
        tuple(TxOutput(output.sats, output.script) for output in outputs),
        terms.tx_version,
    )
    return Settlement(
        terms=terms,
        tx=tx,
        prevouts=tuple(TxOutput(coin.sats, coin.script) for _, coin in coins),
        input_owners=tuple(role for role, _ in coins),
        outputs=tuple(outputs),
        fees=fees,
        runestone=runestone,
    )


# --- what cannot be


def check_terms(terms: TradeTerms) -> None:
    """Raises `TradeRefused`."""
    _demand(terms.base != terms.quote, "TERMS", "both sides are the same asset")
    for asset, atoms in ((terms.base, terms.base_atoms), (terms.quote, terms.quote_atoms)):
        try:
            asset.checked()
        except InvalidArgument as error:
            raise TradeRefused("TERMS", error.reason) from None
        least = POSTAGE if asset == BTC else 1
        _demand(least <= atoms <= MAX_U128, "TERMS", f"{atoms} atoms of {asset} cannot be traded")
    _demand(terms.fee_rate > 0, "FEE_RANGE", "the fee rate is nothing")
    _demand(terms.tx_version in TX_VERSIONS, "TERMS", f"transactions of version {terms.tx_version} are not relayed")


def check_contribution(terms: TradeTerms, role: Role, contribution: Contribution) -> None:
    """Whether one side's coins and scripts can be in a settlement. Raises `TradeRefused`."""
    asset, atoms = terms.gives(role)
    coins = contribution.coins
    _demand(len(coins) <= MAX_INPUTS, "TERMS", f"the {role} brings more than {MAX_INPUTS} coins")
    _demand(len({coin.outpoint for coin in coins}) == len(coins), "TERMS", f"the {role} brings a coin twice")
    for coin in coins:
        _demand(
            kind_of(coin.script) in INPUT_KINDS, "TERMS", f"the {role}'s coin {coin.outpoint} is of no kind we sign"
        )
        _demand(coin.sats > 0, "TERMS", f"the {role}'s coin {coin.outpoint} is empty")
    for script in (contribution.receive_script, contribution.asset_change_script, contribution.bitcoin_change_script):
        _demand(kind_of(script) in OUTPUT_KINDS, "TERMS", f"the {role} wants an output that is not standard")
        _demand(dust_limit(script) <= terms.postage, "TERMS", f"the postage is dust on an output of the {role}")
    _demand(
        all(coin.atoms == 0 for coin in contribution.bitcoin_coins), "TERMS", "a bitcoin coin claims to hold assets"
    )
    if asset == BTC:
        _demand(not contribution.asset_coins, "TERMS", f"the {role} gives bitcoin and brings other assets")
    else:
        _demand(all(coin.atoms > 0 for coin in contribution.asset_coins), "TERMS", "an asset coin holds none of it")
        held = sum(coin.atoms for coin in contribution.asset_coins)
        _demand(held <= MAX_U128, "TERMS", f"the {role} claims more than there can be")
        _demand(held >= atoms, "INSUFFICIENT_FUNDS", f"the {role} brings {held} atoms of {asset} and owes {atoms}")


def check_apart(maker: Contribution, taker: Contribution) -> None:
    """Raises `TradeRefused` for a coin that both declare."""
    shared = {coin.outpoint for coin in maker.coins} & {coin.outpoint for coin in taker.coins}
    _demand(not shared, "TERMS", "both sides bring the same coin")


def _demand(holds: bool, code: str, detail: str) -> None:
    if not holds:
        raise TradeRefused(code, detail)


# --- outputs and fees


def _fixed_outputs(terms: TradeTerms, declared: Mapping[Role, Contribution]) -> list[PlannedOutput]:
    """All but bitcoin change and OP_RETURN."""
    outputs = []
    for purpose, giver in ((OutputPurpose.BASE, terms.base_giver), (OutputPurpose.QUOTE, terms.base_giver.other)):
        asset, atoms = terms.gives(giver)
        script = declared[giver.other].receive_script
        sats, assets = (atoms, {}) if asset == BTC else (terms.postage, {asset: atoms})
        outputs.append(PlannedOutput(giver.other, purpose, sats, script, assets))
    for purpose, giver in (
        (OutputPurpose.BASE_CHANGE, terms.base_giver),
        (OutputPurpose.QUOTE_CHANGE, terms.base_giver.other),
    ):
        asset, atoms = terms.gives(giver)
        left = sum(coin.atoms for coin in declared[giver].asset_coins) - atoms
        if asset != BTC and left > 0:
            script = declared[giver].asset_change_script
            outputs.append(PlannedOutput(giver, purpose, terms.postage, script, {asset: left}))
    return outputs


def _with_change(
    terms: TradeTerms, declared: Mapping[Role, Contribution], fixed: list[PlannedOutput]
) -> tuple[list[PlannedOutput], dict[Role, int]]:
    """Change is what Σ in + received − Σ out − paid − fee leaves; below dust it stays with the fee of its owner."""
    data = _data_weight(terms, fixed)
    outputs = list(fixed)
    fees: dict[Role, int] = {}
    order = (terms.base_giver, terms.base_giver.other)
    rests = {role: _balance(terms, role, declared[role], fixed) for role in order}
    # With "taker pays" the taker's fee depends on whether the maker has change, so the maker comes first.
    for role in sorted(order, key=lambda each: each is Role.TAKER):
        script = declared[role].bitcoin_change_script
        weight = _weight_of(terms, role, declared, fixed, data, [each for each in outputs if each not in fixed])
        without, with_change = (fee_for(terms, weight), fee_for(terms, weight + output_weight(script)))
        if terms.fee_rule is FeeRule.TAKER_PAYS and role is Role.MAKER:
            with_change = without  # the taker pays for it
        change = rests[role] - with_change
        if change >= dust_limit(script):
            fees[role] = with_change
            outputs.append(PlannedOutput(role, OutputPurpose.BITCOIN_CHANGE, change, script))
            continue
        _demand(rests[role] >= without, "INSUFFICIENT_FUNDS", f"the {role} lacks {without - rests[role]} sats")
        fees[role] = rests[role]
    change_of = {output.owner: output for output in outputs[len(fixed) :]}
    return fixed + [change_of[role] for role in order if role in change_of], fees


def _balance(terms: TradeTerms, role: Role, contribution: Contribution, fixed: Sequence[PlannedOutput]) -> int:
    """Sats of a side's coins beyond what its own outputs and its bitcoin payment take. What it gets in bitcoin is an
    output of its own that the other side fills; postage is paid by whom the output belongs to.
    """
    brought = sum(coin.sats for coin in contribution.coins)
    owned = sum(output.sats for output in fixed if output.owner is role)
    gives, atoms = terms.gives(role)
    gets, received = terms.gets(role)
    return brought - owned - (atoms if gives == BTC else 0) + (received if gets == BTC else 0)


def _weight_of(
    terms: TradeTerms,
    role: Role,
    declared: Mapping[Role, Contribution],
    fixed: Sequence[PlannedOutput],
    data: int,
    changes: Sequence[PlannedOutput],
) -> int:
    """Weight units that `role` pays for, its own change not counted."""
    shared = OVERHEAD_WEIGHT + data
    if terms.fee_rule is FeeRule.TAKER_PAYS:
        free, surplus = _makers_inputs([coin.script for coin in declared[Role.MAKER].coins])
        if role is Role.MAKER:
            return surplus
        inputs = free + sum(input_weight(coin.script) for coin in declared[Role.TAKER].coins)
        return shared + inputs + sum(output_weight(output.script) for output in (*fixed, *changes))
    inputs = sum(input_weight(coin.script) for coin in declared[role].coins)
    outputs = sum(output_weight(output.script) for output in fixed if output.owner is role)
    return inputs + outputs + (shared // 2 if role is Role.MAKER else shared - shared // 2)


def _makers_inputs(scripts: Sequence[bytes]) -> tuple[int, int]:
    """Weight of the maker's coins that a taker who pays pays for, the heaviest, and of those that the maker does."""
    weights = sorted(map(input_weight, scripts), reverse=True)
    return sum(weights[:PAID_INPUTS]), sum(weights[PAID_INPUTS:])


def fee_for(terms: TradeTerms, weight: int) -> int:
    """Sats for `weight`, rounded up."""
    return -(-terms.fee_rate * weight // 4000)


def _data_weight(terms: TradeTerms, fixed: list[PlannedOutput]) -> int:
    """Weight of the OP_RETURN: the numbers of change outputs behind `fixed` do not change its length."""
    script = _runestone(terms, fixed).encipher()
    _demand(
        len(script) <= MAX_OP_RETURN, "TERMS", f"the OP_RETURN has {len(script)} bytes; {MAX_OP_RETURN} are relayed"
    )
    return output_weight(script)


# --- the runestone


def _runestone(terms: TradeTerms, outputs: Sequence[PlannedOutput]) -> Runestone:
    """Always explicit: edicts for what is traded and what is left; pointers to the giver's own output for the rest."""
    place = {output.purpose: index for index, output in reversed(list(enumerate(outputs)))}
    rune_edicts: list[Edict] = []
    alkane_edicts: list[ProtoEdict] = []
    home: dict[AssetKind, int] = {}
    for asset, atoms, delivery, change, own in (
        (terms.base, terms.base_atoms, OutputPurpose.BASE, OutputPurpose.BASE_CHANGE, OutputPurpose.QUOTE),
        (terms.quote, terms.quote_atoms, OutputPurpose.QUOTE, OutputPurpose.QUOTE_CHANGE, OutputPurpose.BASE),
    ):
        if asset == BTC:
            continue
        # An output of the giver: what is left of the asset, or, where nothing is, what the giver gets.
        rest = place.get(change, place[own])
        home.setdefault(asset.kind, rest)
        if asset.kind is AssetKind.RUNE:
            rune_edicts.append(Edict(RuneId(asset.block, asset.tx), atoms, place[delivery]))
            if change in place:
                rune_edicts.append(Edict(RuneId(asset.block, asset.tx), 0, place[change]))
        else:
            alkane_edicts.append(ProtoEdict(AlkaneId(asset.block, asset.tx), atoms, place[delivery]))
            if change in place:
                alkane_edicts.append(ProtoEdict(AlkaneId(asset.block, asset.tx), 0, place[change]))
    protocol: tuple[int, ...] = ()
    if alkane_edicts:
        rest = home[AssetKind.ALKANE]
        protocol = encode_protostones([Protostone(edicts=tuple(alkane_edicts), pointer=rest, refund=rest)])
    pointer = home.get(AssetKind.RUNE, home.get(AssetKind.ALKANE))
    # ord writes edicts by id, so a runestone that is read back has them in that order. Equal ids keep theirs.
    rune_edicts.sort(key=lambda edict: edict.id)
    return Runestone(edicts=tuple(rune_edicts), pointer=pointer, protocol=protocol)


# --- before the other side is known


def least_fee(terms: TradeTerms, taker: Contribution) -> int:
    """Sats that the miners get of a taker who brings these coins, at least."""
    shared = OVERHEAD_WEIGHT if terms.fee_rule is FeeRule.TAKER_PAYS else OVERHEAD_WEIGHT // 2
    return fee_for(terms, shared + sum(input_weight(coin.script) for coin in taker.coins))


def required_sats(terms: TradeTerms, role: Role, asset_coins: Sequence[TradeInput], scripts: Sequence[bytes]) -> int:
    """Sats that the bitcoin coins of `role`, with these `scripts`, must hold together so that `build` does not lack
    any, whatever the other side brings (an upper bound; what is too much comes back as change).
    """
    gives, atoms = terms.gives(role)
    gets, _ = terms.gets(role)
    postage = terms.postage * ((gets != BTC) + (gives != BTC))
    weight = sum(input_weight(coin.script) for coin in asset_coins) + sum(map(input_weight, scripts))
    # Own delivery, what is left of the asset, change; the shared part whole where half would do.
    weight += 3 * WIDEST_OUTPUT + OVERHEAD_WEIGHT + 4 * LARGEST_OP_RETURN
    if terms.fee_rule is FeeRule.TAKER_PAYS:
        if role is Role.MAKER:
            weight = _makers_inputs([*(coin.script for coin in asset_coins), *scripts])[1]
        else:
            weight += 3 * WIDEST_OUTPUT + PAID_INPUTS * HEAVIEST_INPUT
    needed = (atoms if gives == BTC else 0) + postage + fee_for(terms, weight) - sum(coin.sats for coin in asset_coins)
    return max(needed, 0)
