"""Looks at the chain for trades: is the transaction in a block, how deep, or are its coins spent elsewhere?

Servers are polled, since most of them have nothing else. Every look tells what was seen; what it means is the trade's
affair.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass

from darkswap_browser.bitcoin.transaction import OutPoint
from darkswap_browser.chain.base import Chain, Tip
from darkswap_browser.errors import ChainError

FAST = 2.0
"""Seconds between two looks at what was broadcast just now: somebody watches the screen."""
SLOW = 20.0
"""Seconds between two looks at anything else: blocks are minutes apart."""
FAST_FOR = 180.0
"""Seconds for which a trade counts as broadcast just now."""


@dataclass(frozen=True, slots=True)
class Watched:
    """`txid`: the settlement's. `outpoints`: its inputs, ours first."""

    txid: str
    outpoints: tuple[OutPoint, ...]


@dataclass(frozen=True, slots=True)
class InBlock:
    """`confirmations` is 1 in the last block; `tip` is the height that this was true at."""

    txid: str
    height: int
    block_hash: str
    confirmations: int
    tip: int


@dataclass(frozen=True, slots=True)
class InMempool:
    txid: str


@dataclass(frozen=True, slots=True)
class SpentElsewhere:
    """`txid` spends `outpoint` instead; `height` is None while it waits in the mempool. `spent`: all such inputs."""

    txid: str
    outpoint: OutPoint
    height: int | None
    confirmations: int
    spent: tuple[OutPoint, ...] = ()


@dataclass(frozen=True, slots=True)
class Nowhere:
    """Servers do not know the transaction, and its inputs are unspent."""

    txid: str


@dataclass(frozen=True, slots=True)
class Blind:
    """No server told."""

    reason: str


Sight = InBlock | InMempool | SpentElsewhere | Nowhere | Blind


async def look(chain: Chain, watched: Watched, tip: Tip) -> Sight:
    """What the chain says about one settlement now. A block is believed only when enough servers agree on it."""
    try:
        status = await chain.status(watched.txid)
        if status is not None and status.height is not None:
            status = await chain.status(watched.txid, verify=True)
        if status is not None and status.height is not None:
            depth = max(tip.height - status.height + 1, 1)
            return InBlock(watched.txid, status.height, status.block_hash or "", depth, tip.height)
        if status is not None:
            return InMempool(watched.txid)
        return await _rivals(chain, watched, tip)
    except ChainError as error:
        return Blind(str(error))


async def _rivals(chain: Chain, watched: Watched, tip: Tip) -> Sight:
    spends = {each: await chain.spend(each, verify=True) for each in watched.outpoints}
    rivals = [(at, spend) for at, spend in spends.items() if spend is not None and spend.txid != watched.txid]
    if not rivals:
        return Nowhere(watched.txid)
    confirmed = [rival for rival in rivals if rival[1].height is not None]
    outpoint, spend = (confirmed or rivals)[0]
    depth = 0 if spend.height is None else max(tip.height - spend.height + 1, 1)
    settled = tuple(at for at, each in rivals if each.height is not None or not confirmed)
    return SpentElsewhere(spend.txid, outpoint, spend.height, depth, settled)


class Watcher:
    """`report(trade_id, sight)` after every look, from the event loop."""

    def __init__(self, chain: Chain, report: Callable[[str, Sight], None]) -> None:
        self._chain = chain
        self._report = report
        self._watches: dict[str, asyncio.Task[None]] = {}
        self._wanted: dict[str, Watched] = {}
        self._tip: tuple[float, Tip] | None = None

    def watch(self, trade_id: str, watched: Watched) -> None:
        """Until `forget`. Asking for the same again changes nothing."""
        if self._wanted.get(trade_id) == watched:
            return
        self.forget(trade_id)
        self._wanted[trade_id] = watched
        self._watches[trade_id] = self._spawn(self._run(trade_id, watched))

    def forget(self, trade_id: str) -> None:
        self._wanted.pop(trade_id, None)
        task = self._watches.pop(trade_id, None)
        if task is not None:
            task.cancel()

    @property
    def watching(self) -> Sequence[str]:
        return tuple(self._watches)

    async def close(self) -> None:
        tasks = list(self._watches.values())
        for trade_id in list(self._watches):
            self.forget(trade_id)
        if tasks:
            await asyncio.wait(tasks)

    async def _run(self, trade_id: str, watched: Watched) -> None:
        loop = asyncio.get_running_loop()
        until = loop.time() + FAST_FOR
        while True:
            pace = FAST if loop.time() < until else SLOW
            self._report(trade_id, await self._look(watched, pace))
            await asyncio.sleep(pace)

    async def _look(self, watched: Watched, pace: float) -> Sight:
        try:
            tip = await self._tip_within(pace)
        except ChainError as error:
            return Blind(str(error))
        return await look(self._chain, watched, tip)

    async def _tip_within(self, seconds: float) -> Tip:
        """One question for all trades that look at about the same time."""
        now = asyncio.get_running_loop().time()
        if self._tip is None or now - self._tip[0] >= seconds:
            self._tip = (now, await self._chain.tip())
        return self._tip[1]

    def _spawn(self, work: Coroutine[object, object, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work, name="trade watch")
        task.add_done_callback(_told)
        return task


def _told(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        context = {"message": f"{task.get_name()} failed", "exception": error, "task": task}
        task.get_loop().call_exception_handler(context)
