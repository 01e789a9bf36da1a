"""Everything that happens in a node, told as `NetworkEvent`s in the shapes of darkswap.d.ts."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from darkswap_browser.app.records import (
    ChannelInfo,
    ConnectionInfo,
    NetworkEvent,
    PeerSignal,
    RelayReservation,
    plain,
)
from darkswap_browser.app.stack import Stack
from darkswap_browser.errors import DarkSwapError
from darkswap_browser.net.connection import Connection
from darkswap_browser.net.events import (
    AddressesChanged,
    ConnectionClosed,
    ConnectionOpened,
    DialStep,
    Event,
    PeerIdentified,
)
from darkswap_browser.protocols.channels.channel import Channel, ChannelState
from darkswap_browser.protocols.relay.holding import (
    ReservationEvent,
    ReservationFailed,
    ReservationGranted,
    ReservationLost,
)
from darkswap_browser.protocols.signaling.messages import SignalingEvent
from darkswap_browser.runtime.base import Runtime

Subscriber = Callable[[NetworkEvent], None]
MAX_SIGNALS = 256
"""Kept for `receive_webrtc_event` when nobody asks; the oldest go first."""


class Facts:
    """Also the `ChannelListener` of every channel; `on_channel` is called after each change is told."""

    def __init__(self, runtime: Runtime, on_channel: Callable[[Channel], None]) -> None:
        self._runtime = runtime
        self._on_channel = on_channel
        self._subscribers: list[Subscriber] = []
        self._signal_subscribers: list[Callable[[PeerSignal], None]] = []
        self._signals: deque[PeerSignal] = deque(maxlen=MAX_SIGNALS)
        self._signal_waiter: asyncio.Future[None] | None = None
        self._stack: Stack | None = None
        self._ends: list[Callable[[], None]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._was_open: set[int] = set()
        self.past_sent = 0
        self.past_received = 0
        """Bytes of connections that are gone."""

    # --- subscribers

    def subscribe(self, callback: Subscriber) -> Callable[[], None]:
        self._subscribers.append(callback)
        return lambda: self._subscribers.remove(callback) if callback in self._subscribers else None

    def subscribe_signals(self, callback: Callable[[PeerSignal], None]) -> Callable[[], None]:
        self._signal_subscribers.append(callback)
        return lambda: self._signal_subscribers.remove(callback) if callback in self._signal_subscribers else None

    def tell(self, kind: str, fields: Mapping[str, object] | object) -> None:
        if self._subscribers:
            shape = plain(fields)
            event = NetworkEvent(kind, self._runtime.clock.now(), shape if isinstance(shape, Mapping) else {})
            for callback in list(self._subscribers):
                callback(event)

    def now(self) -> float:
        """Unix seconds."""
        return self._runtime.clock.now()

    # --- the node

    def watch(self, built: Stack) -> None:
        """Begin to tell of a node that has just started."""
        self._stack = built
        loop = asyncio.get_running_loop()
        before = loop.get_exception_handler()

        def unhandled(here: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
            error = context.get("exception")
            self.failed(error if isinstance(error, Exception) else RuntimeError(str(context.get("message"))))
            (before or asyncio.AbstractEventLoop.default_exception_handler)(here, context)

        loop.set_exception_handler(unhandled)

        def restore() -> None:
            if loop.get_exception_handler() is unhandled:
                loop.set_exception_handler(before)

        self._ends = [
            built.swarm.subscribe(self._event),
            built.client.subscribe(self._reservation_changed),
            self._runtime.lifecycle.subscribe(lambda word: self.tell("lifecycle", {"state": word})),
            restore,
        ]
        for connection in built.swarm.connections():
            self._opened(connection)
        self.tell("node", {"state": "ready", "peer_id": str(built.swarm.local_peer)})

    def unwatch(self, built: Stack) -> None:
        for end in self._ends:
            end()
        for task in list(self._tasks):
            task.cancel()
        self._stack = None
        self.tell("node", {"state": "stopped", "peer_id": str(built.swarm.local_peer)})

    def failed(self, error: Exception) -> None:
        """Something went wrong in the background."""
        known = isinstance(error, DarkSwapError)
        code, hint = (error.code, error.hint) if isinstance(error, DarkSwapError) else ("INTERNAL", "Please report it.")
        message = str(error) if known else f"{type(error).__name__}: {error}"
        self.tell("error", {"code": code, "message": message, "hint": hint})

    def spawn(self, work: Coroutine[object, object, None], name: str) -> asyncio.Task[None]:
        """A task that ends with the node; an error in it is told."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if isinstance(error, Exception):
            self.failed(error)

    # --- events of the swarm

    def _event(self, event: Event) -> None:
        match event:
            case ConnectionOpened(connection):
                self._opened(connection)
            case ConnectionClosed(connection, reason):
                self._closed(connection, reason)
            case PeerIdentified(peer, agent, _, addresses, _):
                texts = [str(address) for address in addresses]
                self.tell("peer:identify", {"peer_id": str(peer), "agent": agent, "addresses": texts})
            case AddressesChanged(addresses) if self._stack is not None:
                own = self._stack.swarm.local_peer
                self.tell("self:peer:update", {"addresses": [str(address.with_peer(own)) for address in addresses]})
            case DialStep(peer, step, detail):
                self.tell("dial:step", {"peer_id": str(peer or ""), "step": step, "detail": detail})
            case _:
                pass

    def _opened(self, connection: Connection) -> None:
        self.tell("connection:open", ConnectionInfo.of(connection))
        if self._stack is not None and len(self._stack.swarm.connections(connection.remote_peer)) == 1:
            self.tell("peer:connect", {"peer_id": str(connection.remote_peer)})

    def _closed(self, connection: Connection, reason: str) -> None:
        figures = connection.stats()
        self.past_sent += int(figures.get("bytes_sent", 0))
        self.past_received += int(figures.get("bytes_received", 0))
        self.tell("connection:close", {**_shape(ConnectionInfo.of(connection)), "reason": reason})
        if self._stack is not None and not self._stack.swarm.connections(connection.remote_peer):
            self.tell("peer:disconnect", {"peer_id": str(connection.remote_peer)})

    def _reservation_changed(self, event: ReservationEvent) -> None:
        match event:
            case ReservationGranted(reservation):
                self.tell("relay:reserved", RelayReservation.of(reservation))
            case ReservationFailed(relay, error, retry_in):
                self.tell("relay:failed", {"relay_peer_id": str(relay), **_failure(error, retry_in)})
            case ReservationLost(relay, error, retry_in):
                self.tell("relay:lost", {"relay_peer_id": str(relay), **_failure(error, retry_in)})

    # --- channels and signaling

    def changed(self, channel: Channel, reason: str) -> None:
        info = ChannelInfo(channel.peer, channel.state, channel.path, channel.limit)
        key = id(channel)
        if channel.state is ChannelState.CLOSED:
            kind = "channel:close"
            self._was_open.discard(key)
        elif channel.state is ChannelState.OPEN and key not in self._was_open:
            kind = "channel:open"
            self._was_open.add(key)
        else:
            kind = "channel:update"
        self.tell(kind, {**_shape(info), "reason": reason or None})
        self._on_channel(channel)

    def progressed(self, channel: Channel, received: int, total: int) -> None:
        self.tell("message:progress", {"peer_id": channel.peer, "received": received, "total": total})

    def signaled(self, peer: str, event: SignalingEvent) -> None:
        signal = PeerSignal(peer, event)
        self._signals.append(signal)
        if self._signal_waiter is not None and not self._signal_waiter.done():
            self._signal_waiter.set_result(None)
        for callback in list(self._signal_subscribers):
            callback(signal)

    async def next_signal(self) -> PeerSignal:
        while not self._signals:
            if self._signal_waiter is None or self._signal_waiter.done():
                self._signal_waiter = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._signal_waiter)
        return self._signals.popleft()


def _failure(error: DarkSwapError | None, retry_in: float | None) -> Mapping[str, object]:
    """Why a reservation is not there, and whether it is asked for again; `error` None: released on this side."""
    return {
        "code": None if error is None else error.code,
        "reason": "released" if error is None else str(error),
        "hint": None if error is None else error.hint,
        "retrying": retry_in is not None,
        "retry_in_ms": None if retry_in is None else round(retry_in * 1000),
    }


def _shape(record: object) -> Mapping[str, object]:
    shape = plain(record)
    return shape if isinstance(shape, Mapping) else {}
