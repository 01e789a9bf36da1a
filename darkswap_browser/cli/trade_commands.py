"""`darkswap take` and `darkswap trades …`: trades begun, seen through, ended."""

from __future__ import annotations

import asyncio

from darkswap_browser.cli import formatting, prompts
from darkswap_browser.cli.event_printer import EventPrinter
from darkswap_browser.cli.formatting import Record
from darkswap_browser.cli.session import Session, to_dict, to_dicts
from darkswap_browser.errors import InvalidOrder, TradeNotFound

FAILED = 1


async def take(session: Session) -> int:
    """0 only when it is completed, or sent with --no-wait."""
    given = session.given
    async with session.running_node() as node:
        order = to_dict(await node.import_order(given.text))
        session.names.learn_orders([order])
        session.out.event("order", {"order": order}, [*formatting.order_lines(order, session.names), ""])
        printer = EventPrinter(session)
        printer.mark_printed(order)
        if order["is_local"]:
            raise InvalidOrder("order", "is your own", "Orders are for others to take.")
        trade_id = (await node.take_order(order["id"], given.amount, True, given.fee_rate, given.max_fee)).id
        if not await _agreed(session, printer, trade_id):
            session.out.event("ended", {"trade": await node.get_trade(trade_id)}, ["Not taken. Nothing was signed."])
            return FAILED
        trade = await printer.until(trade_id, _ended_or_sent if given.no_wait else formatting.is_over)
    return _end(printer, trade, sent=given.no_wait)


async def _agreed(session: Session, printer: EventPrinter, trade_id: str) -> bool:
    """Shows what the transaction does, asks, and begins to sign. Whoever goes without an answer has said no."""
    node = session.node
    try:
        trade = await printer.until(trade_id, lambda each: each["phase"] == "reviewing" or formatting.is_over(each))
        if formatting.is_over(trade):
            return True  # its end is told by whoever waits for it
        lines = formatting.effect_lines(trade["effect"], session.names) if "effect" in trade else []
        session.out.event("review", {"trade": trade}, ["", *lines, formatting.voucher_line(trade), ""])
        yes = session.given.yes or await prompts.confirm(session.terminal, "Sign it?")
    except asyncio.CancelledError:
        await node.cancel_trade(trade_id)
        raise
    if not yes:
        await node.cancel_trade(trade_id)
        return False
    await node.confirm_trade(trade_id)
    return True


def _ended_or_sent(trade: Record) -> bool:
    return formatting.is_over(trade) or formatting.is_sent(trade)


def _end(printer: EventPrinter, trade: Record, *, sent: bool = False) -> int:
    printer.end(trade)
    done = trade["status"] == "completed" or (sent and not formatting.is_over(trade) and formatting.is_sent(trade))
    return 0 if done else FAILED


async def listing(session: Session) -> None:
    await session.learn_names()
    trades = to_dicts(await session.node.kept_trades())
    session.out.value(trades, formatting.trade_table(trades, session.names))


async def show(session: Session) -> None:
    await session.learn_names()
    trade_id = await session.trade_id(session.given.id)
    trade = next((each for each in to_dicts(await session.node.kept_trades()) if each["id"] == trade_id), None)
    if trade is None:
        raise TradeNotFound(trade_id)
    session.out.value(trade, formatting.trade_lines(trade, session.names))


async def cancel(session: Session) -> None:
    trade_id = await session.trade_id(session.given.id)
    await session.learn_names()
    async with session.running_node() as node:
        trade = to_dict(await node.cancel_trade(trade_id))
    session.out.value(trade, formatting.trade_lines(trade, session.names))


async def revoke(session: Session) -> int:
    """Waits until it is certain which of the two transactions counts."""
    trade_id = await session.trade_id(session.given.id)
    await session.learn_names()
    async with session.running_node() as node:
        await node.revoke_trade(trade_id, session.given.fee, session.given.max_fee)
        printer = EventPrinter(session)
        trade = await printer.until(trade_id, formatting.is_over)
    printer.end(trade)
    return 0 if trade["phase"] == "revoked" else FAILED


async def bump(session: Session) -> None:
    given = session.given
    trade_id = await session.trade_id(given.id)
    async with session.running_node() as node:
        child = to_dict(await node.bump_trade_fee(trade_id, given.fee_rate, given.max_fee))
    session.out.value(child, [f"Sent {child['txid']}, which pays {child['fee_sats']} sats."])


async def revoke_fee(session: Session) -> None:
    trade_id = await session.trade_id(session.given.id)
    async with session.running_node() as node:
        fee = to_dict(await node.estimate_revoke_fee(trade_id))
    session.out.value(fee, [f"About {fee['fee_sats']} sats; at most {fee['max_fee_sats']} unless --max-fee says more."])


async def wait(session: Session) -> int:
    trade_id = await session.trade_id(session.given.id)
    await session.learn_names()
    async with session.running_node():
        printer = EventPrinter(session)
        trade = await printer.until(trade_id, formatting.is_over)
    return _end(printer, trade)


async def resume(session: Session) -> int:
    """0 when everything that was going on is completed, or nothing was."""
    await session.learn_names()
    async with session.running_node() as node:
        going = [each.id for each in await node.get_trades() if not formatting.is_over(to_dict(each))]
        session.out.event("ready", {"trades": going}, [f"Going on: {len(going)}."])
        printer = EventPrinter(session)
        ends = [await printer.until(trade_id, formatting.is_over) for trade_id in going]
    codes = [_end(printer, trade) for trade in ends]
    return max(codes, default=0)
