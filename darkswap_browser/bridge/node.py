"""What darkswap.mjs calls: one object per `DarkSwapWasm`, one per `WebRtcConnection`. See `calls` for the manner.

Messages cross in batches: all that JavaScript sent in one moment in one call, all that one read brought in another.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol

from darkswap_browser.api.network import Network
from darkswap_browser.api.records import DarkSwapEvent, PeerSignal
from darkswap_browser.api.serialization import error_to_dict, to_json
from darkswap_browser.bridge.calls import CallDispatcher, JsBytes, JsCallbacks, Method, ToJs, pack, unpack
from darkswap_browser.bridge.webrtc_connection import ConnectionCallbacks, WebRtcConnection
from darkswap_browser.errors import DarkSwapError
from darkswap_browser.node.config import NetworkConfig, json_argument
from darkswap_browser.protocols.channels.channel import Channel
from darkswap_browser.protocols.channels.listener import ChannelState
from darkswap_browser.protocols.channels.machine import ChannelMachine
from darkswap_browser.runtime import select
from darkswap_browser.runtime.base.webrtc import SessionDescription
from darkswap_browser.version import VERSION

FIRST_ID = 2**20
"""More than the messages of one call."""
NO_CHANNEL = {"id": 2**53 - 1, "session": "", "first": 0, "heard": False, "earlier": "", "taken": 0}


class NodeCallbacks(JsCallbacks, Protocol):
    def accepted(self, call: int, answer: int) -> None:
        """The message of a call was accepted (`answer` as of `NodeBridge.send`); those behind it may go."""
        ...

    def messages(self, peer: str, data: object, count: int) -> bool:
        """Takes messages; true when the next ones of this peer are to wait for `NodeBridge.acknowledge_batch`."""
        ...

    def progress(self, call: int, done: int, total: int) -> None: ...

    def signal(self, peer: str, kind: str, text: str) -> None: ...

    def ask_tab(self, tab: str, number: int, text: str) -> None:
        """A question to another tab of the site, for `NodeBridge.told_by_tab`."""
        ...


class TabListener(Protocol):
    """What asked another tab."""

    def told(self, number: int, text: str) -> None: ...

    def tab_gone(self, tab: str) -> None: ...


def make_node(config: str, hooks: NodeCallbacks, epoch: int) -> NodeBridge | str:
    """A node, or the JSON of the error.

    Args:
        epoch: Number of the page among those that ran the identity's node, of which only the last may write; 0: it is
            the only one.
    """
    try:
        network = Network(NetworkConfig.from_mapping(config))
        if epoch:
            network.runtime.fence.guard(network.config.identity_name, epoch)
        return NodeBridge(network, hooks, select.bytes_to_js())
    except DarkSwapError as error:
        return json.dumps(error_to_dict(error))


def read_identity(config: str) -> str:
    """Name and persistence of a configuration's identity as JSON, or the JSON of the error."""
    try:
        read = NetworkConfig.from_mapping(config)
        return json.dumps({"name": read.identity_name, "persist": read.persist})
    except DarkSwapError as error:
        return json.dumps(error_to_dict(error))


def make_connection(configuration: str, hooks: ConnectionCallbacks) -> WebRtcConnection | str:
    """A `WebRtcConnection`, or the JSON of the error."""
    try:
        config = NetworkConfig.from_mapping({"network": json_argument("config", configuration)})
        return WebRtcConnection(select.load(persist=False).webrtc, config.rtc, hooks, select.bytes_to_js())
    except DarkSwapError as error:
        return json.dumps(error_to_dict(error))


def version() -> str:
    return VERSION


def _settled(machine: ChannelMachine) -> dict[str, object]:
    earlier, taken = machine.told
    outbox = machine.outbox
    return {
        "id": outbox.acknowledged_id,
        "session": machine.session.hex(),
        "first": outbox.session_first_id,
        "heard": bool(machine.peer_session),
        "earlier": earlier.hex(),
        "taken": taken,
    }


class NodeBridge:
    """Behind one `DarkSwapWasm`."""

    def __init__(self, network: Network, hooks: NodeCallbacks, to_js: ToJs) -> None:
        self._network = network
        self._hooks = hooks
        self._to_js = to_js
        self._calls = CallDispatcher(self._methods(), hooks, to_js)
        self._channels: dict[str, Channel] = {}
        self._busy: dict[str, asyncio.Future[None]] = {}
        self._end_events: Callable[[], None] | None = None
        self._end_signals: Callable[[], None] | None = None
        self.tab_listener: TabListener | None = None

    def _methods(self) -> dict[str, Callable[..., Awaitable[object]]]:
        network = self._network
        return {
            "start": network.start,
            "stop": network.stop,
            "local_peer_id": network.local_peer_id,
            "get_multiaddrs": network.get_multiaddrs,
            "add_relay": network.add_relay,
            "add_peer": network.add_peer,
            "make_webrtc_relay_reservation": network.make_relay_reservation,
            "is_webrtc_relay_reservation_valid": network.is_relay_reservation_valid,
            "get_active_webrtc_relay_reservations": network.get_relay_reservations,
            "connect_through_webrtc_relay": network.connect_through_relay,
            "disconnect_from_webrtc_relay": network.disconnect,
            "get_webrtc_relay_metrics": network.get_metrics,
            "send_urgent_webrtc_message": self._send_urgent,
            "create_webrtc_data_channel": network.create_webrtc_data_channel,
            "close_webrtc_data_channel": network.close_webrtc_data_channel,
            "send_webrtc_offer": network.send_webrtc_offer,
            "send_webrtc_answer": network.send_webrtc_answer,
            "send_webrtc_ice_candidate": network.send_webrtc_ice_candidate,
            "create_webrtc_connection": network.connect,
            "get_peers": network.get_peers,
            "get_connection_stats": network.get_connection_stats,
            "get_stats": network.get_stats,
            "diagnostic_names": self._diagnostic_names,
            "run_diagnostic": network.run_diagnostic,
            "create_report": network.create_report,
            "ping": network.ping,
        }

    async def _send_urgent(self, peer: str, data: str) -> None:
        """`data`: hexadecimal, as it is short."""
        await self._network.send_urgent_webrtc_message(peer, bytes.fromhex(data))

    async def _diagnostic_names(self) -> tuple[str, ...]:
        return self._network.diagnostic_names()

    @property
    def network(self) -> Network:
        return self._network

    def extend(self, methods: Mapping[str, Method]) -> None:
        """More methods for `call`."""
        self._calls.extend(methods)

    def call(self, number: int, name: str, arguments: str) -> None:
        self._calls.begin(number, name, arguments)

    def cancel(self, number: int) -> None:
        self._calls.cancel(number)

    # --- sending

    def send(self, number: int, peer: str, js_data: JsBytes, count: int) -> int:
        """How many of `count` packed messages were accepted at once, plus `FIRST_ID` times the id of the first; the
        reply has the ids of the others."""
        messages = unpack(js_data.to_bytes(), count)
        accepted = last = 0
        try:
            channel = self._channel(peer)
            if channel is not None:
                while accepted < count and (found := channel.try_send(messages[accepted])):
                    accepted += 1
                    last = found
        except DarkSwapError as error:
            self._calls.fail(number, error)
        else:
            if accepted < count:
                self._calls.spawn(number, self._send_rest(number, peer, messages[accepted:]))
        return accepted + FIRST_ID * (last - accepted + 1) if accepted else 0

    def send_with_progress(self, number: int, peer: str, js_data: JsBytes, delivered: bool, durable: bool) -> None:
        """One message whose progress is told, and that it was accepted; the reply has its id, once `delivered`."""
        data = js_data.to_bytes()
        self._calls.spawn(number, self._send_with_progress(number, peer, data, delivered=delivered, durable=durable))

    def _channel(self, peer: str) -> Channel | None:
        channel = self._channels.get(peer)
        if channel is None or channel.state is ChannelState.CLOSED:
            channel = self._network.get_open_channel(peer)
            if channel is not None:
                self._channels[peer] = channel
            else:
                self._channels.pop(peer, None)
        return channel

    async def _send_rest(self, number: int, peer: str, messages: list[bytes]) -> None:
        channel = self._channel(peer) or await self._network.begin_channel(peer)
        self._calls.done(number, await channel.sending.send_batch(messages))

    async def _send_with_progress(
        self, number: int, peer: str, message: bytes, *, delivered: bool, durable: bool
    ) -> None:
        def progress(done: int, total: int) -> None:
            self._hooks.progress(number, done, total)

        def accepted(found: int) -> None:
            self._hooks.accepted(number, 1 + FIRST_ID * found)

        channel = self._channel(peer) or await self._network.begin_channel(peer)
        if durable:
            sending = self._network.durable.send(channel, message, progress, delivered=delivered, on_accepted=accepted)
        else:
            sending = channel.sending.send(message, delivered=delivered, on_progress=progress, on_accepted=accepted)
        self._calls.done(number, await sending)

    def settled(self, peers: str) -> str:
        """What became of messages to each peer; of none while the node starts. JSON both ways.

        Returns:
            Peer → `id`, up to which all were delivered, or told not to be; `session` and `first`, the id of its first
            message; `heard`: the peer has said of an `earlier` session, or "", that it took its first `taken` messages.
        """
        self._network.flush_events()
        if not self._network.is_running:
            return "{}"
        found = {}
        for peer in json_argument("peers", peers):
            channel = self._network.get_open_channel(peer)
            found[peer] = NO_CHANNEL if channel is None else _settled(channel.machine)
        return json.dumps(found)

    # --- receiving

    def receive_batch(self, number: int, peer: str) -> None:
        """Every message of `peer` that waits, at least one."""
        self._calls.spawn(number, self._receive_batch(number, peer))

    async def _receive_batch(self, number: int, peer: str) -> None:
        self._calls.reply_messages(number, await self._network.receive_webrtc_messages(peer))

    def listen_messages(self, on: bool) -> None:
        self._network.set_message_sink(self._deliver if on else None)

    def _deliver(self, peer: str, messages: Sequence[bytes]) -> Awaitable[None] | None:
        batch = list(messages)
        if not self._hooks.messages(peer, self._to_js(pack(batch)), len(batch)):
            return None
        waiting = self._busy[peer] = asyncio.get_running_loop().create_future()
        return waiting

    def acknowledge_batch(self, peer: str) -> None:
        """The page is done with the last batch of `peer`."""
        waiting = self._busy.pop(peer, None)
        if waiting is not None and not waiting.done():
            waiting.set_result(None)

    # --- events

    def listen_events(self, on: bool) -> None:
        if self._end_events is not None:
            self._end_events()
        self._end_events = self._network.subscribe(self._event) if on else None

    def _event(self, event: DarkSwapEvent) -> None:
        self._hooks.event(to_json({"type": event.type, "at": event.at, **event.fields}))

    def listen_signals(self, on: bool) -> None:
        if self._end_signals is not None:
            self._end_signals()
        self._end_signals = self._network.subscribe_signals(self._signal) if on else None

    def _signal(self, signal: PeerSignal) -> None:
        event = signal.event
        if isinstance(event, SessionDescription):
            self._hooks.signal(signal.peer, event.type, json.dumps({"type": event.type, "sdp": event.sdp}))
            return
        shape = {"candidate": event.candidate, "sdpMid": event.sdp_mid, "sdpMLineIndex": event.sdp_m_line_index}
        self._hooks.signal(signal.peer, "candidate", json.dumps(shape))

    # --- other tabs

    def ask_tab(self, tab: str, number: int, text: str) -> None:
        self._hooks.ask_tab(tab, number, text)

    def told_by_tab(self, number: int, text: str) -> None:
        if self.tab_listener is not None:
            self.tab_listener.told(number, text)

    def tab_gone(self, tab: str) -> None:
        """None of its objects uses this node any more, or it does not answer."""
        if self.tab_listener is not None:
            self.tab_listener.tab_gone(tab)

    # --- the end

    def hand_over(self, number: int) -> object:
        """As `abandon`, with the channels: bytes for `take_up` of the page that goes on with the node. What it does not
        go on with is told before this returns."""
        handed = self._to_js(self._network.hand_over())
        self.free(number)
        return handed

    def take_up(self, js_data: JsBytes) -> str:
        """Before the first call: go on with the channels of the page that ran the node. Returns the JSON of the error,
        or nothing; the node then begins without them."""
        try:
            self._network.take_up(js_data.to_bytes())
        except DarkSwapError as error:
            return json.dumps(error_to_dict(error))
        return ""

    def abandon(self, number: int) -> None:
        """As `free`, when another page goes on with the node: without a word to anybody. Messages that were accepted
        and not acknowledged are told before this returns.
        """
        self._network.abandon()
        self.free(number)

    def leave(self, number: int) -> None:
        """As `abandon`, when the page is kept for a way back: peers are told so."""
        self._network.send_goodbye()
        self.abandon(number)

    def free(self, number: int) -> None:
        """Stop for good; the reply says that the proxy may go.

        A stop that is under way is joined. Nothing is sought or reserved from here on.
        """
        self._calls.cancel_all()
        self.listen_events(False)
        self.listen_signals(False)
        self.listen_messages(False)
        for waiting in self._busy.values():
            if not waiting.done():
                waiting.set_result(None)
        self._calls.begin(number, "stop", "[]")
