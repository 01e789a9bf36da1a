"""Looks at the chain for trades: is the transaction in a block, how deep, or are its coins spent elsewhere?

Servers are polled, since most of them have nothing else. What was seen is told when it changed, and again from time to
time; what it means is the trade's affair.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from darkswap_browser.chain.base import Chain, Tip
from darkswap_browser.concurrency.faults import ReportFault, log_fault
from darkswap_browser.concurrency.tasks import Tasks
from darkswap_browser.errors import ChainError
from darkswap_browser.settlement import events
from darkswap_browser.settlement.effects import Watch

FIRST_POLL_SECONDS = (0.5, 1.0)
"""Seconds after the first look and the second: most of what a peer broadcasts reaches the servers within these."""
FAST_POLL_SECONDS = 2.0
"""Seconds between two looks at what was broadcast just now: somebody watches the screen."""
SLOW_POLL_SECONDS = 20.0
"""Seconds between two looks at anything else: blocks are minutes apart."""
FAST_POLL_PERIOD_SECONDS = 180.0
"""Seconds for which a trade counts as broadcast just now."""


@dataclass(frozen=True, slots=True)
class InBlock:
    """`confirmations` is 1 in the last block."""

    txid: str
    height: int
    confirmations: int


@dataclass(frozen=True, slots=True)
class InMempool:
    txid: str


@dataclass(frozen=True, slots=True)
class SpentElsewhere:
    """Another transaction `txid` spends an input; `confirmations` is 0 while it waits in the mempool."""

    txid: str
    confirmations: int


@dataclass(frozen=True, slots=True)
class NotSeen:
    """None of the transactions is known, and the inputs are unspent."""


@dataclass(frozen=True, slots=True)
class ChainUnavailable:
    """No server told."""

    reason: str


ChainObservation = InBlock | InMempool | SpentElsewhere | NotSeen | ChainUnavailable


def event_of(observation: ChainObservation) -> events.Event | None:
    """What it is to the trade's rules; None where they have no use for it."""
    match observation:
        case InBlock(txid, height, confirmations):
            return events.Confirmed(txid, height, confirmations)
        case InMempool(txid):
            return events.SeenInMempool(txid)
        case SpentElsewhere(txid, confirmations) if confirmations:
            return events.ConflictConfirmed(txid, confirmations)
        case SpentElsewhere(txid):
            return events.RivalSeen(txid)
        case NotSeen():
            return events.NotSeenOnChain()
    return None


GetTip = Callable[[], Awaitable[Tip]]


async def observe(chain: Chain, watched: Watch, tip: GetTip) -> ChainObservation:
    """What the chain says now. A block and how deep it is are believed only when enough servers agree on them; that a
    transaction is in a mempool is one server's word. `tip`: the latest block, verified.
    """
    waiting: str | None = None
    try:
        for txid in watched.txids:
            status = await chain.status(txid)
            if status is not None and status.height is not None:
                status = await chain.status(txid, verify=True)
            if status is not None and status.height is not None:
                return InBlock(txid, status.height, max((await tip()).height - status.height + 1, 1))
            waiting = txid if status is not None else waiting
        return InMempool(waiting) if waiting is not None else await _rival(chain, watched, tip)
    except ChainError as error:
        return ChainUnavailable(str(error))


async def _rival(chain: Chain, watched: Watch, tip: GetTip) -> ChainObservation:
    """The deepest spend of an input by somebody else."""
    deepest: SpentElsewhere | None = None
    for outpoint in watched.outpoints:
        spend = await chain.spend(outpoint, verify=True)
        if spend is None or spend.txid in watched.txids:
            continue
        depth = 0 if spend.height is None else max((await tip()).height - spend.height + 1, 1)
        if deepest is None or depth > deepest.confirmations:
            deepest = SpentElsewhere(spend.txid, depth)
    return deepest or NotSeen()


class ChainWatcher:
    """`report(trade_id, observation)`, from the event loop. `faults` is told when a watch fails, which then ends."""

    def __init__(
        self, chain: Chain, report: Callable[[str, ChainObservation], None], faults: ReportFault = log_fault
    ) -> None:
        self._chain = chain
        self._report = report
        self._tasks = Tasks(faults)
        self._watches: dict[str, asyncio.Task[None]] = {}
        self._wanted: dict[str, Watch] = {}
        self._tip: tuple[float, Tip] | None = None

    def watch(self, trade_id: str, watched: Watch) -> None:
        """Until `forget`. Asking for the same again changes nothing."""
        if self._wanted.get(trade_id) == watched:
            return
        self.forget(trade_id)
        self._wanted[trade_id] = watched
        self._watches[trade_id] = self._tasks.spawn(self._run(trade_id, watched), "trade watch")

    def forget(self, trade_id: str) -> None:
        self._wanted.pop(trade_id, None)
        task = self._watches.pop(trade_id, None)
        if task is not None:
            task.cancel()

    @property
    def watching(self) -> Sequence[str]:
        return tuple(self._watches)

    def close_nowait(self) -> None:
        """End every watch and begin no other, without waiting. Idempotent."""
        self._watches.clear()
        self._wanted.clear()
        self._tasks.cancel()

    async def close(self) -> None:
        """As `close_nowait`, and wait until they have ended. Idempotent.

        Cancellation: Safe. Every watch was told to end before the first await.
        """
        self.close_nowait()
        await self._tasks.close()

    async def _run(self, trade_id: str, watched: Watch) -> None:
        loop = asyncio.get_running_loop()
        until = loop.time() + FAST_POLL_PERIOD_SECONDS
        last: ChainObservation | None = None
        told = 0.0
        first = iter(FIRST_POLL_SECONDS)
        while True:
            pace = next(first, FAST_POLL_SECONDS if loop.time() < until else SLOW_POLL_SECONDS)
            observation = await self._look(watched, pace)
            if observation != last or loop.time() - told >= SLOW_POLL_SECONDS:
                last, told = observation, loop.time()
                self._report(trade_id, observation)
            await asyncio.sleep(pace)

    async def _look(self, watched: Watch, pace: float) -> ChainObservation:
        return await observe(self._chain, watched, lambda: self._tip_within(pace))

    async def _tip_within(self, seconds: float) -> Tip:
        """One question for all trades that look at about the same time."""
        now = asyncio.get_running_loop().time()
        if self._tip is None or now - self._tip[0] >= seconds:
            self._tip = (now, await self._chain.tip(verify=True))
        return self._tip[1]
