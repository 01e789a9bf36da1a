"""Simulated WebRTC: `RTCPeerConnection` in our words, matched by the SDP and candidates the two sides were given.

A connection comes up only when both sides applied each other's current credentials, one heard of a candidate that
leads to the other, a path carries it, and both fingerprints hold. As in a browser, callbacks come from the event
loop and never from within a call, and closing a connection fires no event on its own side.
"""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from darkswap_browser.errors import ConnectionLost, MalformedMessage, TooManyRequests, Unsupported
from darkswap_browser.runtime.base.webrtc import (
    DataChannel,
    IceCandidate,
    IceServer,
    PeerConnection,
    PeerConnectionListener,
    RtcConfiguration,
    SessionDescription,
)
from darkswap_browser.testing.network import SimulatedNetwork
from darkswap_browser.testing.webrtc.channel import MAX_CHANNELS, AssociationEnd, SimulatedDataChannel
from darkswap_browser.testing.webrtc.sdp import (
    IceCredentials,
    ParsedSdp,
    random_credentials,
    random_fingerprint,
    read_candidate,
    read_sdp,
    write_candidate,
    write_sdp,
)
from darkswap_browser.testing.webrtc.session import IceAgent, IceSession

HOST_GATHER_SECONDS = 0.001
SERVER_GATHER_SECONDS = 0.03
SILENT_SECONDS = 5.0
ICE_FAIL_SECONDS = 16.0
"""Checking ends in `failed` when no candidate pair answered."""


@dataclass(frozen=True, slots=True)
class TurnServer:
    username: str | None
    credential: str | None


class RtcWorld:
    """Every simulated peer connection, by the credentials that its peer must use."""

    def __init__(self, network: SimulatedNetwork, chance: random.Random) -> None:
        self.network = network
        self.chance = chance
        self.turn: dict[str, TurnServer] = {}
        self.connections: dict[int, SimulatedPeerConnection] = {}
        self._next = 0

    def add_turn(self, name: str, username: str | None = None, credential: str | None = None) -> None:
        """Make a host a TURN server; without a username it serves everybody."""
        self.network.add_host(name)
        self.turn[name] = TurnServer(username, credential)

    def add(self, connection: SimulatedPeerConnection) -> int:
        self._next += 1
        self.connections[self._next] = connection
        return self._next

    def remove(self, number: int) -> None:
        self.connections.pop(number, None)

    def find_peer(self, asking: SimulatedPeerConnection) -> SimulatedPeerConnection | None:
        """Who uses our credentials while we use theirs."""
        ours = asking.negotiated
        for connection in self.connections.values():
            theirs = connection.negotiated
            if connection is not asking and ours and theirs and (ours[0], ours[1]) == (theirs[1], theirs[0]):
                return connection
        return None

    def kill(self, host: str) -> None:
        for connection in list(self.connections.values()):
            if connection.agent.host == host:
                connection.close()

    def new_port(self) -> int:
        return self.chance.randrange(49152, 65536)


class SimulatedWebRtc:
    def __init__(self, world: RtcWorld, host: str) -> None:
        self._world = world
        self._host = host

    @property
    def available(self) -> bool:
        return True

    def create_peer_connection(
        self, configuration: RtcConfiguration, listener: PeerConnectionListener
    ) -> PeerConnection:
        return SimulatedPeerConnection(self._world, self._host, configuration, listener)


class SimulatedPeerConnection:
    def __init__(
        self, world: RtcWorld, host: str, configuration: RtcConfiguration, listener: PeerConnectionListener
    ) -> None:
        self._world = world
        self._configuration = configuration
        self._listener = listener
        self._loop = asyncio.get_running_loop()
        self._number = world.add(self)
        self._sdp_session = world.chance.getrandbits(62)
        self._state = "new"
        self._closed = False
        self._signaling = "stable"
        self._offered: IceCredentials | None = None
        """Ours, of a local description that is not answered yet or not made a description yet."""
        self._current: IceCredentials | None = None
        self._remote: ParsedSdp | None = None
        self._descriptions: dict[str, str] = {}
        """"local": type of the local description; the SDP is written anew with each candidate."""
        self._candidates: list[str] = []
        self._gathering = 0
        self._waiting: list[SimulatedDataChannel] = []
        self._made = 0
        self._ready = False
        self._fail_timer: asyncio.TimerHandle | None = None
        self._session: IceSession | None = None
        self.agent = IceAgent(host)
        self.fingerprint = random_fingerprint(world.chance)
        self.remote_fingerprint = ""
        self.association: AssociationEnd | None = None
        self.negotiated: tuple[IceCredentials, IceCredentials] | None = None
        """(ours, theirs) once an offer and its answer are applied."""

    @property
    def connection_state(self) -> str:
        return "closed" if self._closed else self._state

    @property
    def is_gone(self) -> bool:
        return self._closed

    @property
    def local_description(self) -> SessionDescription | None:
        kind = self._descriptions.get("local")
        credentials = self._offered or self._current
        if kind is None or credentials is None:
            return None
        return SessionDescription(kind, self._write(kind, credentials, tuple(self._candidates)))

    def create_data_channel(self, label: str, *, negotiated_id: int | None = None) -> DataChannel:
        self._judge_open()
        if negotiated_id is not None:
            raise Unsupported("a negotiated data channel")
        self._waiting = [channel for channel in self._waiting if channel.ready_state == "connecting"]
        if len(self._waiting) + (len(self.association) if self.association else 0) >= MAX_CHANNELS:
            raise TooManyRequests("data channels", MAX_CHANNELS)
        channel = SimulatedDataChannel(label, "connecting")
        self._made += 1
        if self._ready and self.association is not None:
            self.association.open(channel)
        else:
            self._waiting.append(channel)
        return channel

    async def create_offer(self, *, ice_restart: bool = False) -> SessionDescription:
        self._judge_open()
        if self._made == 0 and self._current is None:
            return SessionDescription("offer", write_sdp(self._sdp_session, "actpass", None, self.fingerprint))
        if self._current is None or ice_restart:
            return SessionDescription("offer", self._write("offer", random_credentials(self._world.chance)))
        return SessionDescription("offer", self._write("offer", self._current))

    async def create_answer(self) -> SessionDescription:
        self._judge_open()
        if self._signaling != "have-remote-offer" or self._remote is None:
            raise ConnectionLost("creating an answer", "InvalidStateError: there is no offer")
        # New credentials in the offer are an ICE restart: the answer has new ones too.
        kept = self._current if self.negotiated and self.negotiated[1] == self._remote.credentials else None
        return SessionDescription("answer", self._write("answer", kept or random_credentials(self._world.chance)))

    async def set_local_description(self, description: SessionDescription) -> None:
        self._judge_open()
        wanted = {"offer": ("stable", "have-local-offer"), "answer": ("have-remote-offer",)}.get(description.type, ())
        if self._signaling not in wanted:
            raise ConnectionLost("local SDP", f"InvalidStateError: {description.type} in state {self._signaling}")
        parsed = read_sdp(description.sdp)
        self._descriptions["local"] = description.type
        self._signaling = "stable" if description.type == "answer" else "have-local-offer"
        self._offered = parsed.credentials
        if parsed.credentials is not None and parsed.credentials != self._current:
            self._gather(parsed.credentials.ufrag)
        if self._signaling == "stable":
            self._settle()

    async def set_remote_description(self, description: SessionDescription) -> None:
        self._judge_open()
        if description.type not in ("offer", "answer"):
            raise MalformedMessage("SDP", f"has the type {description.type!r}")
        if description.type == "answer" and self._signaling != "have-local-offer":
            raise ConnectionLost("remote SDP", f"InvalidStateError: answer in state {self._signaling}")
        parsed = read_sdp(description.sdp)
        if description.type == "offer":
            self._offered = None  # an own offer not yet answered is rolled back, as browsers do
            self._descriptions.pop("local", None)
        if self._remote is None or parsed.credentials != self._remote.credentials:
            self.agent.remote.clear()
        self._remote = parsed
        self.remote_fingerprint = parsed.fingerprint or ""
        self.agent.remote |= set(parsed.candidates)
        self._signaling = "have-remote-offer" if description.type == "offer" else "stable"
        if self._signaling == "stable":
            self._settle()
        self._evaluate()

    async def add_ice_candidate(self, candidate: IceCandidate) -> None:
        self._judge_open()
        if self._remote is None:
            raise ConnectionLost("ICE candidate", "InvalidStateError: there is no remote description")
        if not candidate.candidate:
            return
        parsed = read_candidate(candidate.candidate.removeprefix("a="))
        credentials = self._remote.credentials
        ufrag = candidate.username_fragment or parsed.ufrag
        if credentials is None or (ufrag is not None and ufrag != credentials.ufrag):
            raise MalformedMessage("ICE candidate", "belongs to no section of the remote description")
        self.agent.remote.add(parsed)
        self._evaluate()

    async def stats(self) -> Sequence[Mapping[str, Any]]:
        sent = self.association.bytes_sent if self.association else 0
        received = self.association.bytes_received if self.association else 0
        rows: list[Mapping[str, Any]] = [
            {"id": "T01", "type": "transport", "bytesSent": sent, "bytesReceived": received, "dtlsState": self._state},
            {"id": "P", "type": "peer-connection", "dataChannelsOpened": self._made},
        ]
        if self._session is not None and self._session.hops:
            relayed = len(self._session.hops) > 2
            rows += [
                {
                    "id": "CP1",
                    "type": "candidate-pair",
                    "state": "succeeded",
                    "nominated": True,
                    "localCandidateId": "L1",
                    "remoteCandidateId": "R1",
                    "bytesSent": sent,
                    "bytesReceived": received,
                    "currentRoundTripTime": 2 * self._session.delay(),
                },
                {"id": "L1", "type": "local-candidate", "candidateType": "relay" if relayed else "host"},
                {"id": "R1", "type": "remote-candidate", "candidateType": "relay" if relayed else "host"},
            ]
        return rows

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._world.remove(self._number)
        self._stop_fail_timer()
        for channel in self._waiting:
            channel.drop()
        self._waiting.clear()
        if self._session is not None:
            self._session.closed_by(self)

    # --- what the session tells
    def enter(self, state: str) -> None:
        if self._closed or state == self._state:
            return
        self._state = state
        if state in ("connected", "failed"):
            self._stop_fail_timer()
        self._listener.state_changed(state)

    def peer_closed(self) -> None:
        """DTLS says so; the connection's own state notices only that nothing comes any more."""
        if self._closed:
            return
        if self.association is not None:
            self.association.peer_gone()
        self._listener.state_changed("closed")

    def incoming(self, channel: SimulatedDataChannel) -> None:
        if not self._closed:
            self._listener.data_channel(channel)

    def open_waiting(self) -> None:
        self._ready = True
        waiting, self._waiting = self._waiting, []
        for channel in waiting:
            if self.association is not None:
                self.association.open(channel)

    # --- own steps
    def _write(self, kind: str, credentials: IceCredentials, candidates: tuple[str, ...] = ()) -> str:
        setup = "actpass" if kind == "offer" else "active"
        return write_sdp(self._sdp_session, setup, credentials, self.fingerprint, candidates)

    def _judge_open(self) -> None:
        if self._closed:
            raise ConnectionLost("peer connection", "it was closed")

    def _settle(self) -> None:
        """An offer and its answer are both applied: from now on these credentials count."""
        ours, theirs = self._offered, self._remote.credentials if self._remote else None
        self._current, self._offered = ours, None
        if ours is None or theirs is None or self.negotiated == (ours, theirs):
            return
        self.negotiated = (ours, theirs)
        self._loop.call_soon(self._begin_checks)
        peer = self._world.find_peer(self)
        if peer is None:
            if self._session is not None:
                self._session.unmatched()
            return
        known = self._session
        if known is None:
            known = IceSession(self._world.network, self._world.chance, self, peer)
            self._session = peer._session = known
        known.matched(restarted=known.is_secured)

    def _begin_checks(self) -> None:
        if self._state == "new":
            self.enter("connecting")
        if self._fail_timer is None and self._state == "connecting":
            self._fail_timer = self._loop.call_later(ICE_FAIL_SECONDS, self.enter, "failed")

    def _stop_fail_timer(self) -> None:
        if self._fail_timer is not None:
            self._fail_timer.cancel()
            self._fail_timer = None

    def _evaluate(self) -> None:
        if self._session is not None:
            self._loop.call_soon(self._session.evaluate)

    def _gather(self, ufrag: str) -> None:
        self._candidates.clear()
        self.agent.local.clear()
        self.agent.moves = self._world.network.hosts[self.agent.host].moves
        self._gathering += 1
        steps: list[tuple[float, Callable[[], None]]] = []
        if not self._configuration.relay_only:
            name = f"{uuid.UUID(int=self._world.chance.getrandbits(128), version=4)}.local"
            steps.append((HOST_GATHER_SECONDS, self._offering("host", name, ufrag)))
        for server in self._configuration.ice_servers:
            steps += [(SERVER_GATHER_SECONDS, step) for url in server.urls if (step := self._ask(server, url, ufrag))]
        end = max((seconds for seconds, _ in steps), default=0.0) + HOST_GATHER_SECONDS
        for seconds, step in [*steps, (end, self._gathered)]:
            self._loop.call_later(seconds, self._gathering_step, self._gathering, step)

    def _gathering_step(self, gathering: int, step: Callable[[], None]) -> None:
        if not self._closed and gathering == self._gathering:
            step()

    def _gathered(self) -> None:
        self._listener.ice_candidate(None)

    def _ask(self, server: IceServer, url: str, ufrag: str) -> Callable[[], None] | None:
        """What a STUN or TURN server, if it is there and lets us in, adds to the candidates."""
        scheme, _, rest = url.partition(":")
        address = rest.partition("?")[0].partition(":")[0]
        network = self._world.network
        host = network.find(address, self.agent.host)
        if host is None or not network.is_up(self.agent.host, host.name):
            failing = partial(self._listener.ice_candidate_error, url, 701)
            self._loop.call_later(SILENT_SECONDS, self._gathering_step, self._gathering, failing)
            return None
        if scheme == "stun" and not self._configuration.relay_only:
            return self._offering("srflx", network.hosts[self.agent.host].ip, ufrag)
        turn = self._world.turn.get(host.name)
        if scheme not in ("turn", "turns") or turn is None:
            return None
        if turn.username is not None and (turn.username, turn.credential) != (server.username, server.credential):
            return partial(self._listener.ice_candidate_error, url, 401)
        return self._offering("relay", host.ip, ufrag, host.name)

    def _offering(self, kind: str, address: str, ufrag: str, relay_host: str | None = None) -> Callable[[], None]:
        def offer() -> None:
            port = self._world.new_port()
            # A server-reflexive address leads to the same socket as a host one.
            self.agent.local[address, port] = "relay" if kind == "relay" else "host"
            self.agent.relay_host = relay_host or self.agent.relay_host
            text = write_candidate(kind, address, port, ufrag)
            self._candidates.append(text)
            self._listener.ice_candidate(IceCandidate(text, "0", 0, ufrag))
            self._evaluate()

        return offer
