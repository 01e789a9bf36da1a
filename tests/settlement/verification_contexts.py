"""What one side sees of a trade in which one thing is wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from darkswap_browser.bitcoin.alkanes.protostone import Protostone, decode_protostones, encode_protostones
from darkswap_browser.bitcoin.runes.runestone import Runestone
from darkswap_browser.bitcoin.script import ScriptKind
from darkswap_browser.bitcoin.transaction import OutPoint, Transaction, TxInput, TxOutput
from darkswap_browser.market.assets import BTC
from darkswap_browser.settlement.chain_snapshot import NOTHING_KNOWN
from darkswap_browser.settlement.checks import VerificationContext
from darkswap_browser.settlement.terms import Role, TradeInput
from darkswap_browser.settlement.transaction import OutputPurpose, PlannedOutput
from tests.settlement.cases import ALKANE, MAKER, RUNE, TAKER
from tests.support.trade_fixture import TradeFixture, deal, script_of

Look = Callable[[], VerificationContext]
STRANGER = b"\x51\x20" + bytes(31) + b"\x01"
RUNE_DEAL = deal(RUNE, BTC, left=123)
ALKANE_DEAL = deal(ALKANE, BTC, left=123)
MAKERS_INPUTS = 3
"""Two coins with runes and one of bitcoin, among them the first."""


def seen(role: Role = TAKER, done: TradeFixture = RUNE_DEAL, **changes: Any) -> Look:
    return lambda: replace(done.context(role), **changes)


def agreed(**changes: Any) -> Look:
    """The settlement is of other terms than those I keep."""
    return lambda: replace(RUNE_DEAL.context(TAKER), agreed=replace(RUNE_DEAL.terms, **changes))


def told(role: Role = TAKER, done: TradeFixture = RUNE_DEAL, **changes: Any) -> Look:
    """Of the chain as a whole."""
    return lambda: replace(done.context(role), snapshot=replace(done.snapshot(), **changes))


def coin(role: Role, whose: Role, group: str, done: TradeFixture = RUNE_DEAL, **changes: Any) -> Look:
    """What is told of one coin, the first of its group."""

    def look() -> VerificationContext:
        snapshot = done.snapshot()
        outpoint = getattr(done.declared[whose], group)[0].outpoint
        facts = NOTHING_KNOWN if changes.get("known") is False else replace(snapshot.of(outpoint), **changes)
        return replace(done.context(role), snapshot=replace(snapshot, coins={**snapshot.coins, outpoint: facts}))

    return look


def remade(context: VerificationContext, **changes: Any) -> VerificationContext:
    """Another settlement, which both sides claim to have computed."""
    settlement = replace(context.settlement, **changes)
    return replace(context, settlement=settlement, peer_txid=settlement.txid)


def transaction(change: Callable[[Transaction], Transaction], role: Role = TAKER) -> Look:
    """The transaction is another one than planned, and the other side agrees."""

    def look() -> VerificationContext:
        context = RUNE_DEAL.context(role)
        return remade(context, tx=change(context.tx))

    return look


def outputs(change: Callable[[list[TxOutput]], list[TxOutput]], role: Role = TAKER) -> Look:
    return transaction(lambda tx: replace(tx, outputs=tuple(change(list(tx.outputs)))), role)


def inputs(change: Callable[[list[Any]], list[Any]], role: Role = TAKER, **also: Any) -> Look:
    """Of (input, what it spends, whose it is)."""

    def look() -> VerificationContext:
        context = RUNE_DEAL.context(role)
        plan = context.settlement
        rows = change([*zip(plan.tx.inputs, plan.prevouts, plan.input_owners, strict=True)])
        spent, prevouts, owners = (tuple(column) for column in zip(*rows, strict=True))
        tx = replace(plan.tx, inputs=spent)
        return replace(remade(context, tx=tx, prevouts=prevouts, input_owners=owners), **also)

    return look


def planned(change: Callable[[list[PlannedOutput]], list[PlannedOutput]], role: Role = TAKER) -> Look:
    """Plan and transaction agree, on something else than was agreed."""

    def look() -> VerificationContext:
        context = RUNE_DEAL.context(role)
        plan = tuple(change(list(context.settlement.outputs)))
        made = tuple(TxOutput(each.sats, each.script) for each in plan)
        return remade(context, outputs=plan, tx=replace(context.tx, outputs=made))

    return look


def stone(done: TradeFixture, make: Callable[[Runestone], Runestone]) -> Look:
    """A runestone that plan and transaction agree on."""

    def look() -> VerificationContext:
        context = done.context(TAKER)
        runestone = make(context.settlement.runestone)
        data = replace(context.settlement.outputs[-1], script=runestone.encipher())
        plan = (*context.settlement.outputs[:-1], data)
        tx = replace(context.tx, outputs=(*context.tx.outputs[:-1], TxOutput(0, data.script)))
        return remade(context, runestone=runestone, outputs=plan, tx=tx)

    return look


def protostones(make: Callable[[Protostone], list[Protostone]]) -> Look:
    """Of the alkane deal, instead of its one."""

    def changed(runestone: Runestone) -> Runestone:
        (good,) = decode_protostones(runestone.protocol) or ()
        return replace(runestone, protocol=encode_protostones(make(good)))

    return stone(ALKANE_DEAL, changed)


def first(change: Callable[[Any], Any]) -> Callable[[list[Any]], list[Any]]:
    return lambda rows: [change(rows[0]), *rows[1:]]


def paid_by_mistake() -> VerificationContext:
    """The taker's change goes to a script of the maker: a present, but not what was agreed."""
    mine = script_of(MAKER, "payment", ScriptKind.P2TR)
    return RUNE_DEAL.with_declared(TAKER, bitcoin_change_script=mine).context(MAKER)


def crowd(count: int) -> VerificationContext:
    """As many coins of the maker, declared and spent."""
    context = RUNE_DEAL.context(TAKER)
    plan = context.settlement
    more = tuple(TradeInput(OutPoint(f"{number:064x}", 0), 9, STRANGER) for number in range(count - MAKERS_INPUTS))
    theirs = replace(context.theirs, bitcoin_coins=context.theirs.bitcoin_coins + more)
    tx = replace(plan.tx, inputs=plan.tx.inputs + tuple(TxInput(each.outpoint) for each in more))
    prevouts = plan.prevouts + tuple(TxOutput(each.sats, each.script) for each in more)
    owners = plan.input_owners + (MAKER,) * len(more)
    return replace(remade(context, tx=tx, prevouts=prevouts, input_owners=owners), theirs=theirs)


def absurd_fee() -> VerificationContext:
    """All but a little of what the taker brings goes to the miners, and the plan says so."""
    context = deal(RUNE, BTC, spare=10**8).context(TAKER)
    plan = context.settlement
    place = next(
        index for index in plan.outputs_of(TAKER) if plan.outputs[index].purpose is OutputPurpose.BITCOIN_CHANGE
    )
    changed = [replace(each, sats=600) if index == place else each for index, each in enumerate(plan.outputs)]
    fees = {**plan.fees, TAKER: plan.fees[TAKER] + plan.outputs[place].sats - 600}
    made = tuple(TxOutput(each.sats, each.script) for each in changed)
    return remade(context, outputs=tuple(changed), fees=fees, tx=replace(plan.tx, outputs=made))


def made_by(change: Callable[[Transaction], bytes]) -> Look:
    """The transaction shown for a coin of the maker."""
    outpoint = RUNE_DEAL.declared[MAKER].asset_coins[0].outpoint
    return coin(TAKER, MAKER, "asset_coins", raw=change(RUNE_DEAL.made_by[outpoint]))


def lied(**lie: Any) -> Look:
    """The maker declares a coin other than it is, and the settlement is built of the lie (witness_utxo)."""

    def look() -> VerificationContext:
        true = RUNE_DEAL.declared[MAKER].bitcoin_coins[0]
        return RUNE_DEAL.with_declared(MAKER, bitcoin_coins=(replace(true, **lie),)).context(TAKER)

    return look


def missing_output() -> VerificationContext:
    def lie(each: TradeInput) -> TradeInput:
        return replace(each, outpoint=OutPoint(each.outpoint.txid, 2))

    declared = RUNE_DEAL.declared[MAKER]
    changed = RUNE_DEAL.with_declared(MAKER, bitcoin_coins=tuple(map(lie, declared.bitcoin_coins)))
    made = {coin.outpoint: RUNE_DEAL.made_by[OutPoint(coin.outpoint.txid, 1)] for coin in changed.declared[MAKER].coins}
    return replace(changed, made_by={**RUNE_DEAL.made_by, **made}).context(TAKER)
