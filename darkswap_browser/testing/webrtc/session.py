"""Two simulated connections that found each other: the ICE route between them and the states they go through.

Timing follows what Chromium was measured to do when a path dies: `disconnected` after 5.3 to 7.7 s, `failed` after
15.3 to 17.8 s, and, after an ICE restart over a healed path, the same channels with every queued message.
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Protocol

from darkswap_browser.testing.network import SimulatedNetwork
from darkswap_browser.testing.webrtc.channel import AssociationEnd, SimulatedDataChannel
from darkswap_browser.testing.webrtc.sdp import ParsedCandidate

DISCONNECTED_SECONDS = (5.3, 7.7)
FAILED_SECONDS = (15.3, 17.8)
RECOVER_SECONDS = 0.02


@dataclass(slots=True)
class IceAgent:
    """One connection's candidates. `relay_host`: the TURN server that gave a relay candidate."""

    host: str
    local: dict[tuple[str, int], str] = field(default_factory=dict)
    """(address, port) → kind."""
    remote: set[ParsedCandidate] = field(default_factory=set)
    relay_host: str | None = None
    moves: int = 0
    """Of its host when the candidates were gathered."""

    def has(self, kind: str) -> bool:
        return kind in self.local.values()

    def knows(self, other: IceAgent) -> set[str]:
        """Kinds of the other's candidates that were heard of."""
        return {
            other.local[known.address, known.port]
            for known in self.remote
            if (known.address, known.port) in other.local
        }


class RtcEndpoint(Protocol):
    """What a session needs of each of its two connections."""

    agent: IceAgent
    fingerprint: str
    remote_fingerprint: str
    association: AssociationEnd | None

    @property
    def connection_state(self) -> str: ...

    @property
    def is_gone(self) -> bool: ...

    def enter(self, state: str) -> None: ...

    def peer_closed(self) -> None: ...

    def incoming(self, channel: SimulatedDataChannel) -> None: ...

    def open_waiting(self) -> None: ...


class IceSession:
    """Also the `Route` of the association."""

    def __init__(
        self, network: SimulatedNetwork, chance: random.Random, first: RtcEndpoint, second: RtcEndpoint
    ) -> None:
        self._network = network
        self._chance = chance
        self.sides = (first, second)
        self._loop = asyncio.get_running_loop()
        self.hops: tuple[str, ...] = ()
        self._matched = False
        self.is_secured = False
        self._losing: list[asyncio.TimerHandle] = []
        self._establishing: asyncio.TimerHandle | None = None
        self._stop = network.watch(self.evaluate)

    def other(self, side: RtcEndpoint) -> RtcEndpoint:
        return self.sides[self.sides[0] is side]

    # --- Route
    def is_up(self) -> bool:
        states = {side.connection_state for side in self.sides}
        return self.is_secured and self._reachable() and states <= {"connected", "disconnected"}

    def delay(self) -> float:
        return sum(self._network.path(a, b).latency for a, b in self._legs())

    def bandwidth(self) -> float | None:
        rates = [rate for a, b in self._legs() if (rate := self._network.path(a, b).bandwidth)]
        return min(rates) if rates else None

    # --- life
    def matched(self, restarted: bool) -> None:
        """Both sides use each other's credentials; `restarted`: new ones on a session that existed."""
        self._matched = True
        if restarted:
            self._stop_losing()
            for side in self.sides:
                self._loop.call_soon(side.enter, "connecting")
        self._loop.call_soon(self.evaluate)

    def unmatched(self) -> None:
        """One side has moved on to new credentials, the other not yet."""
        self._matched = False

    def evaluate(self) -> None:
        """Called whenever a path, a candidate or a description changed."""
        if any(side.is_gone for side in self.sides):
            self.hops = ()
        else:
            self.hops = self._find_hops()
        states = {side.connection_state for side in self.sides}
        if "failed" in states or not self._matched:
            return
        if self._reachable():
            self._stop_losing()
            if states <= {"connected"}:
                self._resume()
            elif self._establishing is None:
                # ICE checks take one round trip, the first DTLS handshake two more.
                wait = RECOVER_SECONDS if self.is_secured else 6 * self.delay()
                self._establishing = self._loop.call_later(wait, self._establish)
        elif self.is_secured:
            self._lose()

    def closed_by(self, side: RtcEndpoint) -> None:
        """One connection was closed: the other hears of it at once, its own state follows much later."""
        if side.association is not None:
            side.association.shut_down()
        other = self.other(side)
        if self.is_secured and self._reachable() and other.association is not None:
            self._loop.call_later(self.delay(), other.peer_closed)
        self.hops = ()
        self._stop_losing()
        if self.is_secured and not other.is_gone:
            self._lose()
        if all(side.is_gone for side in self.sides):
            self._stop()
            self._stop_losing()

    def _establish(self) -> None:
        self._establishing = None
        if not self._reachable() or any(side.is_gone for side in self.sides):
            return
        first, second = self.sides
        if not self.is_secured:
            if first.remote_fingerprint != second.fingerprint or second.remote_fingerprint != first.fingerprint:
                for side in self.sides:
                    side.enter("failed")
                return
            self.is_secured = True
            self._associate()
        for side in self.sides:
            side.enter("connected")
        # SCTP's four-way handshake; on a session that lived before, this only sends what waits.
        self._loop.call_later(4 * self.delay(), self._start_channels)
        self._resume()

    def _associate(self) -> None:
        ends = [AssociationEnd(parity, self, side.incoming) for parity, side in enumerate(self.sides)]
        ends[0].other, ends[1].other = ends[1], ends[0]
        for side, end in zip(self.sides, ends, strict=True):
            side.association = end

    def _start_channels(self) -> None:
        for side in self.sides:
            if not side.is_gone:
                side.open_waiting()

    def _lose(self) -> None:
        if self._losing:
            return
        for side in self.sides:
            if side.is_gone:
                continue
            for state, seconds in (("disconnected", DISCONNECTED_SECONDS), ("failed", FAILED_SECONDS)):
                wait = self._chance.uniform(*seconds)
                self._losing.append(self._loop.call_later(wait, side.enter, state))

    def _resume(self) -> None:
        for side in self.sides:
            if side.association is not None:
                side.association.resume()

    def _stop_losing(self) -> None:
        for timer in self._losing:
            timer.cancel()
        self._losing.clear()

    def _legs(self) -> list[tuple[str, str]]:
        return list(pairwise(self.hops))

    def _reachable(self) -> bool:
        return bool(self.hops) and all(self._network.is_up(a, b) for a, b in self._legs())

    def _find_hops(self) -> tuple[str, ...]:
        """Hosts along the best usable candidate pair: direct before relayed; empty when there is none."""
        if any(self._network.hosts[side.agent.host].moves != side.agent.moves for side in self.sides):
            return ()
        ways = list(self._direct_ways())
        for side in self.sides:
            ways += self._relayed_ways(side.agent, self.other(side).agent)
        for way in ways:
            if all(self._network.is_up(a, b) for a, b in pairwise(way)):
                return way
        return ()

    def _direct_ways(self) -> list[tuple[str, ...]]:
        one, two = (side.agent for side in self.sides)
        known = one.knows(two) | two.knows(one)
        open_way = self._network.path(one.host, two.host).udp
        return [(one.host, two.host)] if open_way and one.has("host") and two.has("host") and "host" in known else []

    def _relayed_ways(self, owner: IceAgent, other: IceAgent) -> list[tuple[str, ...]]:
        """Through the owner's TURN server; one of the two must have heard of a candidate that uses it."""
        if owner.relay_host is None or not ("relay" in other.knows(owner) or owner.knows(other)):
            return []
        if other.has("host"):
            return [(owner.host, owner.relay_host, other.host)]
        return [(owner.host, owner.relay_host, other.relay_host, other.host)] if other.relay_host else []
