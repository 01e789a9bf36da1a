"""WebSocket connections of the `websockets` library that one peer cannot keep busy.

The library parses whatever one read brought, 256 KiB, at once, and answers each ping in it: one-byte messages then hold
the event loop for a quarter of a second, and pongs that nobody takes fill the memory (the library's write limit holds
its callers back, not its pongs). Here a read is parsed in pieces, the loop has its turn between them, and who sends
more small frames than the rest waits.
"""

from __future__ import annotations

import asyncio
import weakref
from dataclasses import dataclass
from typing import Any

from websockets.asyncio.client import ClientConnection
from websockets.asyncio.connection import Connection
from websockets.asyncio.server import ServerConnection
from websockets.datastructures import Headers
from websockets.frames import Frame, Opcode

from darkswap_browser.errors import MalformedMessage
from darkswap_browser.runtime.base.links import AdmittedLink, LinkGate
from darkswap_browser.runtime.native.proxy import forwarded_for, parse_proxy_header

PIECE = 16 * 1024
"""Bytes parsed at once …"""
DENSE_PIECE = 1024
"""… and where the piece before held many frames: 150 of one byte, 2 ms."""
MANY_FRAMES = 64
"""In one piece, after which others have their turn first."""
FRAME_RATE, FRAME_BURST = 2000.0, 4000.0
"""Small frames of one connection a second, and at once: peers of ours send one for everything written in a turn, and
two nodes on one machine make 700 round trips a second through a relay."""
FAIR_RATE, FAIR_BURST = 200.0, 1000.0
"""The same while all connections together have more than they may."""
LOOK_AGAIN = 1.0
"""Seconds after which whoever had more than its fair share may try again."""
TOTAL_RATE, TOTAL_BURST = 8000.0, 16_000.0
"""Of all connections: a quarter of what the host can handle."""
ADDRESS_RATE, ADDRESS_BURST = 4000.0, 6000.0
"""Of all connections of one address, where addresses are counted: its connections have one burst, not one each."""
SMALL = 1024
"""Bytes from which a frame pays for itself."""
CONTROL_RATE, CONTROL_BURST = 1.0, 60.0
"""Pings and pongs: pages cannot send any, servers and proxies send one in 10 s or more."""
HEADER_SECONDS = 15.0
"""For the first bytes from a proxy: as long as for the whole upgrade."""
REFUSAL = 0.1
"""Seconds for a refusal in HTTP to leave."""
MOST_UNSENT = 1024 * 1024
"""Bytes in the send buffer of a link whose peer takes nothing; its writers stop at a quarter of that."""


class FrameBucket:
    """Small frames: `burst` at once, then `rate` a second. Spending goes below zero."""

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self._rate = rate
        self._burst = burst
        self._level = burst
        self._at = now

    def spend(self, count: float, now: float) -> None:
        self._level = min(self._burst, self._level + (now - self._at) * self._rate) - count
        self._at = now

    @property
    def debt(self) -> float:
        """Seconds until nothing is owed, as of the last `spend`."""
        return max(-self._level, 0.0) / self._rate


class FrameBudget:
    """Small frames of a host's connections: of all of them, and of those of one address."""

    def __init__(self, now: float) -> None:
        self.total = FrameBucket(TOTAL_RATE, TOTAL_BURST, now)
        self._shares: weakref.WeakValueDictionary[str, FrameBucket] = weakref.WeakValueDictionary()
        """As long as a connection of the address is there."""

    def share(self, source: str, now: float) -> FrameBucket:
        found = self._shares.get(source)
        if found is None:
            found = self._shares[source] = FrameBucket(ADDRESS_RATE, ADDRESS_BURST, now)
        return found


class Metered(Connection):
    """What both ends have in common. Reading stops for two reasons, each by itself: the queue of messages is full, or
    a part of what was read is not parsed yet.

    While the host's budget is spent each connection has a fair share.
    """

    budget: FrameBudget

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._unparsed = b""
        self._again: asyncio.TimerHandle | asyncio.Handle | None = None
        self._queue_is_full = False
        self._frames = 0
        self._cost = 0.0
        self._piece = DENSE_PIECE
        self._share: FrameBucket | None = None
        now = self.loop.time()
        self._own = FrameBucket(FRAME_RATE, FRAME_BURST, now)
        self._fair = FrameBucket(FAIR_RATE, FAIR_BURST, now)
        self._control = FrameBucket(CONTROL_RATE, CONTROL_BURST, now)
        super().connection_made(transport)
        self.recv_messages.pause = self._queue_full
        self.recv_messages.resume = self._queue_has_room

    def connection_lost(self, exc: Exception | None) -> None:
        self._unparsed = b""
        if self._again is not None:
            self._again.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._unparsed += data
        if self._again is None:
            self._parse()

    def process_event(self, event: object) -> None:
        if isinstance(event, Frame):
            self._frames += 1
            self._cost += max(1 - len(event.data) / SMALL, 0)
            if event.opcode in (Opcode.PING, Opcode.PONG):
                self._control.spend(1, self.loop.time())
        super().process_event(event)  # type: ignore[arg-type]

    # --- in pieces

    def _parse(self) -> None:
        self._again = None
        data, self._unparsed = self._unparsed, b""
        at = 0
        wait = self._charge()
        while at < len(data) and not wait:
            self._frames = 0
            end = at + self._piece
            super().data_received(data[at:end])
            at = end
            if self._control.debt or self.transport.get_write_buffer_size() > MOST_UNSENT:
                self.transport.abort()
                return
            wait = self._charge()
            is_dense = self._frames > MANY_FRAMES
            self._piece = DENSE_PIECE if is_dense else PIECE
            if is_dense and at < len(data):
                break
        self._unparsed = data[at:]
        if self._unparsed or wait:
            self._go_on_after(wait)
        elif not self._queue_is_full and not self.transport.is_closing():
            self.transport.resume_reading()

    def _charge(self) -> float:
        """Pay for what was parsed; how many seconds to wait before more is."""
        now, cost, self._cost = self.loop.time(), self._cost, 0.0
        total, share = self.budget.total, self._share
        for bucket in (self._own, self._fair, total):
            bucket.spend(cost, now)
        wait = max(self._own.debt, min(self._fair.debt, LOOK_AGAIN) if total.debt else 0.0)
        if share is not None:
            share.spend(cost, now)
            wait = max(wait, share.debt)
        return wait

    def _go_on_after(self, seconds: float) -> None:
        self.transport.pause_reading()
        self._again = self.loop.call_later(seconds, self._parse) if seconds else self.loop.call_soon(self._parse)

    # --- the queue of messages

    def _queue_full(self) -> None:
        self._queue_is_full = True
        self.transport.pause_reading()

    def _queue_has_room(self) -> None:
        self._queue_is_full = False
        if self._again is None:
            self.transport.resume_reading()


class MeteredClient(Metered, ClientConnection):
    """The dialling end."""

    def __init__(self, *args: Any, budget: FrameBudget, **options: Any) -> None:
        super().__init__(*args, **options)
        self.budget = budget


@dataclass(slots=True)
class _Awaited:
    """A link of a proxy before its first bytes, which may be a PROXY header."""

    transport: asyncio.Transport
    patience: asyncio.TimerHandle
    header: bytes = b""


class MeteredServer(Metered, ServerConnection):
    """The listening end. `gate` counts it from the first moment, and says whose word of the client counts."""

    def __init__(self, *args: Any, budget: FrameBudget, gate: LinkGate | None = None, **options: Any) -> None:
        super().__init__(*args, **options)
        self.budget = budget
        self._gate = gate
        self._admitted: AdmittedLink | None = None
        self._awaited: _Awaited | None = None
        self._has_begun = False
        self.client_ip = ""
        """Of the client, as far as a trusted proxy says who that is; empty for a socket that is already gone."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.client_ip = socket_ip(transport.get_extra_info("peername"))
        if self._gate is not None:
            self._admitted = self._gate.enter(self.client_ip, transport.abort)
            if self._admitted is None:
                transport.abort()
                return
            if self._gate.trusts(self.client_ip):
                # Until it is known who is there the library does not hear of it: a refusal costs a task less.
                self._awaited = _Awaited(transport, self.loop.call_later(HEADER_SECONDS, transport.abort))
                return
        self._begin(transport)

    def _begin(self, transport: asyncio.Transport) -> None:
        self._has_begun = True
        super().connection_made(transport)
        self._count_by_address()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._admitted is not None:
            self._admitted.leave()
        if self._awaited is not None:
            self._awaited.patience.cancel()
        if self._has_begun:
            super().connection_lost(exc)

    def eof_received(self) -> None:
        if self._has_begun:
            super().eof_received()

    def data_received(self, data: bytes) -> None:
        if (awaited := self._awaited) is not None:
            awaited.header += data
            try:
                header = parse_proxy_header(awaited.header)
            except MalformedMessage:
                awaited.transport.abort()
                return
            if header is None:
                return
            awaited.patience.cancel()
            self._awaited = None
            if header.ip is not None and not self.identify(header.ip):
                awaited.transport.abort()
                return
            self._begin(awaited.transport)
            data = awaited.header[header.size :]
        if data and self._has_begun:
            super().data_received(data)

    def forwarded(self, headers: Headers) -> bool:
        """Heed `X-Forwarded-For`, where a trusted proxy wrote it. False: the client has to go."""
        gate = self._gate
        if gate is None:
            return True
        if not gate.trusts(self.client_ip):
            if "X-Forwarded-For" in headers:
                gate.ignored(self.client_ip)
            return True
        ip = forwarded_for(headers.get_all("X-Forwarded-For"), gate.trusts)
        if ip is None or self.identify(ip):
            return True
        # While the refusal leaves it takes nobody's place, and it may not wait for its client to close as well.
        if self._admitted is not None:
            self._admitted.leave()
        self.loop.call_later(REFUSAL, self.transport.abort)
        return False

    def identify(self, ip: str) -> bool:
        self.client_ip = ip
        is_welcome = self._admitted is None or self._admitted.identify(ip)
        self._count_by_address()
        return is_welcome

    def _count_by_address(self) -> None:
        source = None if self._admitted is None else self._admitted.source
        self._share = None if source is None else self.budget.share(source, self.loop.time())


def socket_ip(address: object) -> str:
    """IP text of a socket address, without an IPv6 zone; empty for a socket that is already gone."""
    return str(address[0]).partition("%")[0] if isinstance(address, tuple) and address else ""
