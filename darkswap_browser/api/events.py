"""Everything that happens in a node, told as `DarkSwapEvent`s in the shapes of darkswap.d.ts."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping

from darkswap_browser.api.records import ChannelInfo, ConnectionInfo, DarkSwapEvent, PeerSignal, RelayReservation
from darkswap_browser.api.serialization import plain
from darkswap_browser.concurrency.faults import FaultReporter, log_fault, subscriber_failed
from darkswap_browser.concurrency.notify import Subscribers
from darkswap_browser.concurrency.tasks import Tasks
from darkswap_browser.concurrency.waiter import Waiter
from darkswap_browser.errors import DarkSwapError, MalformedMessage
from darkswap_browser.identity.peer_id import PeerId
from darkswap_browser.net.connection import Connection
from darkswap_browser.net.events import (
    AddressesChanged,
    ConnectionClosed,
    ConnectionOpened,
    DialStep,
    DirectFailed,
    Event,
    PeerIdentified,
)
from darkswap_browser.node.node import Node
from darkswap_browser.protocols.channels.channel import Channel
from darkswap_browser.protocols.channels.listener import ChannelState
from darkswap_browser.protocols.channels.outbox import Undelivered
from darkswap_browser.protocols.relay.reservation_keeper import (
    ReservationEvent,
    ReservationFailed,
    ReservationGranted,
    ReservationLost,
)
from darkswap_browser.protocols.signaling.messages import SignalingEvent
from darkswap_browser.runtime.base.host import Runtime

Subscriber = Callable[[DarkSwapEvent], None]
MAX_SIGNALS = 256
"""Kept for `receive_webrtc_event` when nobody asks; the oldest go first."""


class EventPublisher:
    """Also the `ChannelListener` of every channel; `on_channel` is called after each change is told."""

    def __init__(self, runtime: Runtime, on_channel: Callable[[Channel], None]) -> None:
        self._runtime = runtime
        self._on_channel = on_channel
        self._subscribers = Subscribers[DarkSwapEvent](self._subscriber_failed)
        self._signal_subscribers = Subscribers[PeerSignal](
            lambda error, signal: self._callback_failed("a subscriber of signals", error)
        )
        self._signals: deque[PeerSignal] = deque(maxlen=MAX_SIGNALS)
        self._signal_waiter = Waiter()
        self._node: Node | None = None
        self._ends: list[Callable[[], None]] = []
        self.faults = FaultReporter()
        self.faults.listener = self._fault
        self.tasks = Tasks(self.faults.report)
        """They end with the node."""
        self._was_open: set[int] = set()
        self._connected: set[PeerId] = set()
        """Peers that were told to be connected."""
        self.closed_bytes_sent = 0
        self.past_received = 0
        """Bytes of connections that are gone."""

    # --- subscribers

    def subscribe(self, callback: Subscriber) -> Callable[[], None]:
        return self._subscribers.subscribe(callback)

    def subscribe_signals(self, callback: Callable[[PeerSignal], None]) -> Callable[[], None]:
        return self._signal_subscribers.subscribe(callback)

    def publish(self, kind: str, fields: Mapping[str, object] | object) -> None:
        if self._subscribers:
            shape = plain(fields)
            event = DarkSwapEvent(kind, self._runtime.clock.now(), shape if isinstance(shape, Mapping) else {})
            self._subscribers.publish(event)

    def flush(self) -> None:
        """Tell at once what was to be told from the loop's next turn."""
        self._subscribers.flush()

    def _subscriber_failed(self, error: BaseException, event: DarkSwapEvent) -> None:
        what = f"a subscriber of {event.type}"
        # Whoever raises when told of an error is not told of that: it would go on for ever.
        if event.type == "error":
            log_fault(what, error)
        else:
            self._callback_failed(what, error)

    def _callback_failed(self, what: str, error: BaseException) -> None:
        log_fault(what, error)
        self._report_error(subscriber_failed(what, error))

    def now(self) -> float:
        """Unix seconds."""
        return self._runtime.clock.now()

    # --- the node

    def attach(self, built: Node) -> None:
        """Begin to tell of a node that has just started."""
        self._node = built
        self.tasks = Tasks(self.faults.report)
        self._ends = [
            built.swarm.subscribe(self._event),
            built.client.subscribe(self._reservation_changed),
            self._runtime.lifecycle.subscribe(lambda word: self.publish("lifecycle", {"state": word})),
        ]
        for connection in built.swarm.connections():
            self._opened(connection)
        self.publish("node", {"state": "ready", "peer_id": str(built.swarm.local_peer)})

    def detach(self, built: Node) -> None:
        for end in self._ends:
            end()
        self.tasks.cancel()
        self._node = None
        self._was_open.clear()
        self._connected.clear()
        self.publish("node", {"state": "stopped", "peer_id": str(built.swarm.local_peer)})

    def _fault(self, what: str, error: BaseException) -> None:
        """Something went wrong in the background, in a task of ours."""
        if isinstance(error, DarkSwapError):
            self._report_error(error)
        else:
            message = f"{what} failed: {type(error).__name__}: {error}"
            self.publish("error", {"code": "INTERNAL", "message": message, "hint": "Please report it."})

    def _report_error(self, error: DarkSwapError) -> None:
        self.publish("error", {"code": error.code, "message": str(error), "hint": error.hint})

    # --- events of the swarm

    def _event(self, event: Event) -> None:
        match event:
            case ConnectionOpened(connection):
                self._opened(connection)
            case ConnectionClosed(connection, reason):
                self._closed(connection, reason)
            case PeerIdentified(peer, agent, _, addresses, _):
                texts = [str(address) for address in addresses]
                self.publish("peer:identify", {"peer_id": str(peer), "agent": agent, "addresses": texts})
            case AddressesChanged(addresses) if self._node is not None:
                own = self._node.swarm.local_peer
                self.publish("self:peer:update", {"addresses": [str(address.with_peer(own)) for address in addresses]})
            case DialStep(peer, step, detail):
                self.publish("dial:step", {"peer_id": str(peer or ""), "step": step, "detail": detail})
            case DirectFailed(peer, reason, detail, hint, local, remote):
                fields = {"reason": reason, "message": detail, "hint": hint or None, "local": local, "remote": remote}
                self.publish("direct:failed", {"peer_id": str(peer), **fields})
            case _:
                pass

    def _opened(self, connection: Connection) -> None:
        self.publish("connection:open", ConnectionInfo.of(connection))
        peer = connection.remote_peer
        if peer not in self._connected:
            self._connected.add(peer)
            self.publish("peer:connect", {"peer_id": str(peer)})

    def _closed(self, connection: Connection, reason: str) -> None:
        figures = connection.stats()
        self.closed_bytes_sent += int(figures.get("bytes_sent", 0))
        self.past_received += int(figures.get("bytes_received", 0))
        self.publish("connection:close", {**_shape(ConnectionInfo.of(connection)), "reason": reason})
        peer = connection.remote_peer
        if peer in self._connected and self._node is not None and not self._node.swarm.connections(peer):
            self._connected.remove(peer)
            self.publish("peer:disconnect", {"peer_id": str(peer)})

    def _reservation_changed(self, event: ReservationEvent) -> None:
        match event:
            case ReservationGranted(reservation):
                self.publish("relay:reserved", RelayReservation.of(reservation))
            case ReservationFailed(relay, error, retry_in):
                self.publish("relay:failed", {"relay_peer_id": str(relay), **_failure(error, retry_in)})
            case ReservationLost(relay, error, retry_in):
                self.publish("relay:lost", {"relay_peer_id": str(relay), **_failure(error, retry_in)})

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
        self.publish(kind, {**_shape(info), "reason": reason or None})
        self._on_channel(channel)

    def progressed(self, channel: Channel, received: int, total: int) -> None:
        self.publish("message:progress", {"peer_id": channel.peer, "received": received, "total": total})

    def undelivered(self, channel: Channel, messages: Undelivered) -> None:
        fields = {
            "peer_id": channel.peer,
            "count": messages.count,
            "ids": list(messages.ids),
            "maybe_delivered": messages.maybe_delivered,
        }
        self.publish("message:undelivered", fields)

    def set_aside(self, key: str, reason: str) -> None:
        """A record of the store could not be read."""
        hint = "What was kept there could not be read. Its bytes are still in the store, under quarantine/."
        self.publish("error", {"code": MalformedMessage.code, "message": f"{key}: {reason}", "hint": hint})

    def discarded(self, channel: Channel, count: int) -> None:
        self.publish("message:discarded", {"peer_id": channel.peer, "count": count})

    def signaled(self, peer: str, event: SignalingEvent) -> None:
        signal = PeerSignal(peer, event)
        self._signals.append(signal)
        self._signal_waiter.wake()
        self._signal_subscribers.publish(signal)

    async def next_signal(self) -> PeerSignal:
        """The oldest signal that nobody took. Cancellation: Safe; it waits for the next caller."""
        while not self._signals:
            await self._signal_waiter.wait()
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
