"""The relay in figures: go-libp2p's metric names, so that its dashboards fit, and our own beside them.

No label carries a peer id; reasons come from closed lists.
"""

from __future__ import annotations

import resource
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from darkswap_browser.identity.peer_id import PeerId
from darkswap_browser.net.connection import Connection
from darkswap_browser.net.events import ConnectionClosed, Event
from darkswap_browser.net.swarm import Swarm
from darkswap_browser.protocols.relay.messages import Status
from darkswap_browser.protocols.relay.server.reservation_store import Refusal, RefusalReason
from darkswap_browser.protocols.relay.server.splice import CircuitEnd
from darkswap_browser.relayd.log import RelayLog
from darkswap_browser.version import VERSION

CONTENT_TYPE = CONTENT_TYPE_LATEST
GO_REASONS = {
    Status.RESERVATION_REFUSED: "ip constraint violation",
    Status.RESOURCE_LIMIT_EXCEEDED: "resource limit exceeded",
    Status.PERMISSION_DENIED: "permission denied",
    Status.NO_RESERVATION: "no reservation",
    Status.MALFORMED_MESSAGE: "malformed message",
}
RATES = {RefusalReason.PEER_RATE: "peer", RefusalReason.IP_RATE: "ip"}
LAG_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
DURATION_BUCKETS = (1.0, 5.0, 15.0, 60.0, 120.0, 300.0, 900.0, 3600.0)


class RelayMetrics:
    """Counts what the relay server tells (it is a `RelayObserver`) and logs it."""

    def __init__(self, log: RelayLog) -> None:
        self._log = log
        self.registry = registry = CollectorRegistry()
        go = "libp2p_relaysvc_"
        self.status = Gauge(go + "status", "1 while reservations are granted", registry=registry)
        self._reservations = Counter(go + "reservations", "Reservations", ["type"], registry=registry)
        self._reservation_answers = Counter(
            go + "reservation_request_response_status", "Answers to RESERVE", ["status"], registry=registry
        )
        self._reservation_rejections = Counter(
            go + "reservation_rejections", "Why RESERVE was refused", ["reason"], registry=registry
        )
        self._circuits = Counter(go + "connections", "Circuits", ["type"], registry=registry)
        self._circuit_answers = Counter(
            go + "connection_request_response_status", "Answers to CONNECT", ["status"], registry=registry
        )
        self._circuit_rejections = Counter(
            go + "connection_rejections", "Why CONNECT was refused", ["reason"], registry=registry
        )
        self._durations = Histogram(
            go + "connection_duration_seconds", "Life of a circuit", buckets=DURATION_BUCKETS, registry=registry
        )
        self._carried = Counter(go + "data_transferred_bytes", "Through circuits, both ways", registry=registry)
        ours = "darkswap_relay_"
        self.loop_lag = Histogram(
            ours + "loop_lag_seconds", "How late the event loop runs timers", buckets=LAG_BUCKETS, registry=registry
        )
        self._limited = Counter(ours + "rate_limited", "By token bucket", ["kind", "scope"], registry=registry)
        self._ends = Counter(ours + "circuit_ends", "How circuits ended", ["reason"], registry=registry)
        self.handshakes = Histogram(ours + "handshake_seconds", "Socket to authenticated peer", registry=registry)
        self.handshake_failures = Counter(
            ours + "handshake_failures", "Sockets without a peer", ["reason"], registry=registry
        )
        self.refused_sockets = Counter(ours + "refused_sockets", "Above the socket limit", registry=registry)
        memory = Gauge(ours + "memory_rss_bytes", "Resident memory", registry=registry)
        memory.set_function(resident_bytes)
        Gauge(ours + "build_info", "Version", ["version"], registry=registry).labels(VERSION).set(1)

    def gauge(self, name: str, about: str, read: Callable[[], float]) -> None:
        """A figure read when it is asked for, as `darkswap_relay_<name>`."""
        Gauge(f"darkswap_relay_{name}", about, registry=self.registry).set_function(read)

    def text(self) -> bytes:
        """Prometheus' exposition format."""
        return generate_latest(self.registry)

    # --- RelayObserver

    def reservation_granted(self, peer: PeerId, renewed: bool) -> None:
        self._reservations.labels("renewed" if renewed else "opened").inc()
        self._reservation_answers.labels("ok").inc()
        self._log.detail("reservation", peer=peer.short, renewed=renewed)

    def reservation_refused(self, peer: PeerId, refusal: Refusal) -> None:
        self._reservation_answers.labels("rejected").inc()
        self._reservation_rejections.labels(GO_REASONS.get(refusal.status, "other")).inc()
        self._count_rate("reservation", refusal)
        self._log.detail("reservation-refused", peer=peer.short, reason=refusal.reason)

    def reservations_ended(self, count: int) -> None:
        self._reservations.labels("closed").inc(count)

    def circuit_opened(self, origin: PeerId, target: PeerId) -> None:
        self._circuits.labels("opened").inc()
        self._circuit_answers.labels("ok").inc()
        self._log.detail("circuit", peer=origin.short, target=target.short)

    def circuit_refused(self, origin: PeerId, refusal: Refusal) -> None:
        failed = refusal.status == Status.CONNECTION_FAILED
        self._circuit_answers.labels("error" if failed else "rejected").inc()
        if not failed:
            self._circuit_rejections.labels(GO_REASONS.get(refusal.status, "other")).inc()
        self._count_rate("circuit", refusal)
        self._log.detail("circuit-refused", peer=origin.short, reason=refusal.reason)

    def circuit_closed(self, origin: PeerId, target: PeerId, end: CircuitEnd, seconds: float, carried: int) -> None:
        self._circuits.labels("closed").inc()
        self._durations.observe(seconds)
        self._ends.labels(end).inc()
        self._log.detail(
            "circuit-closed",
            peer=origin.short,
            target=target.short,
            reason=end,
            dur_ms=round(seconds * 1000),
            bytes=carried,
        )

    def transferred(self, count: int) -> None:
        self._carried.inc(count)

    def _count_rate(self, kind: str, refusal: Refusal) -> None:
        if (scope := RATES.get(refusal.reason)) is not None:
            self._limited.labels(kind, scope).inc()


class StreamBytes(Collector):
    """Payload of all streams of all connections, counted where it is counted already, when it is asked for."""

    def __init__(self, swarm: Swarm) -> None:
        self._swarm = swarm
        self._ended = [0, 0]
        swarm.subscribe(self._on_event)

    def collect(self) -> Iterator[CounterMetricFamily]:
        sums = list(self._ended)
        for connection in self._swarm.connections():
            _add(sums, connection)
        family = CounterMetricFamily("darkswap_relay_bytes", "Payload of streams", labels=["direction"])
        for direction, total in zip(("received", "sent"), sums, strict=True):
            family.add_metric([direction], total)
        yield family

    def _on_event(self, event: Event) -> None:
        if isinstance(event, ConnectionClosed):
            _add(self._ended, event.connection)


def _add(sums: list[int], connection: Connection) -> None:
    stats = connection.stats()
    sums[0] += stats["bytes_received"]
    sums[1] += stats["bytes_sent"]


def resident_bytes() -> float:
    """Of this process; its peak where the present value cannot be read."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except (OSError, ValueError, IndexError):
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return float(peak if sys.platform == "darwin" else peak * 1024)
    return float(pages * resource.getpagesize())
