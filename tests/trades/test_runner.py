"""One trade's turns: every message that has to be said again is, and a full inbox is somebody's fault."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from darkswap_browser.concurrency.faults import ReportFault, log_fault
from darkswap_browser.errors import Aborted, ObjectClosed, ResourceLimit
from darkswap_browser.settlement.effects import Effect, Send
from darkswap_browser.settlement.events import CancelRequested, Event, MessageReceived, Reconnected
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

        self.save_fault: BaseException | None = None
        self.saving: asyncio.Future[None] | None = None
        """What each saving waits for."""

    def now(self) -> int:
        return START

    async def save(self, record: TradeRecord) -> None:
        if self.save_fault is not None:
            raise self.save_fault
        if self.saving is not None:
            await self.saving

    async def send(self, record: TradeRecord, message: Send) -> None:
        self.sent.append(message.seq)
        await self.gate

    async def perform(self, record: TradeRecord, effect: Work) -> Event | None:
        return None

    def perform_now(self, run: TradeRunner, effect: Effect) -> None: ...


def _offered(around: Around, inbox: int = 4, report: ReportFault = log_fault) -> TradeRunner:
    trade = trade_of(MAKER)
    said = TakeAccept(COINS[MAKER], SETTLED)
    state = AwaitingTakerSignatures(replace(trade, last_sent=said, sent=1), DEADLINE)
    return TradeRunner(TradeRecord(state=state, order="", updated_at=START), around, inbox, report)


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


async def test_step_that_raises_any_exception_answers_is_reported_and_later_steps_go_on() -> None:
    around, faults = Around(), list[tuple[str, BaseException]]()
    run = _offered(around, report=lambda what, error: faults.append((what, error)))
    around.save_fault = ValueError("no text")
    for later in range(2):
        with pytest.raises(ValueError, match="no text"):
            async with asyncio.timeout(60):
                await run.request(CancelRequested(""))
        assert faults == [("trade step", around.save_fault)] * (later + 1)
    run.enqueue(CancelRequested(""))
    await asyncio.sleep(1)
    assert len(faults) == 3 and not run.is_over
    around.save_fault = None
    await run.request(CancelRequested(""))
    assert run.is_over and len(faults) == 3
    await run.stop()


async def test_step_whose_own_future_was_cancelled_answers_and_is_reported() -> None:
    around, faults = Around(), list[tuple[str, BaseException]]()
    run = _offered(around, report=lambda what, error: faults.append((what, error)))
    around.save_fault = asyncio.CancelledError()
    with pytest.raises(Aborted):
        async with asyncio.timeout(60):
            await run.request(CancelRequested(""))
    assert len(faults) == 1
    await run.stop()


async def test_stop_while_a_step_is_being_saved_ends_it_and_is_no_fault() -> None:
    around, faults = Around(), list[tuple[str, BaseException]]()
    run = _offered(around, report=lambda what, error: faults.append((what, error)))
    around.saving = asyncio.get_running_loop().create_future()
    asked = asyncio.create_task(run.request(CancelRequested("")))
    await asyncio.sleep(1)
    async with asyncio.timeout(60):
        await run.stop()
    with pytest.raises(ObjectClosed):
        await asked
    assert faults == [] and not run.is_over
