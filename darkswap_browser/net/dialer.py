"""One dial of one peer over several addresses: staggered starts, the first connection wins, the rest are given up."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable, Sequence

from darkswap_browser.concurrency.shared_call import SharedCall
from darkswap_browser.concurrency.tasks import cancel_and_wait
from darkswap_browser.errors import DarkSwapError, DialFailed, NoAddress, TimedOut, Unsupported
from darkswap_browser.identity.multiaddr import Multiaddr
from darkswap_browser.identity.peer_id import PeerId
from darkswap_browser.net.connection import Connection
from darkswap_browser.net.limits import Limits
from darkswap_browser.net.transport import StepHandler, Transport

logger = logging.getLogger(__name__)

Register = Callable[[Connection], None]


def ranked(addresses: Iterable[Multiaddr]) -> list[Multiaddr]:
    """Direct addresses, then private WebRTC, then plain circuits; the given order within each."""
    return sorted(dict.fromkeys(addresses), key=lambda address: 2 if address.is_circuit else int(address.is_webrtc))


async def dial_one(
    transports: Sequence[Transport], address: Multiaddr, peer: PeerId | None, on_step: StepHandler, limits: Limits
) -> Connection:
    """Dial one address within `dial_timeout`. Raises `Unsupported`, `TimedOut` and what the transport raises."""
    transport = next((each for each in transports if each.can_dial(address)), None)
    if transport is None:
        raise Unsupported(f"dialling {address}", hint="No transport of this node speaks such an address.")
    on_step("dial", str(address))
    try:
        async with asyncio.timeout(limits.dial_timeout):
            return await transport.dial(address, peer, on_step)
    except TimeoutError:
        raise TimedOut(f"dialling {address}", limits.dial_timeout) from None


class Dial:
    """A running dial. Everyone who asks for the same peer meanwhile joins it and may add addresses."""

    def __init__(
        self,
        peer: PeerId,
        transports: Sequence[Transport],
        limits: Limits,
        register: Register,
        *,
        allow_limited: bool,
    ) -> None:
        self._peer = peer
        self._transports = transports
        self._limits = limits
        self._register = register
        self._allow_limited = allow_limited
        self._waiting: deque[Multiaddr] = deque()
        self._known: set[Multiaddr] = set()
        self._running: dict[asyncio.Task[Connection], Multiaddr] = {}
        self._attempts: list[tuple[str, Exception]] = []
        self._listeners: list[StepHandler] = []
        self._call = SharedCall[Connection](f"dial {peer}")
        self._begun = False

    def add(self, addresses: Iterable[Multiaddr], on_step: StepHandler) -> None:
        self._listeners.append(on_step)
        fresh = [address for address in addresses if address not in self._known]
        self._known.update(fresh)
        self._waiting = deque(ranked([*self._waiting, *fresh]))

    async def join(self) -> Connection:
        """The connection. The dial goes on as long as one caller waits for it.

        Raises `Aborted` when the dial itself is cancelled.
        """
        if not self._begun:
            self._begun = True
            self._call.begin(self._run())
        return await self._call.join()

    @property
    def is_over(self) -> bool:
        return self._begun and not self._call.is_running

    async def cancel(self) -> None:
        """Give up; whoever joined sees `Aborted`."""
        await self._call.close()

    def abort(self) -> None:
        """As `cancel`, without waiting."""
        self._call.cancel()

    async def _run(self) -> Connection:
        try:
            while True:
                self._start_next()
                if not self._running:
                    if not self._attempts:
                        raise NoAddress(str(self._peer))
                    raise DialFailed.of(str(self._peer), tuple(self._attempts))
                # Waking at every stagger also picks up addresses that a later caller added.
                done, _ = await asyncio.wait(
                    self._running, timeout=self._limits.dial_stagger, return_when=asyncio.FIRST_COMPLETED
                )
                for task in done:
                    if (winner := self._judge(task)) is not None:
                        return winner
        finally:
            await self._give_up_rest()

    def _start_next(self) -> None:
        """Start one more attempt. A plain circuit waits for private WebRTC to end: it would always be first."""
        if not self._waiting:
            return
        if self._waiting[0].is_circuit and any(address.is_webrtc for address in self._running.values()):
            return
        address = self._waiting.popleft()
        dialling = dial_one(self._transports, address, self._peer, self._step, self._limits)
        self._running[asyncio.create_task(dialling, name=f"dial {address}")] = address

    def _judge(self, task: asyncio.Task[Connection]) -> Connection | None:
        address = self._running.pop(task)
        try:
            connection = task.result()
            self._register(connection)
            if connection.limit is not None and not self._allow_limited:
                raise Unsupported("a limited connection here")
        except DarkSwapError as error:
            logger.debug("dial failed peer=%s address=%s: %s", self._peer.short, address, error)
            self._attempts.append((str(address), error))
            self._step("dial-failed", f"{address}: {error}")
            return None
        return connection

    async def _give_up_rest(self) -> None:
        rest, self._running = list(self._running), {}
        for task in rest:
            task.add_done_callback(_drop)
        await cancel_and_wait(rest)

    def _step(self, step: str, detail: str) -> None:
        for listener in self._listeners:
            listener(step, detail)


def _drop(task: asyncio.Task[Connection]) -> None:
    """An attempt that nobody waits for any more."""
    if not task.cancelled() and task.exception() is None:
        task.result().abort()
