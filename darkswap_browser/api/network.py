"""The Python face: one node, from its configuration to messages with peers. The same on CPython and in a page."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Literal

from darkswap_browser.api.diagnosed_node import DiagnosedNode
from darkswap_browser.api.events import Subscriber
from darkswap_browser.api.manual_signaling import ManualSignaling
from darkswap_browser.api.records import (
    ChannelInfo,
    ConnectionInfo,
    ConnectionStats,
    PeerInfo,
    PeerSignal,
    RelayMetrics,
    RelayReservation,
)
from darkswap_browser.errors import InvalidArgument, StreamBusy
from darkswap_browser.identity.multiaddr import Multiaddr
from darkswap_browser.identity.peer_id import PeerId
from darkswap_browser.net.swarm import Swarm
from darkswap_browser.node.config import NetworkConfig
from darkswap_browser.node.connector import PeerConnector
from darkswap_browser.node.node import Node
from darkswap_browser.protocols.channels.channel import Channel
from darkswap_browser.protocols.channels.listener import ChannelState
from darkswap_browser.protocols.channels.messages import message_bytes
from darkswap_browser.protocols.channels.progress import Progress

MessageSink = Callable[[str, Sequence[bytes]], Awaitable[None] | None]
"""(peer, messages): takes what comes; when it returns an awaitable, that peer's next messages wait for it."""


SendUntil = Literal["accepted", "delivered"]


class Network(ManualSignaling, DiagnosedNode):
    """A node. Peers and relays are named by text: peer ids, or full multiaddrs of relays.

    Cheap to make; `start` (or the first call that needs it) brings it up, `stop` takes it down for good or for now.

    Identity, wallets, orders and trades are kept: in a page in IndexedDB, on CPython in a folder, which `data` names.
    Without it, that is the user's own, as of the command `darkswap`. With `persist` false CPython keeps nothing.

    Every call that needs the node raises what `start` raises. What a call says of its cancellation holds from when the
    node is up; before that it is as that of `start`.
    """

    _sink: MessageSink | None = None

    # --- who and where we are

    async def local_peer_id(self) -> str:
        """The node's own peer id. Cancellation: As `start`."""
        return str((await self._up()).swarm.local_peer)

    async def get_multiaddrs(self) -> tuple[str, ...]:
        """Where others reach us, each with our peer id; empty until we listen or a relay granted a reservation.

        Cancellation: As `start`.
        """
        swarm = (await self._up()).swarm
        return tuple(str(address.with_peer(swarm.local_peer)) for address in swarm.listen_addresses())

    async def swarm(self) -> Swarm:
        """The libp2p node itself: `handle` a protocol of your own, `new_stream` to a peer that speaks it.

        Cancellation: As `start`.
        """
        return (await self._up()).swarm

    async def relay(self) -> PeerConnector:
        """The part that meets peers at relays. Cancellation: As `start`."""
        return (await self._up()).circuits

    # --- relays

    async def add_relay(self, multiaddr: str) -> str:
        """Name a relay by its full multiaddr once; returns its peer id, which will do afterwards.

        Raises:
            InvalidArgument: It is no address of a relay, or none that can be dialled from here.

        Cancellation: As `start`.
        """
        return str((await self._up()).circuits.add_relay(multiaddr))

    async def add_peer(self, peer: str) -> None:
        """Make `peer` one of ours, as connecting, sending, receiving by its name and trading do.

        Other peers are strangers: they share a part of connections, direct links and memory, and go first.

        Raises:
            InvalidArgument: It is no peer id.

        Cancellation: As `start`.
        """
        (await self._up()).swarm.ours.add(PeerId.parse(peer))

    async def make_relay_reservation(self, relay: str) -> RelayReservation:
        """Reserve a slot; it is renewed until `disconnect(relay)`.

        Args:
            relay: A full multiaddr, or the peer id of a relay that is known.
        Raises:
            UnknownRelay: It was named by its peer id only.
            DialFailed, TimedOut, RelayRefused, VoucherInvalid, ProtocolUnsupported: There is none now, nor later.
            Aborted: `disconnect` gave it up meanwhile.

        Cancellation: Safe. The reservation is given up, unless it was kept before or another call waits for it.
        """
        return RelayReservation.of(await (await self._up()).circuits.make_reservation(relay))

    async def is_relay_reservation_valid(self, relay: str) -> bool:
        """Whether a reservation there stands now. Raises `UnknownRelay`. Cancellation: As `start`."""
        return (await self._up()).circuits.is_reservation_valid(relay, self.runtime.clock.now())

    async def get_relay_reservations(self) -> tuple[RelayReservation, ...]:
        """The reservations that stand now. Cancellation: As `start`."""
        return tuple(RelayReservation.of(held) for held in (await self._up()).circuits.reservations())

    async def connect_through_relay(self, relay: str, target: str) -> ConnectionInfo:
        """Meet `target` at `relay` and upgrade to a direct link; relayed where no other can be made.

        Raises:
            UnknownRelay, RelayRefused, DialFailed, TimedOut: The relay is not known, or the way did not come about.

        Cancellation: Safe. What is half made is dropped; a relayed connection that stands by then stays.
        """
        return ConnectionInfo.of(await (await self._up()).circuits.connect_through_relay(relay, target))

    async def connect(self, peer: str) -> ConnectionInfo:
        """Reach a peer through whatever relay or address is known; a full multiaddr is dialled as it is.

        Raises:
            NoAddress, DialFailed: No way is known, or each failed; the error names what each said.

        Cancellation: Safe. What is half made is dropped, unless another call waits for it; a relayed connection that
        stands by then stays.
        """
        built = await self._up()
        if isinstance(peer, str) and peer.startswith("/"):
            return ConnectionInfo.of(await built.swarm.dial_address(Multiaddr.parse(peer)))
        return ConnectionInfo.of(await built.circuits.connect(PeerId.parse(peer)))

    async def disconnect(self, peer: str) -> None:
        """Close every connection to a peer, its channel first; of a relay, give up the reservation too. Idempotent.

        Cancellation: The channel ends at once; connections and a reservation may still stand. Call it again.
        """
        built, target = await self._up(), PeerId.parse(peer)
        channel = built.channels.get(target)
        built.circuits.give_up(target)
        if channel is not None:
            await channel.close("disconnected")
        if target in built.client.relays:
            await built.client.release(target)
        await asyncio.gather(*(connection.close() for connection in built.swarm.connections(target)))

    async def get_metrics(self) -> RelayMetrics:
        """Counts of connections, bytes and messages. Cancellation: As `start`."""
        await self._up()
        return self._inspect().metrics()

    # --- channels

    async def open_channel(self, peer: str) -> Channel:
        """The channel with `peer`, opened now if it was not.

        Raises:
            TooManyRequests: There are too many channels.
            DarkSwapError: Why it could not be opened.

        Cancellation: Safe. The channel goes on opening, for whoever asks next.
        """
        return await (await self._up()).channels.open(PeerId.parse(peer))

    async def begin_channel(self, peer: str) -> Channel:
        """As `open_channel`, without waiting for the peer: what is sent waits too. Cancellation: As `start`."""
        return (await self._up()).channels.begin(PeerId.parse(peer))

    async def create_webrtc_data_channel(self, peer: str) -> ChannelInfo:
        """As `open_channel`, as a record. Cancellation: As `open_channel`."""
        channel = await self.open_channel(peer)
        return ChannelInfo(peer, channel.state, channel.path, channel.limit)

    def get_open_channel(self, peer: str) -> Channel | None:
        """The channel with `peer` if it takes messages at this moment: the way in without waiting."""
        built = self._lifecycle.running
        channel = built.channels.get(PeerId.parse(peer)) if built is not None else None
        return channel if channel is not None and channel.state is not ChannelState.CLOSED else None

    async def send_webrtc_message(
        self,
        peer: str,
        message: bytes | bytearray | memoryview,
        on_progress: Progress | None = None,
        *,
        until: SendUntil = "accepted",
        durable: bool = False,
    ) -> int:
        """Send a message; the channel is opened first if need be.

        Once accepted it is delivered once and in order, across changes of path, for as long as this node lives; or an
        event `message:undelivered` names its id. Both only where the peer ended between taking and acknowledging it.

        Args:
            on_progress: Called as the peer's side takes parts of the message.
            until: "accepted": queued, within a bound of what is not acknowledged. "delivered": the peer's application
                took it.
            durable: Keep the message in the store before it is accepted, and go on with it after a restart: at most
                1 MiB, and 16 MiB of all that are kept. One that was on its way when the process ended is told as
                undelivered at the next start, without its id.
        Returns:
            The message's id; those for one peer count up.
        Raises:
            MessageTooLarge: Nothing was sent.
            TooManyRequests, StorageError: It could not be kept, and was not accepted.
            MessageUndelivered: With "delivered": it was accepted and will not be sent any more.
            DarkSwapError: The peer was not reached within the channel's deadline, or it closed the channel.
        Cancellation: Before it is accepted, the message is not sent; afterwards it goes on.
        """
        if until not in ("accepted", "delivered"):
            raise InvalidArgument("until", f"is {until!r}", 'Say "accepted" or "delivered".')
        channel = self.get_open_channel(peer) or await self.begin_channel(peer)
        if durable:
            return await self.durable.send(channel, message, on_progress, delivered=until == "delivered")
        return await channel.send(message, on_progress, delivered=until == "delivered")

    async def send_urgent_webrtc_message(self, peer: str, message: bytes | bytearray | memoryview) -> None:
        """Send a short message that does not wait for those before it; the channel is opened first if need be.

        It travels on a stream of its own, is received before whatever waits there, and belongs to no order but that of
        urgent messages whose sending was awaited. It arrives once or not at all, and is not kept for another path.

        Args:
            message: At most 16 KiB.
        Raises:
            MessageTooLarge: Nothing was sent.
            ProtocolUnsupported: The peer does not know urgent messages.
            DarkSwapError: The peer was not reached or took none (64 of them wait for its application). After TimedOut
                and ConnectionLost it may have arrived.
        Cancellation: It may have been sent.
        """
        data = message_bytes(message)
        channel = self.get_open_channel(peer) or await self.begin_channel(peer)
        await channel.wait_open()
        built = await self._up()
        await built.urgent.send(PeerId.parse(peer), data)

    async def accept(self) -> Channel:
        """The next channel that a peer opened and nobody accepted yet. Raises `ObjectClosed` when the node stops.

        Cancellation: Safe; the channel waits for the next caller.
        """
        return await (await self._up()).channels.arrivals.accept()

    async def receive_webrtc_message(self, peer: str) -> bytes:
        """The next message of `peer`, who need not be there yet.

        Raises:
            EndOfStream: The peer closed the channel, and all that waited was received.
            StreamBusy: Another task receives from this peer, or a message sink does.
            ObjectClosed: The node stops.

        Cancellation: Safe; no message is lost.
        """
        return await (await self._channel_of(peer)).receive()

    async def receive_webrtc_messages(self, peer: str) -> list[bytes]:
        """At least one message of `peer`, and all that wait.

        Raises as `receive_webrtc_message`. Cancellation: Safe; no message is lost.
        """
        return await (await self._channel_of(peer)).delivery.receive_batch()

    async def _channel_of(self, peer: str) -> Channel:
        built, named = await self._up(), PeerId.parse(peer)
        built.swarm.ours.add(named)
        return await built.channels.arrivals.channel(named)

    async def __aiter__(self) -> AsyncIterator[tuple[str, bytes]]:
        """`async for peer, message in network`: those of all peers, until the node stops. What a loop that is left did
        not get waits. Raises `StreamBusy` while there is a sink."""
        built = await self._up()
        if self._sink is not None:
            raise StreamBusy()
        async for peer, message in built.channels.arrivals.messages():
            self._facts.flush()
            yield peer, message

    async def close_webrtc_data_channel(self, peer: str) -> None:
        """Deliver what was accepted, then close. Idempotent.

        Cancellation: The channel ends at once; what is not acknowledged is told by `message:undelivered`.
        """
        channel = (await self._up()).channels.get(PeerId.parse(peer))
        if channel is not None:
            await channel.close("closed by the peer")

    def set_message_sink(self, sink: MessageSink | None) -> None:
        """Every message of every peer goes to `sink` from now on; None: back to `receive_webrtc_message`."""
        self._sink = sink
        if (built := self._lifecycle.running) is not None:
            for channel in built.channels.all():
                self._attach_sink(channel)

    def _started(self, built: Node) -> None:
        super()._started(built)
        for channel in built.channels.all():
            if self._sink is not None:
                self._attach_sink(channel)

    def _channel_changed(self, channel: Channel) -> None:
        if self._sink is not None and channel.state is ChannelState.OPEN:
            self._attach_sink(channel)
        built = self._lifecycle.running
        if built is not None and channel.state is ChannelState.RECONNECTING:
            built.liveness.check_now()  # a dead connection to the relay would hold the search up
            if channel.link is not None:
                built.circuits.find_detour(PeerId.parse(channel.peer))
        if built is not None and channel.path == "relayed":
            built.circuits.upgrade_to_direct(PeerId.parse(channel.peer))

    def _attach_sink(self, channel: Channel) -> None:
        sink = self._sink
        if sink is None:
            channel.deliver_to(None)
            return

        def deliver(messages: Sequence[bytes]) -> Awaitable[None] | None:
            # What happened before these messages is told before them.
            self._facts.flush()
            return sink(channel.peer, messages)

        channel.deliver_to(deliver)

    # --- what is going on

    def subscribe(self, callback: Subscriber) -> Callable[[], None]:
        """Call `callback` with every `DarkSwapEvent`; returns how to stop it.

        In a page it is called without a stack to switch to, so that `run_sync` fails in it. A task that it begins may
        use it.
        """
        return self._facts.subscribe(callback)

    def subscribe_signals(self, callback: Callable[[PeerSignal], None]) -> Callable[[], None]:
        return self._facts.subscribe_signals(callback)

    async def get_peers(self) -> tuple[PeerInfo, ...]:
        """Everybody connected, and everybody with a channel. Cancellation: As `start`."""
        await self._up()
        return self._inspect().peers()

    async def get_connection_stats(self, peer: str) -> ConnectionStats:
        """Figures of the connections with a peer. Raises `NotConnected`. Cancellation: Safe; it only reads."""
        await self._up()
        return await self._inspect().stats(PeerId.parse(peer))

    async def ping(self, peer: str) -> float:
        """One round trip, in milliseconds.

        Raises:
            NotConnected, TimedOut, StreamError, ConnectionLost: No answer came.

        Cancellation: Safe; its stream is reset.
        """
        await self._up()
        return await self._inspect().ping(PeerId.parse(peer))

    def _make_other(self, config: NetworkConfig) -> Network:
        return Network(config, self.runtime, limits=self._limits)
