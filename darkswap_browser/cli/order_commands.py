"""`darkswap order …`: offers made, changed and answered for."""

from __future__ import annotations

import asyncio

from darkswap_browser.cli import formatting
from darkswap_browser.cli.event_printer import EventPrinter, link_of
from darkswap_browser.cli.formatting import Record
from darkswap_browser.cli.session import Session, to_dict, to_dicts
from darkswap_browser.errors import InvalidOrder, OrderNotFound


async def sell(session: Session) -> None:
    await _make(session, "sell")


async def buy(session: Session) -> None:
    await _make(session, "buy")


async def _make(session: Session, side: str) -> None:
    given = session.given
    draft = {
        "side": side,
        "base_asset": await session.asset(given.base),
        "quote_asset": await session.asset(given.quote),
        "amount": given.amount,
        "total": given.total,
        "price": given.price,
        "min_amount": given.min,
        "expires_in": given.expires,
        "fee_rule": given.fee_rule,
        "max_fee_sats": given.max_fee,
        "signing_seconds": given.signing_time,
    }
    async with session.running_node(meet=True) as node:
        check = await node.check_order(draft)
        if check.problems:
            raise InvalidOrder(check.problems[0].field, check.problems[0].message.rstrip("."))
        order = to_dict(await node.create_order(draft))
        printer = EventPrinter(session, given.page)
        _present(session, printer, "order", order)
        session.out.print_note(
            f"Your part of the fee will be about {check.fee_sats} sats at {check.fee_rate} sats per vbyte."
        )
        if not given.exit:
            await _stay(session, printer)


def _present(session: Session, printer: EventPrinter, kind: str, order: Record) -> None:
    """An order and what is to be passed on of it."""
    session.names.learn_orders([order])
    printer.mark_printed(order)
    link = link_of(order, session.given.page)
    lines = [*formatting.order_lines(order, session.names), "", "Pass this on to whoever may take it:", link]
    session.out.event(kind, {"order": order, "link": link}, lines)


async def serve(session: Session) -> None:
    async with session.running_node(meet=True, patient=True):
        printer = EventPrinter(session, session.given.page)
        await _stay(session, printer)


async def _stay(session: Session, printer: EventPrinter) -> None:
    """Until Ctrl-C or SIGTERM, which is an orderly end here."""
    node = session.node
    peer, orders = await node.local_peer_id(), to_dicts(await node.get_orders())
    live = [each for each in orders if each["is_local"] and each["status"] in ("open", "paused")]
    session.names.learn_orders(live)
    for each in live:
        printer.mark_printed(each)
    relays = [each.relay_peer_id for each in await node.get_relay_reservations()]
    count = f"{len(live)} open order{'' if len(live) == 1 else 's'}"
    ready = {"peer_id": peer, "relays": relays, "orders": live}
    session.out.event("ready", ready, [f"Answering for {count} as {peer}. Ctrl-C ends it; orders stay open."])
    try:
        await printer.go_on()
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None:
            task.uncancel()
        session.out.event("stopped", {}, ["Stopped. Nobody is answered until `darkswap order serve` runs."])


async def listing(session: Session) -> None:
    orders = to_dicts(await session.node.kept_orders())
    if not session.given.all:
        orders = [each for each in orders if each["is_local"] and each["status"] in ("open", "paused")]
    session.names.learn_orders(orders)
    session.out.value(orders, formatting.order_table(orders, session.names, session.now()))


async def show(session: Session) -> None:
    order_id = await session.order_id(session.given.id, local=False)
    order = next((each for each in to_dicts(await session.node.kept_orders()) if each["id"] == order_id), None)
    if order is None:
        raise OrderNotFound(order_id)
    session.names.learn_orders([order])
    link = link_of(order, session.given.page)
    session.out.value({**order, "link": link}, [*formatting.order_lines(order, session.names), "", link])


async def cancel(session: Session) -> None:
    order_id = await session.order_id(session.given.id)
    async with session.running_node() as node:
        order = to_dict(await node.cancel_order(order_id))
    session.names.learn_orders([order])
    session.out.value(order, [f"order {formatting.short(order_id)}: canceled."])


async def pause(session: Session) -> None:
    await _revise(session, {"paused": True})


async def resume(session: Session) -> None:
    await _revise(session, {"paused": False})


async def change(session: Session) -> None:
    given = session.given
    await _revise(session, {"price": given.price, "total": given.total, "expires_in": given.expires})


async def _revise(session: Session, wanted: dict[str, object]) -> None:
    order_id = await session.order_id(session.given.id)
    # A revision names the relays where its maker is met, so one must be there.
    async with session.running_node(meet=True) as node:
        order = to_dict(await node.update_order(order_id, wanted))
    session.names.learn_orders([order])
    link = link_of(order, session.given.page)
    session.out.value({**order, "link": link}, [*formatting.order_lines(order, session.names), "", link])
