"""One trade's turns: every message that has to be said again is, and a full inbox is somebody's fault."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from darkswap_browser.errors import ResourceLimit
from darkswap_browser.settlement.effects import Effect, Send
from darkswap_browser.settlement.events import Event, MessageReceived, Reconnected
from darkswap_browser.settlement.messages import Cancel, TakeAccept
from darkswap_browser.settlement.states import AwaitingTakerSignatures
from darkswap_browser.storage.trades import TradeRecord
from darkswap_browser.trades.runner import TradeRunner, Work
from tests.soak.world import COINS, DEADLINE, MAKER, SETTLED, START, trade_of


class Around:
    """Sending takes until `gate` opens; everything else nothing."""

    def __init__(self) -> None:
        self.sent: list[int] = []
        self.gate: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def now(self) -> int:
        return START

    async def save(self, record: TradeRecord) -> None: ...

    async def send(self, record: TradeRecord, message: Send) -> None:
        self.sent.append(message.seq)
        await self.gate

    async def perform(self, record: TradeRecord, effect: Work) -> Event | None:
        return None

    def perform_now(self, run: TradeRunner, effect: Effect) -> None: ...


def _offered(around: Around, inbox: int = 4) -> TradeRunner:
    trade = trade_of(MAKER)
    said = TakeAccept(COINS[MAKER], SETTLED)
    state = AwaitingTakerSignatures(replace(trade, last_sent=said, sent=1), DEADLINE)
    return TradeRunner(TradeRecord(state=state, order="", updated_at=START), around, inbox)


async def test_what_is_asked_for_as_the_last_message_goes_out_is_not_forgotten() -> None:
    around = Around()
    run = _offered(around)
    run.resume()
    await asyncio.sleep(1)
    around.gate.set_result(None)
    run.enqueue(Reconnected())  # its turn comes right behind the end of the first
    await asyncio.sleep(1)
    assert around.sent == [1, 1]
    await run.stop()


async def test_while_a_message_is_going_out_only_the_newest_waits() -> None:
    around = Around()
    run = _offered(around)
    run.resume()
    for _ in range(5):
        run.enqueue(Reconnected())
    await asyncio.sleep(1)
    assert around.sent == [1]
    around.gate.set_result(None)
    await asyncio.sleep(1)
    assert around.sent == [1, 1]
    await run.stop()


async def test_more_messages_than_an_inbox_holds_are_their_senders_fault() -> None:
    run = _offered(Around(), inbox=2)
    for seq in (1, 2):
        run.enqueue(MessageReceived(seq, Cancel("X", "")))
    with pytest.raises(ResourceLimit):
        run.enqueue(MessageReceived(3, Cancel("X", "")))
    run.enqueue(Reconnected())
    await run.stop()
