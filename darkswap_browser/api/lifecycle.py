"""Start and stop one node: cancel-safe, repeatable, in any order."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Set
from contextlib import AsyncExitStack, contextmanager
from contextvars import ContextVar
from typing import Any

from darkswap_browser.concurrency.shared_call import SharedCall
from darkswap_browser.concurrency.tasks import cancel_and_wait, is_end_of_owner, result_of, wait_ended
from darkswap_browser.errors import Aborted, Unsupported
from darkswap_browser.node.node import Node

logger = logging.getLogger(__name__)

Hook = Callable[[], Awaitable[None]]

_STOPS: ContextVar[frozenset[asyncio.Task[Any] | None]] = ContextVar("darkswap_stops", default=frozenset())
"""The stops that the running code is part of, by their tasks. What a hook starts inherits it."""
_HOOKS: set[asyncio.Task[Any] | None] = set()
"""The tasks of the stop hooks that run now: what waits in them keeps a stop waiting."""
_WAITS: dict[asyncio.Task[Any], list[asyncio.Task[Any]]] = {}
"""Stop → the stops that its hook waits for."""


class NodeLifecycle:
    """At most one node runs at a time; whoever starts or stops it at once shares one start or stop.

    Args:
        build: Makes and starts the node; leaves nothing behind when it fails or is cancelled.
        started: Called in the moment in which the node is up.
        stopped: Called when nothing is left of it.
    """

    def __init__(
        self, build: Callable[[], Awaitable[Node]], started: Callable[[Node], None], stopped: Callable[[Node], None]
    ) -> None:
        self._build = build
        self._started = started
        self._stopped = stopped
        self._hooks: list[Hook] = []
        self._starting = SharedCall[Node]("start of the node")
        self._node: Node | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_claimed = False
        """Somebody was given the running node."""
        self._stopping: asyncio.Task[None] | None = None
        self._given_up = asyncio.Event()
        """The stop under way is: nobody waits for it to be polite."""
        self._callers_of_stop = 0

    @property
    def running(self) -> Node | None:
        """The node, while it is up."""
        return self._node

    def add_hook(self, hook: Hook) -> None:
        """`hook` is awaited whenever the node stops, while its connections are still there."""
        self._hooks.append(hook)

    async def start(self) -> Node:
        """The running node, started if it was not; a stop under way is waited for first.

        Raises:
            Aborted: It was stopped while it started, or this is called in a hook of the stop that it would wait for.
            Unsupported: It runs on another event loop.

        Cancellation: Safe. A node that nobody else waited for is taken down again.
        """
        self._check_loop()
        self.check_hook()
        while self._stopping is not None:
            with _waiting_for(self._stopping):
                await wait_ended((self._stopping,))
        if self._node is not None:
            self._is_claimed = True
            return self._node
        if not self._starting.is_running:
            self._loop = asyncio.get_running_loop()
            self._starting.begin(self._start())
        try:
            built = await self._starting.join()
        except asyncio.CancelledError:
            if self._node is not None and not self._is_claimed and not self._starting.has_callers:
                # Given up in the moment in which it came up.
                await self.stop()
            raise
        self._is_claimed = True
        return built

    async def _start(self) -> Node:
        self._is_claimed = False
        built = await self._build()
        self._node = built
        self._started(built)
        logger.info("node started peer=%s", built.swarm.local_peer.short)
        return built

    async def stop(self) -> None:
        """Take the node down; one that is starting is not waited for. Idempotent.

        Raises:
            Unsupported: It runs on another event loop.

        In a stop hook it returns at once where the stop waits for the hook, be it by way of other nodes. In another
        task of the node, as that of a message sink or of a protocol, it is cancelled when the stop comes to that task,
        and the stop goes on.

        Cancellation: Safe. When the last caller gives up, nobody is said goodbye to any more: connections are dropped,
        and nothing is left a moment later.
        """
        if self._stopping is not None and _is_waiting_for(self._stopping, _STOPS.get()):
            return
        self._check_loop()
        await self._starting.close()
        if self._stopping is None:
            if self._node is None:
                return
            self._given_up = asyncio.Event()
            self._stopping = asyncio.get_running_loop().create_task(
                self._stop(self._node, self._given_up), name="stop of the node"
            )
        stopping = self._stopping
        self._callers_of_stop += 1
        is_in_its_way = False
        try:
            with _waiting_for(stopping):
                await result_of(stopping)
        except asyncio.CancelledError as error:
            # Most likely it is the stop that ends the task we are in, and waits for it.
            is_in_its_way = is_end_of_owner(error)
            raise
        finally:
            self._callers_of_stop -= 1
            if not self._callers_of_stop and not stopping.done() and not is_in_its_way:
                self.abort()
                await wait_ended((stopping,))

    async def _stop(self, built: Node, given_up: asyncio.Event) -> None:
        """Every step is made, whatever becomes of the one before it."""
        _STOPS.set(frozenset({*(stop for stop in _STOPS.get() if stop and not stop.done()), asyncio.current_task()}))
        async with AsyncExitStack() as steps:
            steps.callback(self._over, built)
            steps.push_async_callback(built.close)
            for hook in self._hooks:
                steps.push_async_callback(_run_hook, hook, given_up)

    def _over(self, built: Node) -> None:
        built.abort()
        self._node, self._stopping = None, None
        self._stopped(built)
        logger.info("node stopped peer=%s", built.swarm.local_peer.short)

    def abort(self) -> None:
        """Drop every connection and end what a stop waits for, without waiting."""
        if self._node is not None:
            self._node.abort()
        self._given_up.set()

    def check_hook(self) -> None:
        """Raises `Aborted` in a hook of the stop that a start would wait for."""
        is_hook = asyncio.current_task() in _HOOKS
        if is_hook and self._stopping is not None and _is_waiting_for(self._stopping, _STOPS.get()):
            raise Aborted("a call in a stop hook that needs the node")

    def _check_loop(self) -> None:
        if self._node is not None and self._loop is not None and self._loop.is_closed():
            # Its loop ended without a stop: nothing of it runs any more, and nobody can end it but us.
            built, self._node, self._stopping, self._callers_of_stop = self._node, None, None, 0
            built.forget()
            self._stopped(built)
        in_use = self._node is not None or self._starting.is_running
        if in_use and self._loop is not asyncio.get_running_loop():
            hint = "Stop a node before its event loop ends, or make another one."
            raise Unsupported("a node that was started on another event loop", hint)


@contextmanager
def _waiting_for(stop: asyncio.Task[Any]) -> Iterator[None]:
    """Notes in a hook that its stop waits for another, so that the other's hooks do not wait for it in turn."""
    waiting = [each for each in _STOPS.get() if each is not None and asyncio.current_task() in _HOOKS]
    for each in waiting:
        _WAITS.setdefault(each, []).append(stop)
    try:
        yield
    finally:
        for each in waiting:
            _WAITS[each].remove(stop)
            if not _WAITS[each]:
                del _WAITS[each]


def _is_waiting_for(stop: asyncio.Task[Any], others: Set[asyncio.Task[Any] | None]) -> bool:
    """Whether `stop` is one of `others`, or waits for one of them."""
    seen: set[asyncio.Task[Any]] = set()
    found = [stop]
    while found:
        each = found.pop()
        if each in others:
            return True
        if each not in seen:
            seen.add(each)
            found += _WAITS.get(each, ())
    return False


async def _run_hook(hook: Hook, given_up: asyncio.Event) -> None:
    """Run `hook` to its end, or cancel it when the stop is given up; it is begun in any case.

    A task that is cancelled before its first step runs nothing, so the hook could tell nothing to end.
    """

    async def run() -> None:
        task = asyncio.current_task()
        _HOOKS.add(task)
        try:
            await hook()
        finally:
            _HOOKS.discard(task)

    loop = asyncio.get_running_loop()
    running = loop.create_task(run(), name="stop hook")
    await asyncio.sleep(0)
    waiting = loop.create_task(given_up.wait(), name="stop given up")
    try:
        await asyncio.wait((running, waiting), return_when=asyncio.FIRST_COMPLETED)
    finally:
        await cancel_and_wait((running, waiting))
    if not running.cancelled():
        running.result()
