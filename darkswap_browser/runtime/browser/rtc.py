"""The page's own RTCPeerConnection and RTCDataChannel behind `runtime.base`.

A message costs few crossings: it is copied into one reused Uint8Array (`send` copies again before it returns) and out
of the event's ArrayBuffer, and is delivered from within the event.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import js
from pyodide.ffi import JsException, jsnull

from darkswap_browser.errors import (
    ConnectionLost,
    DarkSwapError,
    MalformedMessage,
    MessageTooLarge,
    StreamClosed,
    TooManyRequests,
    Unsupported,
)
from darkswap_browser.runtime.base.webrtc import (
    DataChannelListener,
    IceCandidate,
    PeerConnectionListener,
    RtcConfiguration,
    SessionDescription,
)
from darkswap_browser.runtime.browser.ffi import Handlers, js_object

_SEND_QUEUE = 16 * 1024 * 1024
"""Bytes on one channel at which Chrome's `send` throws."""
_SCRATCH = 64 * 1024
_KEPT_VIEWS = 64


class _Scratch:
    """Reused memory for outgoing messages; a view costs more than the copy, so views of usual lengths are kept."""

    def __init__(self) -> None:
        self._js_whole: Any = js.Uint8Array.new(_SCRATCH)
        self._js_views: dict[int, Any] = {}

    def put(self, data: bytes) -> Any:
        """A Uint8Array holding `data` until the next call."""
        size = len(data)
        js_view = self._js_views.get(size)
        if js_view is None:
            js_view = js.Uint8Array.new(size) if size > _SCRATCH else self._js_whole.subarray(0, size)
            if size <= _SCRATCH and len(self._js_views) < _KEPT_VIEWS:
                self._js_views[size] = js_view
        js_view.assign(data)
        return js_view


class BrowserDataChannel:
    """`on_gone` lets the connection forget the channel."""

    def __init__(self, js_channel: Any, scratch: _Scratch, on_gone: Callable[[BrowserDataChannel], None]) -> None:
        js_channel.binaryType = "arraybuffer"
        self._js_channel = js_channel
        self._js_send = js_channel.send
        self._put = scratch.put
        self._on_gone = on_gone
        self._label = str(js_channel.label)
        self._handlers: Handlers | None = None
        self._listener: DataChannelListener | None = None

    @property
    def label(self) -> str:
        return self._label

    @property
    def ready_state(self) -> str:
        return str(self._js_channel.readyState)

    @property
    def buffered_amount(self) -> int:
        return int(self._js_channel.bufferedAmount)

    def listen(self, listener: DataChannelListener, low_threshold: int) -> None:
        received = listener.received

        def on_message(js_event: Any) -> None:
            js_data = js_event.data
            received(js_data.encode() if isinstance(js_data, str) else js_data.to_bytes())

        self._listener = listener
        self._js_channel.bufferedAmountLowThreshold = low_threshold
        self._handlers = Handlers(
            self._js_channel,
            {
                "message": on_message,
                "open": lambda _: listener.opened(),
                "bufferedamountlow": lambda _: listener.drained(),
                "close": lambda _: self.ended(),
            },
        )

    def send(self, data: bytes) -> None:
        try:
            self._js_send(self._put(data))
        except JsException as error:
            raise _send_error(error, len(data)) from error

    def close(self) -> None:
        self._js_channel.close()

    def ended(self) -> None:
        """The channel's `close`, or that of its connection."""
        listener, self._listener = self._listener, None
        self.release()
        if listener is not None:
            listener.closed()

    def release(self) -> None:
        if self._handlers is not None:
            self._handlers.destroy()
            self._handlers = None
        self._on_gone(self)


def _send_error(error: JsException, size: int) -> DarkSwapError:
    if error.name == "OperationError":
        return TooManyRequests("bytes queued on a data channel", _SEND_QUEUE)
    if error.name == "TypeError":
        return MessageTooLarge(size, _SEND_QUEUE)
    return StreamClosed()


class BrowserPeerConnection:
    def __init__(self, js_connection: Any, listener: PeerConnectionListener) -> None:
        self._js_connection = js_connection
        self._listener = listener
        self._scratch = _Scratch()
        self._channels: set[BrowserDataChannel] = set()
        self._transport_handlers: Handlers | None = None
        self._is_closed = False
        self._handlers = Handlers(
            js_connection,
            {
                "icecandidate": self._on_candidate,
                "icecandidateerror": self._on_candidate_error,
                "datachannel": self._on_channel,
                "connectionstatechange": lambda _: self._on_state(),
            },
        )

    @property
    def connection_state(self) -> str:
        return "closed" if self._is_closed else str(self._js_connection.connectionState)

    @property
    def local_description(self) -> SessionDescription | None:
        js_description = self._js_connection.localDescription
        return None if js_description is jsnull else _description(js_description)

    def create_data_channel(self, label: str, *, negotiated_id: int | None = None) -> BrowserDataChannel:
        options = {} if negotiated_id is None else {"negotiated": True, "id": negotiated_id}
        with _errors("creating a data channel"):
            return self._adopt(self._js_connection.createDataChannel(label, js_object(options)))

    async def create_offer(self, *, ice_restart: bool = False) -> SessionDescription:
        with _errors("creating an offer"):
            return _description(await self._js_connection.createOffer(js_object({"iceRestart": ice_restart})))

    async def create_answer(self) -> SessionDescription:
        with _errors("creating an answer"):
            return _description(await self._js_connection.createAnswer())

    async def set_local_description(self, description: SessionDescription) -> None:
        with _errors("local SDP"):
            await self._js_connection.setLocalDescription(_js_description(description))
        self._watch_transport()

    async def set_remote_description(self, description: SessionDescription) -> None:
        with _errors("remote SDP", remote=True):
            await self._js_connection.setRemoteDescription(_js_description(description))
        self._watch_transport()

    async def add_ice_candidate(self, candidate: IceCandidate) -> None:
        init = {
            "candidate": candidate.candidate,
            "sdpMid": candidate.sdp_mid,
            "sdpMLineIndex": candidate.sdp_m_line_index,
            "usernameFragment": candidate.username_fragment,
        }
        # An absent member and a null one differ: without sdpMid and index Chrome throws, so the first section is meant.
        if candidate.sdp_mid is None and candidate.sdp_m_line_index is None:
            init["sdpMLineIndex"] = 0
        with _errors("ICE candidate", remote=True):
            await self._js_connection.addIceCandidate(js_object({k: v for k, v in init.items() if v is not None}))

    async def stats(self) -> Sequence[Mapping[str, Any]]:
        with _errors("connection statistics"):
            js_report = await self._js_connection.getStats()
        return [js_row.to_py() for js_row in js_report.values()]

    def close(self) -> None:
        if self._is_closed:
            return
        self._is_closed = True
        self._handlers.destroy()
        if self._transport_handlers is not None:
            self._transport_handlers.destroy()
        for channel in list(self._channels):
            channel.release()
        self._js_connection.close()

    def _adopt(self, js_channel: Any) -> BrowserDataChannel:
        channel = BrowserDataChannel(js_channel, self._scratch, self._channels.discard)
        self._channels.add(channel)
        return channel

    def _on_candidate(self, js_event: Any) -> None:
        js_candidate = js_event.candidate
        if js_candidate is jsnull:
            self._listener.ice_candidate(None)
            return
        self._listener.ice_candidate(
            IceCandidate(
                str(js_candidate.candidate),
                _or_none(js_candidate.sdpMid),
                _or_none(js_candidate.sdpMLineIndex),
                _or_none(js_candidate.usernameFragment),
            )
        )

    def _on_candidate_error(self, js_event: Any) -> None:
        self._listener.ice_candidate_error(str(js_event.url), int(js_event.errorCode))

    def _on_channel(self, js_event: Any) -> None:
        self._listener.data_channel(self._adopt(js_event.channel))

    def _on_state(self) -> None:
        self._listener.state_changed(self.connection_state)

    def _watch_transport(self) -> None:
        """A peer that closes says so in DTLS at once; connectionState would follow after many seconds."""
        js_sctp = self._js_connection.sctp
        if self._is_closed or js_sctp is jsnull or self._transport_handlers is not None:
            return
        js_transport = js_sctp.transport
        self._transport_handlers = Handlers(
            js_transport,
            {"statechange": lambda _: self._on_transport_state(str(js_transport.state))},
        )

    def _on_transport_state(self, state: str) -> None:
        if state in ("closed", "failed") and not self._is_closed:
            self._listener.state_changed("closed")


class BrowserWebRtc:
    @property
    def available(self) -> bool:
        return hasattr(js, "RTCPeerConnection")

    def create_peer_connection(
        self, configuration: RtcConfiguration, listener: PeerConnectionListener
    ) -> BrowserPeerConnection:
        if not self.available:
            raise Unsupported("WebRTC", "Run it in a page; workers have no RTCPeerConnection.")
        servers = [
            {
                key: value
                for key, value in (
                    ("urls", list(server.urls)),
                    ("username", server.username),
                    ("credential", server.credential),
                )
                if value is not None
            }
            for server in configuration.ice_servers
        ]
        policy = "relay" if configuration.relay_only else "all"
        with _errors("RTCPeerConnection"):
            js_connection = js.RTCPeerConnection.new(js_object({"iceServers": servers, "iceTransportPolicy": policy}))
        return BrowserPeerConnection(js_connection, listener)


def _or_none(value: Any) -> Any:
    return None if value is jsnull else value


def _description(js_description: Any) -> SessionDescription:
    return SessionDescription(str(js_description.type), str(js_description.sdp))


def _js_description(description: SessionDescription) -> Any:
    return js_object({"type": description.type, "sdp": description.sdp})


@contextmanager
def _errors(what: str, *, remote: bool = False) -> Iterator[None]:
    """The host's exceptions in our words: what the peer sent is malformed, anything else means that it is gone."""
    try:
        yield
    except JsException as error:
        if remote and error.name != "InvalidStateError":
            raise MalformedMessage(what, error.message) from error
        raise ConnectionLost(what, f"{error.name}: {error.message}") from error
