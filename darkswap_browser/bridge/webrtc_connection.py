"""The original low-level class: one RTCPeerConnection, one data channel, and a page that carries the signaling."""

from __future__ import annotations

import json
from typing import Protocol

from darkswap_browser.bridge.calls import CallDispatcher, JsBytes, JsCallbacks, ToJs
from darkswap_browser.concurrency.waiter import Waiter
from darkswap_browser.errors import ConnectionLost, DarkSwapError, InvalidArgument, StreamClosed
from darkswap_browser.net.limits import DEFAULT_LIMITS
from darkswap_browser.node.page_signaling import candidate, description
from darkswap_browser.runtime.base.webrtc import DataChannel, IceCandidate, RtcConfiguration, SessionDescription, WebRtc


class ConnectionCallbacks(JsCallbacks, Protocol):
    def candidate(self, text: str) -> None: ...

    def opened(self, label: str) -> None: ...

    def message(self, data: object) -> None: ...

    def closed(self) -> None: ...


class WebRtcConnection:
    """A `PeerConnectionListener` and a `DataChannelListener`."""

    def __init__(
        self, webrtc: WebRtc, configuration: RtcConfiguration, hooks: ConnectionCallbacks, to_js: ToJs
    ) -> None:
        self._hooks = hooks
        self._to_js = to_js
        self._host = webrtc.create_peer_connection(configuration, self)
        self._channel: DataChannel | None = None
        self._is_described = False
        self._early: list[IceCandidate] = []
        self._room = Waiter()
        self._calls = CallDispatcher(
            {
                "create_offer": self.create_offer,
                "create_answer": self.create_answer,
                "set_remote_description": self.set_remote_description,
                "add_ice_candidate": self.add_ice_candidate,
                "create_data_channel": self.create_data_channel,
                "close_data_channel": self.close_data_channel,
                "close": self.close,
            },
            hooks,
            to_js,
        )

    def call(self, number: int, name: str, arguments: str) -> None:
        self._calls.begin(number, name, arguments)

    def cancel(self, number: int) -> None:
        self._calls.cancel(number)

    async def create_offer(self) -> SessionDescription:
        offer = await self._host.create_offer()
        await self._host.set_local_description(offer)
        return offer

    async def create_answer(self) -> SessionDescription:
        answer = await self._host.create_answer()
        await self._host.set_local_description(answer)
        return answer

    async def set_remote_description(self, kind: str, sdp: str) -> None:
        if kind not in ("offer", "answer"):
            raise InvalidArgument("description.type", f"is {kind!r}", "One of offer, answer.")
        await self._host.set_remote_description(description("description", kind, sdp))
        self._is_described = True
        early, self._early = self._early, []
        for each in early:
            await self._host.add_ice_candidate(each)

    async def add_ice_candidate(self, text: str, mid: str | None = None, line: int | None = None) -> None:
        given = candidate("candidate", text, mid, line)
        if not self._is_described:
            self._early.append(given)
        elif given.candidate:
            await self._host.add_ice_candidate(given)

    async def create_data_channel(self, label: str) -> None:
        if self._channel is not None:
            raise InvalidArgument("label", "this connection has its data channel already")
        self._adopt(self._host.create_data_channel(label))

    def _adopt(self, channel: DataChannel) -> None:
        self._channel = channel
        channel.listen(self, DEFAULT_LIMITS.channel_low_water)
        if channel.ready_state == "open":
            self.opened()

    def send(self, number: int, js_data: JsBytes) -> None:
        """The reply says that the browser took the message and has room again."""
        channel = self._channel
        if channel is None or channel.ready_state != "open":
            self._calls.fail(number, StreamClosed())
            return
        try:
            channel.send(js_data.to_bytes())
        except DarkSwapError as error:
            self._calls.fail(number, error)
            return
        if channel.buffered_amount <= DEFAULT_LIMITS.channel_high_water:
            self._calls.done(number, None)
        else:
            self._calls.spawn(number, self._wait_for_room(number))

    async def _wait_for_room(self, number: int) -> None:
        await self._room.wait()
        if self._channel is None:
            raise ConnectionLost("data channel")
        self._calls.done(number, None)

    async def close_data_channel(self) -> None:
        if self._channel is not None:
            self._channel.close()

    async def close(self) -> None:
        self._host.close()

    # --- what the host tells

    def ice_candidate_error(self, url: str, code: int) -> None:
        """Not told: the page sees which candidates it got."""

    def ice_candidate(self, candidate: IceCandidate | None) -> None:
        if candidate is not None and candidate.candidate:
            shape = {
                "candidate": candidate.candidate,
                "sdpMid": candidate.sdp_mid,
                "sdpMLineIndex": candidate.sdp_m_line_index,
            }
            self._hooks.candidate(json.dumps(shape))

    def data_channel(self, channel: DataChannel) -> None:
        if self._channel is None:
            self._adopt(channel)
        else:
            channel.close()

    def state_changed(self, state: str) -> None:
        """The channel's own close says all that a page wants to know."""

    def opened(self) -> None:
        if self._channel is not None:
            self._hooks.opened(self._channel.label)

    def received(self, data: bytes) -> None:
        self._hooks.message(self._to_js(data))

    def drained(self) -> None:
        self._room.wake()

    def closed(self) -> None:
        self._channel = None
        self._room.wake()
        self._hooks.closed()
