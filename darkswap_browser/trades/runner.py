"""One trade going on: events in, one after the other; each step is saved, then its effects are begun."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import replace
from typing import Protocol

from darkswap_browser.concurrency.faults import Guard, ReportFault, log_fault
from darkswap_browser.concurrency.tasks import Tasks, wait_ended
from darkswap_browser.concurrency.waiter import Waiter
from darkswap_browser.errors import Aborted, DarkSwapError, NodeMoved, ObjectClosed, ResourceLimit, StorageError
from darkswap_browser.settlement import machine
from darkswap_browser.settlement.effects import (
    Broadcast,
    Countersign,
    Effect,
    PublishChange,
    SelfSpend,
    Send,
    SetTimer,
    Sign,
    Validate,
    Verify,
)
from darkswap_browser.settlement.events import CancelRequested, Event, MessageReceived, TimerFired
from darkswap_browser.settlement.states import Canceled, Completed, Conflicted, Ended, Negotiating, Settled, State
from darkswap_browser.settlement.step import StepOutcome, effects_on_resume
from darkswap_browser.storage.trades import TradeRecord

MAX_SLEEP_SECONDS = 5.0
"""Seconds: hosts stretch timers of pages in the background and stop them in sleep, so the wall clock is looked at."""
REBROADCAST_SECONDS = 15
"""Seconds before what a server has taken is offered to it again."""
STORE_RETRY_SECONDS = 5.0
"""Seconds after which a store that failed is tried again: nothing is done that is not kept."""

Work = Validate | Verify | Sign | Countersign | SelfSpend | Broadcast
"""Effects that take time and end in an event."""


class TradeContext(Protocol):
    """What a trade needs of its surroundings; the driver provides it."""

    def now(self) -> int:
        """Unix seconds."""
        ...

    async def save(self, record: TradeRecord) -> None: ...

    async def discard(self, record: TradeRecord) -> None:
        """Delete what is saved of it."""
        ...

    def store_failed(self, error: DarkSwapError) -> None:
        """What has to be saved is not; it is tried again."""
        ...

    async def send(self, record: TradeRecord, message: Send) -> None: ...

    async def perform(self, record: TradeRecord, effect: Work) -> Event:
        """Do it, and tell what came of it."""
        ...

    def perform_now(self, run: TradeRunner, effect: Effect) -> None:
        """Effects that take no time: watching, telling, releasing."""
        ...


class TradeRunner:
    """`record` is what is saved. Nothing runs while nothing happens."""

    def __init__(self, record: TradeRecord, around: TradeContext, inbox: int, report: ReportFault = log_fault) -> None:
        self.record = record
        self._around = around
        self._most = inbox
        self._events: deque[tuple[Event, asyncio.Future[StepOutcome] | None]] = deque()
        self._draining: asyncio.Task[None] | None = None
        self._answering: asyncio.Future[StepOutcome] | None = None
        self._timer: asyncio.Task[None] | None = None
        self._outgoing: Send | None = None
        self._works: dict[Work | str, asyncio.Task[None]] = {}
        self._offered: dict[str, int] = {}
        """When a transaction was broadcast last, by txid."""
        self._changed = Waiter()
        self._asked = Waiter()
        self._tasks = Tasks(report)
        self._stopped = False

    @property
    def state(self) -> State:
        return self.record.state

    @property
    def id(self) -> str:
        return self.state.trade.terms.trade_id

    @property
    def is_over(self) -> bool:
        return isinstance(self.state, Ended)

    @property
    def is_being_agreed(self) -> bool:
        """No signature of ours is out: coins are held for what may come to nothing."""
        return isinstance(self.state, Negotiating)

    @property
    def needs_peer(self) -> bool:
        """Something may still have to be said or heard."""
        return not self.state.trade.sale and not isinstance(self.state, Ended | Completed | Conflicted)

    # --- events

    def enqueue(self, event: Event) -> None:
        """In order. Raises `ResourceLimit` for a message when too many wait."""
        if isinstance(event, MessageReceived) and len(self._events) >= self._most:
            raise ResourceLimit("events of one trade", self._most)
        self._add(event, None)

    async def request(self, event: Event) -> StepOutcome:
        """As `enqueue`, and what the machine said to it. Raises what the store raises when it cannot be kept,
        `ObjectClosed` when everything is stopped meanwhile, and whatever else the step fails with.
        """
        self._check_running()
        answer: asyncio.Future[StepOutcome] = asyncio.get_running_loop().create_future()
        self._add(event, answer)
        self._asked.wake()
        return await answer

    def _check_running(self) -> None:
        if self._stopped:
            raise ObjectClosed("the node")

    def _add(self, event: Event, answer: asyncio.Future[StepOutcome] | None) -> None:
        if self._stopped:
            return
        self._events.append((event, answer))
        if self._draining is None or self._draining.done():
            self._draining = self._tasks.spawn(self._drain(), "trade step")

    async def start(self) -> None:
        """A new trade: saved, then begun."""
        await self._around.save(self.record)
        self.resume()
        self._perform(PublishChange())

    def resume(self) -> None:
        """All effects of the present state, again."""
        for effect in effects_on_resume(self.state):
            self._perform(effect)

    async def wait_change(self) -> None:
        """Until a step changed the state. Raises `ObjectClosed` when everything is stopped meanwhile."""
        self._check_running()
        await self._changed.wait()
        self._check_running()

    async def wait_sent(self) -> None:
        """Until a stream took the newest message, or there was none to take it.

        Cancellation: Safe; it is sent all the same.
        """
        if sending := self._works.get("send"):
            await wait_ended((sending,))

    async def _drain(self) -> None:
        while self._events:
            event, self._answering = self._events.popleft()
            with Guard(self._step_broke, awaits=True):
                await self._step(event)

    async def _step(self, event: Event) -> None:
        try:
            said = await self._take(event)
        except DarkSwapError as error:
            self._around.store_failed(error)
            if self._answering is None:
                # Not a user request but an event: retry until stored, it will not come again.
                self._events.appendleft((event, None))
                await self._pause()
            elif not self._answering.done():
                self._answering.set_exception(error)
            return
        if self._answering is not None and not self._answering.done():
            self._answering.set_result(said)

    def _step_broke(self, error: BaseException) -> None:
        """A fault of this program: told, also to whoever waits. The event is left out, as it would fail again."""
        self._tasks.report("trade step", error)
        if self._answering is not None and not self._answering.done():
            self._answering.set_exception(error if isinstance(error, Exception) else Aborted("the trade's step"))

    async def _pause(self) -> None:
        """Until the store is tried again, or somebody asks for something: that does not wait behind what failed."""
        if not any(answer is not None for _, answer in self._events):
            with suppress(TimeoutError):
                async with asyncio.timeout(STORE_RETRY_SECONDS):
                    await self._asked.wait()
        self._events = deque(sorted(self._events, key=lambda each: each[1] is None))

    async def _take(self, event: Event) -> StepOutcome:
        before = self.state
        step = machine.step(before, event, self._around.now())
        if step.state != before:
            now = self._around.now()
            done = self.record.completed_at or (now if isinstance(step.state, Completed | Settled) else None)
            record = replace(self.record, state=step.state, updated_at=now, completed_at=done)
            await self._save(record, event)
            self.record = record
        for effect in step.effects:
            self._perform(effect)
        if step.state != before:
            self._leave_off()
            self._changed.wake()
        return step.answer

    async def _save(self, record: TradeRecord, event: Event) -> None:
        try:
            await self._around.save(record)
        except StorageError as error:
            if not (isinstance(event, CancelRequested) and isinstance(record.state, Canceled)):
                raise
            # Deleting needs no room, and no signature of ours is out: without a record a restart cannot go on with
            # what the user canceled. Releasing the coins saves the record again.
            await self._around.discard(record)
            self._around.store_failed(error)

    def _leave_off(self) -> None:
        """Work that an earlier state asked for and this one does not: nobody broadcasts what he takes back."""
        wanted = effects_on_resume(self.state)
        for key, task in list(self._works.items()):
            if key != "send" and key not in wanted:
                task.cancel()
                del self._works[key]
        if self.is_over and self._timer is not None:
            self._timer.cancel()

    # --- effects

    def _perform(self, effect: Effect) -> None:
        if self._stopped:
            return
        match effect:
            case Send():
                self._outgoing = effect
                if "send" not in self._works:
                    self._begin("send", self._say())
            case SetTimer(at):
                if self._timer is not None:
                    self._timer.cancel()
                self._timer = self._tasks.spawn(self._tick(at), "trade timer")
            case Broadcast(txid, _) if self._around.now() - self._offered.get(txid, 0) < REBROADCAST_SECONDS:
                return
            case Validate() | Verify() | Sign() | Countersign() | SelfSpend() | Broadcast():
                if effect not in self._works:
                    self._begin(effect, self._work(effect))
            case _:
                self._around.perform_now(self, effect)

    async def _say(self) -> None:
        """The newest message only: it is the last thing said that the other side has not answered."""
        while self._outgoing is not None:
            message, self._outgoing = self._outgoing, None
            await self._around.send(self.record, message)
        self._works.pop("send", None)  # not later: what is said next begins anew

    async def _work(self, effect: Work) -> None:
        try:
            event = await self._around.perform(self.record, effect)
        except NodeMoved:
            return  # whoever relieved this node goes on from what is stored
        if isinstance(effect, Broadcast):
            self._offered[effect.txid] = self._around.now()
        self._works.pop(effect, None)
        self.enqueue(event)

    async def _tick(self, at: int) -> None:
        while True:
            left = at - self._around.now()
            if left <= 0:
                self.enqueue(TimerFired())
                return
            await asyncio.sleep(min(left, MAX_SLEEP_SECONDS))

    # --- tasks

    def _begin(self, key: Work | str, work: Coroutine[object, object, None]) -> None:
        name = f"trade {key if isinstance(key, str) else type(key).__name__}"
        task = self._works[key] = self._tasks.spawn(work, name)

        def finished(over: asyncio.Task[None]) -> None:
            if self._works.get(key) is over:
                del self._works[key]

        task.add_done_callback(finished)

    def stop_nowait(self) -> None:
        """End everything at once, without waiting; what was saved is all that stays. Idempotent."""
        self._stopped = True
        asked = [self._answering, *(answer for _, answer in self._events)]
        self._events.clear()
        for answer in asked:
            if answer is not None and not answer.done():
                answer.set_exception(ObjectClosed("the node"))
                answer.exception()  # whoever waits gets it; that nobody does is no fault
        self._changed.wake()
        self._tasks.cancel()

    async def stop(self) -> None:
        """As `stop_nowait`, and wait until everything has ended. Idempotent.

        Cancellation: Safe. Everything was told to end before the first await.
        """
        self.stop_nowait()
        await self._tasks.close()
