"""Looking at a running node: peers, figures of connections, metrics."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress

from darkswap_browser.api.events import EventPublisher
from darkswap_browser.api.records import (
    ConnectionInfo,
    ConnectionStats,
    NodeStats,
    PeerInfo,
    RelayMetrics,
    RelayState,
)
from darkswap_browser.errors import DarkSwapError, NotConnected
from darkswap_browser.identity.peer_id import PeerId
from darkswap_browser.net.connection import Connection, is_direct, path_of
from darkswap_browser.node.node import Node
from darkswap_browser.protocols.channels.channel import Channel
from darkswap_browser.transports.webrtc.connection import DataChannelConnection


class NodeInspector:
    def __init__(self, built: Node, facts: EventPublisher) -> None:
        self._node = built
        self._facts = facts
        self._loop = asyncio.get_running_loop()
        self._rtt: dict[PeerId, float] = {}
        self._began = self._loop.time()

    def metrics(self) -> RelayMetrics:
        swarm, relays = self._node.swarm, set(self._node.client.relays)
        open_ones = swarm.connections()
        best = [swarm.best_connection(peer) for peer in {each.remote_peer for each in open_ones} - relays]
        direct = sum(each is not None and is_direct(each) for each in best)
        figures = [each.stats() for each in open_ones]
        machines = [channel.machine for channel in self._node.channels.all()]
        return RelayMetrics(
            successful_connections=self._node.circuits.successful,
            failed_connections=self._node.circuits.failed,
            active_connections=len(best),
            reservations=len(self._node.client.reservations()),
            bytes_sent=self._facts.closed_bytes_sent + sum(int(each["bytes_sent"]) for each in figures),
            bytes_received=self._facts.past_received + sum(int(each["bytes_received"]) for each in figures),
            direct_connections=direct,
            relayed_connections=len(best) - direct,
            messages_sent=sum(machine.outbox.messages for machine in machines),
            messages_received=sum(machine.inbox.messages for machine in machines),
        )

    def peers(self) -> tuple[PeerInfo, ...]:
        """Everybody connected, and everybody with a channel that has not ended."""
        return tuple(self._peer(peer) for peer in self._present())

    def _present(self) -> Iterable[PeerId]:
        swarm, channels = self._node.swarm, self._node.channels
        named = [connection.remote_peer for connection in swarm.connections()]
        named += [PeerId.parse(channel.peer) for channel in channels.all() if channel.state != "closed"]
        return dict.fromkeys(named)

    async def node_stats(self) -> NodeStats:
        """Figures of the whole node. Cancellation: Safe; it only reads."""
        relays = tuple(self._node.client.relays)
        peers = []
        for peer in self._present():
            with suppress(NotConnected):  # it left meanwhile
                peers += [await self.stats(peer)] if peer not in relays else []
        return NodeStats(
            uptime_ms=round((self._loop.time() - self._began) * 1000),
            totals=self.metrics(),
            relays=tuple(map(self._relay, relays)),
            peers=tuple(peers),
        )

    def _relay(self, relay: PeerId) -> RelayState:
        client = self._node.client
        reserved, error = client.reservation(relay) is not None, client.last_error(relay)
        return RelayState(
            relay_peer_id=str(relay),
            connected=bool(self._node.swarm.connections(relay)),
            reserved=reserved,
            code=error.code if isinstance(error, DarkSwapError) and not reserved else None,
        )

    def _peer(self, peer: PeerId) -> PeerInfo:
        swarm = self._node.swarm
        connections = tuple(ConnectionInfo.of(each) for each in swarm.connections(peer))
        return PeerInfo(
            peer_id=str(peer),
            path=_path(self._in_use(peer)),
            channel=_state(self._node.channels.get(peer)),
            relay=peer in self._node.client.relays,
            agent=swarm.address_book.agent(peer) or None,
            connections=connections,
        )

    def _in_use(self, peer: PeerId) -> Connection | None:
        """What carries the channel; a better connection beside it may be dead and not know yet."""
        channel = self._node.channels.get(peer)
        if channel is not None and channel.link is not None:
            return channel.link.connection
        return self._node.swarm.best_connection(peer)

    async def ping(self, peer: PeerId) -> float:
        """Milliseconds of one round trip, remembered for `stats`. Cancellation: Safe; the stream is reset."""
        seconds = await self._node.ping.ping(peer)
        self._rtt[peer] = seconds * 1000
        return seconds * 1000

    async def stats(self, peer: PeerId) -> ConnectionStats:
        """Figures of the connections with a peer. Raises `NotConnected`. Cancellation: Safe; it only reads."""
        swarm = self._node.swarm
        channel = self._node.channels.get(peer)
        connection = self._in_use(peer)
        if connection is None and channel is None:
            raise NotConnected(str(peer))
        figures = [each.stats() for each in swarm.connections(peer)]
        way = await connection.path() if isinstance(connection, DataChannelConnection) else {}
        rtt = way.get("rtt")
        machine = channel.machine if channel is not None else None
        # The loop's clock counts from anywhere; unix time follows from the age.
        age = self._loop.time() - connection.opened_at if connection is not None else None
        return ConnectionStats(
            peer_id=str(peer),
            path=_path(connection),
            channel=_state(channel),
            transport=connection.transport if connection is not None else None,
            rtt_ms=rtt * 1000 if isinstance(rtt, (int, float)) else self._rtt.get(peer),
            bytes_sent=sum(int(each["bytes_sent"]) for each in figures),
            bytes_received=sum(int(each["bytes_received"]) for each in figures),
            messages_sent=machine.outbox.messages if machine is not None else 0,
            messages_received=machine.inbox.messages if machine is not None else 0,
            send_queue=channel.send_queue if channel is not None else 0,
            receive_queue=channel.receive_queue if channel is not None else 0,
            connected_at=self._facts.now() - age if age is not None else None,
            local_candidate_type=way.get("local_candidate"),
            remote_candidate_type=way.get("remote_candidate"),
            limit=connection.limit if connection is not None else None,
        )


def _path(connection: Connection | None) -> str:
    if connection is None:
        return "none"
    return path_of(connection)


def _state(channel: Channel | None) -> str:
    return "none" if channel is None else str(channel.state)
