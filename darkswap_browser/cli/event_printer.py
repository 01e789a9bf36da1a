"""What happens, told as it happens: of everything, or of one trade until it stands where one waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from darkswap_browser.api.records import DarkSwapEvent
from darkswap_browser.cli import formatting
from darkswap_browser.cli.formatting import Record
from darkswap_browser.cli.session import Session, to_dict
from darkswap_browser.errors import TradeNotFound


class EventPrinter:
    """`page`: of links to orders that change while they are told of. For people, nothing is said twice."""

    def __init__(self, session: Session, page: str | None = None) -> None:
        self._session = session
        self._page = page
        self._told: dict[str, str] = {}
        self._texts: dict[str, str] = {}

    def mark_printed(self, order: Record) -> None:
        """It was shown, with its text."""
        self._texts[order["id"]] = order["text"]
        self._told[order["id"]] = formatting.order_line(order, self._session.names)

    def tell(self, event: DarkSwapEvent) -> None:
        self._session.out.event(event.type, {"at": event.at, **event.fields}, self._lines(event))

    def _lines(self, event: DarkSwapEvent) -> list[str]:
        fields, names = event.fields, self._session.names
        line = formatting.event_line(event.type, fields, names)
        subject = str(fields.get("order_id") or fields.get("trade_id") or event.type)
        lines = [line] if line and self._told.get(subject) != line else []
        trade, order = fields.get("trade"), fields.get("order")
        if isinstance(trade, dict) and subject not in self._told:
            lines.insert(0, f"trade {formatting.short(subject)}: {formatting.trade_summary(trade, names)}.")
        self._told[subject] = line
        lines = [f"{formatting.moment(event.at)[11:]}  {each}" for each in lines]
        if isinstance(order, dict):
            if order["is_local"] and self._texts.get(subject, order["text"]) != order["text"]:
                lines += ["It was renewed. From now on pass this on:", link_of(order, self._page)]
            self._texts[subject] = order["text"]
        return lines

    async def go_on(self) -> None:
        """For ever."""
        while True:
            self.tell(await self._session.events.get())

    async def until(self, trade_id: str, reached: Callable[[Record], bool]) -> Record:
        """Tells of everything until that trade is where it is waited for."""
        while True:
            found = await self._session.node.get_trade(trade_id)
            if found is None:
                raise TradeNotFound(trade_id)
            self._tell_waiting()
            trade = to_dict(found)
            if reached(trade):
                return trade
            self.tell(await self._session.events.get())

    def end(self, trade: Record) -> None:
        """The last word on a trade."""
        line = formatting.trade_line(trade)
        lines = [line] if self._told.get(trade["id"]) != line else []
        self._session.out.event("ended", {"trade": trade}, [*lines, trade["advice"]])

    def _tell_waiting(self) -> None:
        try:
            while True:
                self.tell(self._session.events.get_nowait())
        except asyncio.QueueEmpty:
            return


def link_of(order: Record, page: str | None) -> str:
    """As the page itself writes links to orders; the bare text without one."""
    return order["text"] if page is None else f"{page.partition('#')[0]}#order={order['text']}"
