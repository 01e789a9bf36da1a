"""A connection whose muxer is WebRTC itself: one data channel for each stream.

The same object is the `PeerConnectionListener` of its peer connection from the first moment, so that no channel and
no message is lost while the connection is still being negotiated: up to `early_channels` streams wait for `start`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from darkswap_browser.concurrency.tasks import result_of, wait_ended
from darkswap_browser.errors import ConnectionLost, DarkSwapError, TimedOut, TooManyRequests
from darkswap_browser.identity.multiaddr import Multiaddr
from darkswap_browser.identity.peer_id import PeerId
from darkswap_browser.net.connection import CircuitLimit, Direction, StreamHandler
from darkswap_browser.net.limits import Limits
from darkswap_browser.net.memory import MemoryBudget
from darkswap_browser.net.stream import Stream
from darkswap_browser.net.work import OPENING, WorkMeter, everybody
from darkswap_browser.runtime.base.webrtc import DataChannel, IceCandidate, PeerConnection, RtcConfiguration, WebRtc
from darkswap_browser.transports.webrtc.ice_report import IceReport
from darkswap_browser.transports.webrtc.sdp import max_payload
from darkswap_browser.transports.webrtc.send_budget import SendBudget
from darkswap_browser.transports.webrtc.stream import DataChannelStream

INIT_LABEL = "init"
"""The dialer's first channel, made only so that its offer describes a data transport. Never a stream."""

CandidateHandler = Callable[[IceCandidate | None], None]


class _Ignored:
    """Listener of a channel that carries nothing."""

    def __init__(self, on_closed: Callable[[], None] = lambda: None) -> None:
        self._on_closed = on_closed

    def opened(self) -> None: ...

    def received(self, data: bytes) -> None: ...

    def drained(self) -> None: ...

    def closed(self) -> None:
        self._on_closed()


class DataChannelConnection:
    """A `Connection`. Made before the peers can reach each other; `wait_connected` tells when they can.

    `agent_of` names the peer's software as identify told it ("" while unknown): rust wants its FIN_ACKs late.
    """

    def __init__(
        self,
        webrtc: WebRtc,
        configuration: RtcConfiguration,
        limits: Limits,
        *,
        remote_peer: PeerId,
        remote_addr: Multiaddr,
        direction: Direction,
        on_candidate: CandidateHandler,
        transport: str = "webrtc",
        agent_of: Callable[[PeerId], str] = lambda _: "",
        is_ours: Callable[[], bool] = everybody,
        memory: MemoryBudget | None = None,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self.remote_peer = remote_peer
        self.remote_addr = remote_addr
        self.direction = direction
        self.opened_at = self._loop.time()
        self._transport = transport
        self._limits = limits
        self.on_candidate = on_candidate
        self._remote_sdp = ""
        self.ice = IceReport(configuration)
        self._through_turn = False
        self.on_disconnected: Callable[[], None] = lambda: None
        """Called when the path is gone, at the latest `disconnected_grace` before the connection is given up."""
        self._agent_of = agent_of
        self._account = (memory or MemoryBudget(limits)).account(is_ours)
        self._work = WorkMeter(limits, is_ours, self._loop.time)
        self._streams: set[DataChannelStream] = set()
        self._early: list[DataChannelStream] = []
        self._on_stream: StreamHandler | None = None
        self._budget = SendBudget(limits.connection_high_water)
        self._past_sent = 0
        self._past_received = 0
        self._connected: asyncio.Future[None] = self._loop.create_future()
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self._close_reason = ""
        self._is_closing = False
        self._grace: asyncio.TimerHandle | None = None
        self._init: DataChannel | None = None
        self._has_peers_init = False
        """One is kept; each costs the host memory, and another has no use."""
        self.peer_connection: PeerConnection = webrtc.create_peer_connection(configuration, self)

    def __repr__(self) -> str:
        state = "closed" if self.is_closed else self.peer_connection.connection_state
        return f"<{self._transport} {self.direction} {self.remote_peer}: {state}, {self.streams} streams>"

    # --- Connection

    @property
    def transport(self) -> str:
        return self._transport

    @property
    def limit(self) -> CircuitLimit | None:
        return None

    @property
    def streams(self) -> int:
        return len(self._streams)

    @property
    def is_closed(self) -> bool:
        return self._ended.done()

    @property
    def close_reason(self) -> str:
        return self._close_reason

    def start(self, on_stream: StreamHandler) -> None:
        self._on_stream = on_stream
        early, self._early = self._early, []
        for stream in early:
            on_stream(stream)

    async def open_stream(self) -> Stream:
        self._check_open()
        stream = self._attach(self.peer_connection.create_data_channel(""))
        try:
            await stream.wait_open()
        except asyncio.CancelledError:
            stream.reset()
            raise
        return stream

    async def close(self) -> None:
        """What was written is acknowledged first, for at most `close_timeout`. Idempotent: waits for the same end.

        Cancellation: Safe; the connection is then dropped at once.
        """
        if self.is_closed:
            return
        if self._is_closing:
            await self.wait_closed()
            return
        self._is_closing = True
        try:
            for stream in list(self._streams):
                await stream.close()
            # The host drops what is not yet acknowledged.
            flushing = [stream.flushed for stream in self._streams]
            if flushing and self.peer_connection.connection_state == "connected":
                await asyncio.wait(flushing, timeout=self._limits.close_timeout)
        finally:
            self._end("")

    def abort(self) -> None:
        self._end("aborted")

    async def wait_closed(self) -> None:
        await wait_ended((self._ended,))

    def stats(self) -> Mapping[str, Any]:
        return {
            "bytes_sent": self._past_sent + sum(stream.bytes_sent for stream in self._streams),
            "bytes_received": self._past_received + sum(stream.bytes_received for stream in self._streams),
            "streams": self.streams,
            "state": "closed" if self.is_closed else self.peer_connection.connection_state,
        }

    async def path(self) -> Mapping[str, Any]:
        """How the packets go now: `rtt` (seconds), `local_candidate`, `remote_candidate` (types), `protocol`."""
        path = selected_path(() if self.is_closed else await self.peer_connection.stats())
        if path:
            self._through_turn = "relay" in (path["local_candidate"], path["remote_candidate"])
        return path

    @property
    def through_turn(self) -> bool:
        """Whether a TURN server carried the packets when `path` was last asked."""
        return self._through_turn

    async def note_path(self) -> None:
        """See whether a TURN server carries the packets, where one may."""
        if self.ice.has_turn:
            await self.path()

    # --- negotiation

    @property
    def remote_sdp(self) -> str:
        """As last described; empty before."""
        return self._remote_sdp

    @remote_sdp.setter
    def remote_sdp(self, sdp: str) -> None:
        self._remote_sdp = sdp
        self._budget.max_payload = max_payload(sdp)
        self.ice.describe_remote(sdp)

    async def wait_connected(self) -> None:
        """Until connectionState is "connected" (again). Raises `ConnectionLost`; `disconnected` is only a pause."""
        await result_of(self._connected)

    def create_first_stream(self) -> DataChannelStream:
        """A stream made before the offer, which describes a data transport because of it; writes wait for it to open.

        Its opening travels with SCTP's first packets, where `open_stream` on a finished connection begins after them.
        """
        return self._attach(self.peer_connection.create_data_channel(""))

    def create_init_channel(self) -> None:
        """Describe a data transport in the next offer; `close_init_channel` ends it once connected."""
        self._init = self.peer_connection.create_data_channel(INIT_LABEL)
        self._init.listen(_Ignored(), 0)

    def close_init_channel(self) -> None:
        if self._init is not None:
            self._init.close()
            self._init = None

    # --- PeerConnectionListener

    def ice_candidate(self, candidate: IceCandidate | None) -> None:
        if candidate is not None:
            self.ice.add_local(candidate.candidate)
        self.on_candidate(candidate)

    def ice_candidate_error(self, url: str, code: int) -> None:
        self.ice.add_error(url, code)

    def data_channel(self, channel: DataChannel) -> None:
        self._spend(OPENING)
        if channel.label == INIT_LABEL and not self._has_peers_init:
            self._has_peers_init = True
            channel.listen(_Ignored(), 0)
            return
        full = channel.label == INIT_LABEL or len(self._streams) >= self._limits.webrtc_channels
        if self.is_closed or full or (self._on_stream is None and len(self._early) >= self._limits.early_channels):
            channel.listen(_Ignored(), 0)
            channel.close()
            return
        stream = self._attach(channel)
        if self._on_stream is None:
            self._early.append(stream)
        else:
            self._on_stream(stream)

    def state_changed(self, state: str) -> None:
        if self.is_closed:
            return
        if state == "connected":
            self._stop_grace()
            if not self._connected.done():
                self._connected.set_result(None)
        elif state == "disconnected" and self._connected.done():
            self._connected = self._loop.create_future()
            self._grace = self._loop.call_later(self._limits.disconnected_grace, self._end, "no path for too long")
            self.on_disconnected()
        elif state == "failed":
            self._end("no path between the peers")
        elif state == "closed":
            self._end("closed by the peer")

    def _stop_grace(self) -> None:
        if self._grace is not None:
            self._grace.cancel()
            self._grace = None

    # --- streams

    def _check_open(self) -> None:
        if self.is_closed or self._is_closing:
            raise ConnectionLost("WebRTC connection", self._close_reason or "closed")
        if len(self._streams) >= self._limits.webrtc_channels:
            raise TooManyRequests("data channels", self._limits.webrtc_channels)

    def _attach(self, channel: DataChannel) -> DataChannelStream:
        stream = DataChannelStream(
            channel,
            self._budget,
            self._limits,
            prompt_ack=not self._agent_of(self.remote_peer).startswith("rust-libp2p"),
            on_over=self._stream_over,
            on_work=self._spend,
            account=self._account,
        )
        if not stream.is_gone:
            self._streams.add(stream)
        return stream

    def _spend(self, frames: int) -> None:
        """The browser empties SCTP's window by itself, so whoever sends more than we can handle cannot be made to
        wait."""
        if not self._work.spend(frames):
            self._end("the peer sends more frames than this node handles")

    def _stream_over(self, stream: DataChannelStream) -> None:
        if stream in self._streams:
            self._streams.discard(stream)
            self._past_sent += stream.bytes_sent
            self._past_received += stream.bytes_received

    def _end(self, reason: str) -> None:
        if self.is_closed:
            return
        self._close_reason = reason
        self._ended.set_result(None)
        self._stop_grace()
        error: DarkSwapError = ConnectionLost("WebRTC connection", reason or "closed")
        if not self._connected.done():
            self._connected.set_exception(error)
            # Nobody may be waiting any more; asyncio must not complain that nobody looked.
            self._connected.exception()
        for stream in list(self._streams):
            stream.connection_lost(error)
        self._account.close()
        self.peer_connection.close()


async def connect_within(connection: DataChannelConnection, seconds: float) -> None:
    """`wait_connected` with a deadline. Raises `TimedOut` or `ConnectionLost`."""
    try:
        async with asyncio.timeout(seconds):
            await connection.wait_connected()
    except TimeoutError:
        raise TimedOut("finding a direct path (ICE)", seconds) from None


def selected_path(rows: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The nominated candidate pair among getStats() rows; empty when there is none."""
    by_id = {row.get("id"): row for row in rows}
    transport = next((row for row in rows if row.get("type") == "transport"), {})
    pair = by_id.get(transport.get("selectedCandidatePairId"))
    if pair is None:
        # Firefox has no transport row; it marks the pair itself.
        pairs = [row for row in rows if row.get("type") == "candidate-pair"]
        pair = next((row for row in pairs if row.get("selected") or row.get("nominated")), None)
    if pair is None:
        return {}
    local, remote = by_id.get(pair.get("localCandidateId"), {}), by_id.get(pair.get("remoteCandidateId"), {})
    return {
        "rtt": pair.get("currentRoundTripTime"),
        "local_candidate": local.get("candidateType"),
        "remote_candidate": remote.get("candidateType"),
        "protocol": local.get("protocol"),
        "transport_bytes_sent": pair.get("bytesSent"),
        "transport_bytes_received": pair.get("bytesReceived"),
    }
