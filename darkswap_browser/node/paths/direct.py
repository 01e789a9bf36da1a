"""Attempts at a direct link, one at a time for each peer, and why they failed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from darkswap_browser.concurrency.shared_call import SharedCalls
from darkswap_browser.concurrency.tasks import Tasks
from darkswap_browser.errors import (
    ConnectionLost,
    DarkSwapError,
    HandshakeFailed,
    NoDirectPath,
    ProtocolUnsupported,
    TimedOut,
)
from darkswap_browser.identity.multiaddr import Multiaddr
from darkswap_browser.identity.peer_id import PeerId
from darkswap_browser.net.connection import Connection
from darkswap_browser.net.events import DialStep, DirectFailed
from darkswap_browser.net.swarm import Swarm
from darkswap_browser.node.paths.machine import MAX_REMEMBERED
from darkswap_browser.node.relay_stun import RelayStun
from darkswap_browser.protocols.relay.client import RelayClient
from darkswap_browser.transports.webrtc.ice_report import HINTS, SENTENCES, IceReport, NoDirect

ReportOf = Callable[[PeerId], IceReport | None]
"""What ICE found in the last attempt with a peer."""


class DirectAttempts:
    """Each goes on as long as somebody waits for it, and at most `seconds`."""

    def __init__(
        self, swarm: Swarm, client: RelayClient, stun: RelayStun, report_of: ReportOf, tasks: Tasks, seconds: float
    ) -> None:
        self._swarm = swarm
        self._client = client
        self._stun = stun
        self._report_of = report_of
        self._tasks = tasks
        self._seconds = seconds
        self._calls = SharedCalls()
        self._running: dict[PeerId, int] = {}
        self._told: dict[PeerId, DirectFailed] = {}
        """The failure told last of each peer: an attempt that fails in the same way is no news."""

    def is_ready(self, relay: PeerId) -> bool:
        """Whether an attempt through this relay begins without asking it anything before."""
        return self._stun.knows(relay)

    async def run(self, relay: PeerId, peer: PeerId) -> Connection:
        """A direct connection to `peer`; the circuit that the signaling goes over is made where there is none.

        Raises:
            NoDirectPath: The two did not find each other, or the peer wants no direct link.
            DarkSwapError: Why the relay did not lead to the peer.

        Cancellation: Safe; the attempt goes on while another caller waits for it.
        """
        self._running[peer] = self._running.get(peer, 0) + 1
        try:
            return await self._calls.run(peer, lambda: self._attempt(relay, peer))
        finally:
            self._running[peer] -= 1
            if not self._running[peer]:
                del self._running[peer]

    def begin(self, relay: PeerId, peer: PeerId) -> asyncio.Task[Connection]:
        """As `run`, in a task: cancelled, it waits no more."""
        return self._tasks.spawn(self.run(relay, peer), "direct attempt", expected=DarkSwapError)

    def cancel(self, peer: PeerId) -> None:
        """End the attempt with `peer`; whoever waits for it sees `Aborted`."""
        self._calls.cancel(peer)

    def tell_unavailable(self, peer: PeerId) -> None:
        """This host has no WebRTC: told once for each peer that is reached through a relay."""
        self._tell(_event(peer, NoDirect.NO_WEBRTC, SENTENCES[NoDirect.NO_WEBRTC], IceReport()))

    def is_running(self, peer: PeerId) -> bool:
        return peer in self._running

    async def _attempt(self, relay: PeerId, peer: PeerId) -> Connection:
        address = Multiaddr.parse(f"/p2p/{relay}/p2p-circuit/webrtc").with_peer(peer)
        try:
            async with asyncio.timeout(self._seconds):
                if not self._stun.knows(relay):
                    await self._client.connect_to_relay(relay)
                    await self._stun.learn(relay)
                connection = await self._swarm.dial_address(address)
        except TimeoutError:
            raise self._failed(peer, TimedOut("making a direct connection", self._seconds)) from None
        except DarkSwapError as error:
            if self._swarm.best_connection(peer) is None:
                raise  # it did not come as far as to the peer
            raise self._failed(peer, error) from error
        self._told.pop(peer, None)
        return connection

    def _failed(self, peer: PeerId, error: DarkSwapError) -> NoDirectPath:
        report = self._report_of(peer) or IceReport()
        reason = _reason(report, error)
        detail = f"{SENTENCES[reason]}: {error}" if reason is NoDirect.FAILED else SENTENCES[reason]
        event = _event(peer, reason, detail, report)
        kinds = f"here {' '.join(event.local) or 'none'}, there {' '.join(event.remote) or 'none'}"
        self._swarm.emit(DialStep(peer, "direct-failed", f"{reason}: {detail} (candidates: {kinds})"))
        self._tell(event)
        return NoDirectPath(str(peer), reason, detail, event.local, event.remote, event.hint)

    def _tell(self, event: DirectFailed) -> None:
        """Unless the last that was told of this peer is the same."""
        if self._told.get(event.peer) == event:
            return
        self._told.pop(event.peer, None)
        self._told[event.peer] = event
        if len(self._told) > MAX_REMEMBERED:
            del self._told[next(iter(self._told))]
        self._swarm.emit(event)


def _event(peer: PeerId, reason: NoDirect, detail: str, report: IceReport) -> DirectFailed:
    local, remote = tuple(sorted(report.local)), tuple(sorted(report.remote))
    return DirectFailed(peer, reason, detail, HINTS.get(reason, ""), local, remote)


def _reason(report: IceReport, error: DarkSwapError) -> NoDirect:
    """ICE's own, where the two sides had told each other their candidates."""
    if isinstance(error, ProtocolUnsupported):
        return NoDirect.PEER_REFUSED
    if isinstance(error, HandshakeFailed) and not report.remote:
        return NoDirect.PEER_REFUSED
    if isinstance(error, TimedOut | ConnectionLost | HandshakeFailed):
        return report.reason()
    return NoDirect.FAILED
