"""Which protocols we answer to, and the way of an inbound stream to its handler."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from darkswap_browser.errors import DarkSwapError, EndOfStream, InvalidArgument
from darkswap_browser.net.connection import Connection
from darkswap_browser.net.limits import Limits
from darkswap_browser.net.negotiate import answer
from darkswap_browser.net.stream import BufferedStream, Stream, close_or_reset

ProtocolHandler = Callable[[Connection, BufferedStream, str], Awaitable[None]]
"""(connection, stream, protocol): runs in a task of its own and owns the stream, its closing included."""


@dataclass(slots=True)
class _Route:
    run: ProtocolHandler
    allow_limited: bool
    max_inbound: int


class ConnectionStreams:
    """One connection and what is counted on it."""

    __slots__ = ("_active_at", "_bytes", "connection", "negotiating", "running")

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.negotiating = 0
        self.running: dict[str, int] = {}
        self._active_at = connection.opened_at
        self._bytes = 0

    def idle_seconds(self, now: float) -> float:
        """How long no bytes of streams were seen to move, as far as looks like this one tell."""
        stats = self.connection.stats()
        moved = stats["bytes_sent"] + stats["bytes_received"]
        if moved != self._bytes:
            self._bytes, self._active_at = moved, now
        return now - self._active_at


class Routes:
    """Protocol id → handler."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._routes: dict[str, _Route] = {}

    @property
    def protocols(self) -> tuple[str, ...]:
        return tuple(self._routes)

    def add(self, protocol: str, handler: ProtocolHandler, *, allow_limited: bool, max_inbound: int) -> None:
        if protocol in self._routes:
            raise InvalidArgument("protocol", f"{protocol} already has a handler")
        self._routes[protocol] = _Route(handler, allow_limited, max_inbound)

    def remove(self, protocol: str) -> bool:
        """Whether there was one."""
        return self._routes.pop(protocol, None) is not None

    def admit(self, served: ConnectionStreams) -> bool:
        """Count one more stream being negotiated on this connection, if that may be; then call `serve`."""
        if served.negotiating >= self._limits.stream_accept_backlog:
            return False
        served.negotiating += 1
        return True

    async def serve(self, served: ConnectionStreams, raw: Stream) -> None:
        """Negotiate and run the handler. Whatever goes wrong ends the stream; only bugs are raised."""
        stream = BufferedStream(raw)
        try:
            try:
                async with asyncio.timeout(self._limits.negotiate_timeout):
                    protocol = await answer(stream, self._routes.__contains__, self._limits)
            finally:
                served.negotiating -= 1
            await self._run(served, stream, protocol)
        except EndOfStream:
            # The peer finished and the handler had nothing left to say: a reset could overtake what it wrote.
            await close_or_reset(stream)
        except (DarkSwapError, TimeoutError):
            stream.reset()
        except BaseException:
            stream.reset()
            raise

    async def _run(self, served: ConnectionStreams, stream: BufferedStream, protocol: str) -> None:
        route = self._routes.get(protocol)
        running = served.running.get(protocol, 0)
        limited = served.connection.limit is not None
        if route is None or running >= route.max_inbound or (limited and not route.allow_limited):
            stream.reset()
            return
        served.running[protocol] = running + 1
        try:
            await route.run(served.connection, stream, protocol)
        finally:
            served.running[protocol] -= 1
