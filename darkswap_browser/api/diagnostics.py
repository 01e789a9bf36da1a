"""Whether a node works here: what it needs is tried out, part by part, and each failure comes with a next step."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from enum import StrEnum

from darkswap_browser.api.node_owner import NodeOwner
from darkswap_browser.errors import DarkSwapError, TimedOut
from darkswap_browser.identity.multiaddr import Multiaddr
from darkswap_browser.identity.peer_id import PeerId
from darkswap_browser.node.config import NetworkConfig
from darkswap_browser.node.node import Node
from darkswap_browser.runtime.base.host import Runtime
from darkswap_browser.runtime.base.webrtc import DataChannel, IceCandidate
from darkswap_browser.transports.webrtc.ice_report import HINTS, PUBLIC, SENTENCES, IceReport, NoDirect

CHECK_SECONDS = 15.0
"""For one check: a relay is asked again twice within it."""
GATHER_SECONDS = 6.0
"""Browsers give up a STUN server that is silent after about five."""
CLOCK_SECONDS = 30.0
"""By which the clock may differ: relays date their vouchers, makers their orders."""
MAX_ANSWER = 65_536
PROBE_KEY = "diagnostics/probe"
PROBE = b"probe"


class CheckStatus(StrEnum):
    PASSED = "passed"
    WARNING = "warning"
    """It works without that, less well."""
    FAILED = "failed"
    SKIPPED = "skipped"
    """There is nothing to try."""


@dataclass(frozen=True, slots=True)
class DiagnosticCheck:
    """`message` says what was found, `hint` what to do about it; neither holds keys."""

    name: str
    status: CheckStatus
    message: str
    hint: str = ""
    duration_ms: int = 0
    details: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Found:
    status: CheckStatus
    message: str
    hint: str = ""
    details: Mapping[str, object] = field(default_factory=dict)


Checks = Mapping[str, Callable[[], Awaitable[Found]]]


async def judged(name: str, check: Callable[[], Awaitable[Found]], runtime: Runtime) -> DiagnosticCheck:
    """Run one check within its time. Cancellation: Safe; what it began is ended."""
    began = runtime.clock.monotonic()
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            found = await check()
    except TimeoutError:
        hint = "Try again; if it repeats, the network or a server holds answers back."
        found = Found(CheckStatus.FAILED, f"no end within {CHECK_SECONDS:g} s", hint)
    except DarkSwapError as error:
        found = Found(CheckStatus.FAILED, str(error), error.hint, {"code": error.code})
    duration = round((runtime.clock.monotonic() - began) * 1000)
    return DiagnosticCheck(name, found.status, found.message, found.hint, duration, found.details)


class NodeChecks:
    """The checks of a node.

    Args:
        owner: Brings the node up where a check needs it.
        make_other: Makes a second node on the same host, for a short time.
        dated: URLs, beside those of relays, whose answers may tell the time.
    """

    def __init__(
        self, owner: NodeOwner, make_other: Callable[[NetworkConfig], NodeOwner], dated: Sequence[str] = ()
    ) -> None:
        self._dated = dated
        self._config = owner.config
        self._runtime = owner.runtime
        self._up = owner.running_node
        self._make_other = make_other

    def checks(self) -> Checks:
        return {
            "storage": self.storage,
            "node": self.node,
            "webrtc": self.webrtc,
            "candidates": self.candidates,
            "relays": self.relays,
            "reservations": self.reservations,
            "echo": self.echo,
            "clock": self.clock,
        }

    async def storage(self) -> Found:
        """A record is written, read and deleted. Cancellation: Safe; the record may stay."""
        if not self._config.persist:
            return Found(CheckStatus.SKIPPED, "nothing is kept: the configuration says so")
        store = self._runtime.store
        await store.put(PROBE_KEY, PROBE)
        kept = await store.get(PROBE_KEY)
        await store.delete(PROBE_KEY)
        if kept != PROBE:
            hint = "Another program may use the same storage; close it and try again."
            return Found(CheckStatus.FAILED, "what was written is not what was read", hint)
        return Found(CheckStatus.PASSED, "identity and messages are kept")

    async def node(self) -> Found:
        """Cancellation: As `start`."""
        await self._up()
        return Found(CheckStatus.PASSED, "the node runs")

    async def webrtc(self) -> Found:
        """Cancellation: Safe."""
        if self._runtime.webrtc.available:
            return Found(CheckStatus.PASSED, "this host has WebRTC")
        if self._runtime.name == "native":
            return Found(CheckStatus.SKIPPED, "CPython has no WebRTC: messages go through relays")
        hint = "In a browser: not in a worker, and not where an extension or a policy blocks WebRTC."
        return Found(CheckStatus.WARNING, "no WebRTC here: messages go through relays", hint)

    async def candidates(self) -> Found:
        """Which addresses ICE finds for this side. Cancellation: Safe; the connection is closed."""
        if not self._runtime.webrtc.available:
            return Found(CheckStatus.SKIPPED, "no WebRTC here")
        built = await self._up()
        for relay in built.client.relays:
            if built.swarm.connections(relay):
                await built.stun.learn(relay)
        report = await _gather(self._runtime, IceReport(built.stun.configuration()))
        counted = {kind: report.local[kind] for kind in ("host", "srflx", "relay")}
        if report.local["srflx"] or report.local["relay"] or report.local[PUBLIC]:
            through = " and a TURN server" if report.local["relay"] else ""
            return Found(CheckStatus.PASSED, f"a public address is known, by STUN{through}", "", counted)
        reason = report.reason()
        if reason is NoDirect.PEER_NO_STUN:
            reason = NoDirect.STUN_SILENT
        status = CheckStatus.FAILED if reason is NoDirect.TURN_REFUSED else CheckStatus.WARNING
        return Found(status, SENTENCES[reason], HINTS.get(reason, ""), {**counted, "reason": str(reason)})

    async def relays(self) -> Found:
        """Each relay is dialled if need be, and pinged. Cancellation: Safe; connections that stand stay."""
        built = await self._up()
        relays = built.client.relays
        if not relays:
            hint = "Name one in network.relays, or by add_relay: without one nobody finds this node."
            return Found(CheckStatus.WARNING, "no relay is named", hint)
        answers = dict(zip(relays, await asyncio.gather(*(_round_trip(built, each) for each in relays)), strict=True))
        good = sorted(found for found in answers.values() if isinstance(found, float))
        failures = {relay: found for relay, found in answers.items() if isinstance(found, DarkSwapError)}
        details = {"relays": [_told(str(relay), found) for relay, found in answers.items()]}
        said = f"{len(good)} of {len(relays)} answer" + (f", the nearest after {good[0]:.0f} ms" if good else "")
        if not failures:
            return Found(CheckStatus.PASSED, said, "", details)
        first = next(iter(failures.values()))
        status = CheckStatus.WARNING if good else CheckStatus.FAILED
        return Found(status, f"{said}; {first}", first.hint, details)

    async def reservations(self) -> Found:
        """Which relays hold a place, at which others find us. Cancellation: Safe."""
        built = await self._up()
        if not built.client.relays:
            return Found(CheckStatus.SKIPPED, "no relay is named")
        held = built.client.reservations()
        if held:
            return Found(CheckStatus.PASSED, f"{len(held)} of {len(built.client.relays)} relays hold a place for us")
        failures = [
            found for each in built.client.relays if isinstance(found := built.client.last_error(each), DarkSwapError)
        ]
        if failures:
            return Found(CheckStatus.FAILED, str(failures[0]), failures[0].hint, {"code": failures[0].code})
        hint = "Ask for one by make_relay_reservation, or name the relay in network.relays."
        return Found(CheckStatus.WARNING, "no relay was asked for a place: nobody finds this node", hint)

    async def echo(self) -> Found:
        """A second node, of an identity of its own, pings this one through a relay that holds a place for it.

        Cancellation: Safe; the second node is taken down.
        """
        built = await self._up()
        addresses = built.relay_addresses()
        if not addresses:
            return Found(CheckStatus.SKIPPED, "no relay holds a place for us")
        relay = Multiaddr.parse(addresses[0])
        config = NetworkConfig(relays=(relay,), reserve=False, persist=False, direct=False, relay_stun=False)
        other = self._make_other(config)
        try:
            there = await other.running_node()
            if self._config.accept == "ours":
                built.swarm.ours.add(there.swarm.local_peer)
            await there.circuits.connect_through_relay(str(relay.peer_id()), str(built.swarm.local_peer))
            seconds = await there.ping.ping(built.swarm.local_peer)
        finally:
            await other.stop()
        return Found(CheckStatus.PASSED, f"reached through a relay, {seconds * 1000:.0f} ms there and back")

    async def clock(self) -> Found:
        """Against the Date header of whatever server tells it. Cancellation: Safe."""
        # A page's policy lets it speak WebSocket to a relay, and nothing else.
        relays = () if self._runtime.name == "browser" else self._config.relays
        urls = [url for address in relays if (url := _http_url(address)) is not None]
        return await _compare_clock(self._runtime, [*urls, *self._dated])


async def _compare_clock(runtime: Runtime, urls: Sequence[str]) -> Found:
    """Against the first of `urls` whose answer has a date. Cancellation: Safe; it only reads."""
    for url in urls:
        before = runtime.clock.now()
        try:
            answer = await runtime.fetch.request("GET", url, timeout=5.0, max_bytes=MAX_ANSWER)
            told = parsedate_to_datetime(answer.headers["date"]).timestamp()
        except (DarkSwapError, KeyError, ValueError):
            continue  # it is down, or tells no date to pages of other sites
        skew = round((before + runtime.clock.now()) / 2 - told)
        if abs(skew) <= CLOCK_SECONDS:
            return Found(CheckStatus.PASSED, "the clock is right", "", {"skew_seconds": skew})
        said = f"the clock is {abs(skew)} s {'ahead' if skew > 0 else 'behind'}"
        return Found(CheckStatus.FAILED, said, "Set the clock of this computer.", {"skew_seconds": skew})
    return Found(CheckStatus.SKIPPED, "no server here tells the time")


def _http_url(address: Multiaddr) -> str | None:
    """Of a relay that listens on WebSocket: it answers a plain request too, with a refusal that is dated."""
    return address.websocket_url().replace("ws", "http", 1) if address.is_websocket else None


async def _round_trip(built: Node, relay: PeerId) -> float | DarkSwapError:
    """In milliseconds."""
    try:
        async with asyncio.timeout(CHECK_SECONDS - 2):
            await built.client.connect_to_relay(relay)
            return await built.ping.ping(relay) * 1000
    except TimeoutError:
        return TimedOut("the relay", CHECK_SECONDS - 2)
    except DarkSwapError as error:
        return error


def _told(relay: str, found: float | DarkSwapError) -> Mapping[str, object]:
    if isinstance(found, DarkSwapError):
        return {"relay_peer_id": relay, "code": found.code, "error": str(found)}
    return {"relay_peer_id": relay, "rtt_ms": round(found, 1)}


class _Gathering:
    """Hears what ICE finds."""

    def __init__(self, report: IceReport) -> None:
        self.report = report
        self.ended = asyncio.Event()

    def ice_candidate(self, candidate: IceCandidate | None) -> None:
        if candidate is None or not candidate.candidate:
            self.ended.set()
        else:
            self.report.add_local(candidate.candidate)

    def ice_candidate_error(self, url: str, code: int) -> None:
        self.report.add_error(url, code)

    def data_channel(self, channel: DataChannel) -> None:
        channel.close()

    def state_changed(self, state: str) -> None: ...


async def _gather(runtime: Runtime, report: IceReport) -> IceReport:
    gathering = _Gathering(report)
    connection = runtime.webrtc.create_peer_connection(report.configuration, gathering)
    try:
        connection.create_data_channel("check")
        await connection.set_local_description(await connection.create_offer())
        async with asyncio.timeout(GATHER_SECONDS):
            await gathering.ended.wait()
    except TimeoutError:
        pass  # a server is silent: what is missing tells it
    finally:
        connection.close()
    return report
