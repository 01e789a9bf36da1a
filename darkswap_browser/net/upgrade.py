"""From a raw link to a connection: multistream-select, Noise, then yamux, negotiated early or inside Noise."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from darkswap_browser.concurrency.faults import ReportFault, log_fault
from darkswap_browser.errors import ConnectionLost, EndOfStream, TimedOut, TooManyRequests, Unsupported
from darkswap_browser.identity.keys import Identity
from darkswap_browser.identity.multiaddr import Multiaddr
from darkswap_browser.identity.peer_id import PeerId
from darkswap_browser.net.connection import CircuitLimit, Connection, Direction
from darkswap_browser.net.limits import Limits
from darkswap_browser.net.memory import MemoryBudget
from darkswap_browser.net.negotiate import answer, confirm, proposal, select_one
from darkswap_browser.net.noise import secure_stream as noise
from darkswap_browser.net.source import ip_key, shares
from darkswap_browser.net.stream import BufferedStream
from darkswap_browser.net.work import SharedBuckets
from darkswap_browser.net.yamux import muxer as yamux
from darkswap_browser.runtime.base.crypto import Crypto, Entropy
from darkswap_browser.runtime.base.links import ByteLink

MUXERS = (yamux.PROTOCOL,)


@dataclass(frozen=True, slots=True)
class OutboundUpgrade:
    """An upgrade begun before its link is there: `data` are the first bytes on the link, to be sent by the caller."""

    data: bytes
    noise: noise.Initiation


class Upgrader:
    """Makes connections of links. One Noise static key serves them all, signed once."""

    def __init__(
        self,
        identity: Identity,
        crypto: Crypto,
        entropy: Entropy,
        limits: Limits,
        report: ReportFault = log_fault,
        *,
        memory: MemoryBudget | None = None,
        is_ours: Callable[[PeerId], bool] = lambda _: True,
    ) -> None:
        """`memory`: what all connections of the node may hold; `is_ours`: whose share a connection has of it."""
        self._memory = memory or MemoryBudget(limits)
        self._is_ours = is_ours
        self.identity = identity
        self.limits = limits
        self.handshaker = noise.Handshaker(identity, crypto, entropy, limits)
        self._report = report
        self._pending_inbound = 0
        self._pending_by: Counter[str] = Counter()
        self._work = SharedBuckets(limits)
        self._links: set[ByteLink] = set()
        """Being upgraded."""
        self._closed = False

    def abort(self) -> None:
        """Drop every link that is being upgraded, and from now on every other. Idempotent."""
        self._closed = True
        for link in list(self._links):
            link.reset()

    async def upgrade_outbound(
        self,
        link: ByteLink,
        *,
        peer: PeerId | None,
        address: Multiaddr,
        transport: str,
        limit: CircuitLimit | None = None,
        begun: OutboundUpgrade | None = None,
    ) -> Connection:
        """We dialled: Noise initiator, odd stream numbers. `peer` is whom we expect (None: whoever answers).

        `begun`: the result of `begin_outbound` whose bytes were sent on this link already.

        On failure the link is reset. Raises `PeerIdMismatch`, `HandshakeFailed`, `MalformedMessage`,
        `ProtocolUnsupported`, `ConnectionLost`, `TimedOut`.
        """
        return await self._upgrade(link, Direction.OUTBOUND, peer, address, transport, limit, begun)

    async def begin_outbound(self) -> OutboundUpgrade:
        """Make the first bytes of an outbound upgrade: the proposal of Noise and its first message.

        Nothing is kept here, so a result that is not used needs no ending.
        """
        begun = await self.handshaker.begin(muxers=MUXERS)
        # As rust's and go's dialers do, in one write: a round trip less.
        return OutboundUpgrade(proposal(noise.PROTOCOL, begun.message), begun)

    async def upgrade_inbound(
        self,
        link: ByteLink,
        *,
        peer: PeerId | None,
        address: Multiaddr,
        transport: str,
        limit: CircuitLimit | None = None,
    ) -> Connection:
        """We were dialled: Noise responder, even stream numbers.

        Raises as `upgrade_outbound` does, and `TooManyRequests` when too many are at it already.
        """
        source = _source(address)
        if (refusal := self._too_many(source)) is not None:
            link.reset()
            raise refusal
        self._count_pending(source, 1)
        try:
            return await self._upgrade(link, Direction.INBOUND, peer, address, transport, limit)
        finally:
            self._count_pending(source, -1)

    def _too_many(self, source: str | None) -> TooManyRequests | None:
        limits = self.limits
        if self._pending_inbound >= limits.pending_upgrades:
            return TooManyRequests("connection upgrades", limits.pending_upgrades)
        most = limits.pending_upgrades_per_address
        if any(self._pending_by[key] >= share for key, share in shares(source, most)):
            return TooManyRequests("connection upgrades of one address", most)
        return None

    def _count_pending(self, source: str | None, change: int) -> None:
        self._pending_inbound += change
        for key, _ in shares(source, 0):
            self._pending_by[key] += change
            if not self._pending_by[key]:
                del self._pending_by[key]

    async def _upgrade(
        self,
        link: ByteLink,
        direction: Direction,
        peer: PeerId | None,
        address: Multiaddr,
        transport: str,
        limit: CircuitLimit | None,
        begun: OutboundUpgrade | None = None,
    ) -> Connection:
        self._links.add(link)
        try:
            if self._closed:
                raise ConnectionLost("connection", "this node is stopped")
            async with asyncio.timeout(self.limits.upgrade_timeout):
                raw = BufferedStream(_WholeLink(link))
                secured, stream = await self._secure(raw, direction, peer, begun)
        except BaseException as error:
            link.reset()
            if isinstance(error, TimeoutError):
                raise TimedOut("connection upgrade", self.limits.upgrade_timeout) from None
            if isinstance(error, EndOfStream):
                raise ConnectionLost("connection", "the peer hung up during the upgrade") from None
            raise
        finally:
            self._links.discard(link)
        peer = secured.remote_peer

        def is_ours() -> bool:
            return self._is_ours(peer)

        return yamux.YamuxConnection(
            stream,
            remote_peer=peer,
            remote_addr=address,
            direction=direction,
            transport=transport,
            limit=limit,
            limits=self.limits,
            report=self._report,
            account=self._memory.account(is_ours),
            is_ours=is_ours,
            shared_work=self._work.of(_source(address)) if direction is Direction.INBOUND else None,
        )

    async def _secure(
        self, raw: BufferedStream, direction: Direction, peer: PeerId | None, begun: OutboundUpgrade | None
    ) -> tuple[noise.HandshakeResult, BufferedStream]:
        if direction is Direction.OUTBOUND:
            if begun is None:
                begun = await self.begin_outbound()
                await raw.write(begun.data)
            await confirm(raw, noise.PROTOCOL, self.limits)
            secured = await self.handshaker.finish(begun.noise, raw, peer)
        else:
            await answer(raw, noise.PROTOCOL.__eq__, self.limits)
            secured = await self.handshaker.respond(raw, peer, muxers=MUXERS)
        stream = BufferedStream(secured.stream)
        # Both sides see both lists and come to the same end: yamux at once, or multistream-select inside Noise.
        if yamux.PROTOCOL not in secured.remote_muxers:
            if direction is Direction.OUTBOUND:
                await select_one(stream, [yamux.PROTOCOL], self.limits)
            else:
                await answer(stream, yamux.PROTOCOL.__eq__, self.limits)
        return secured, stream


def _source(address: Multiaddr) -> str | None:
    """Whoever comes through a relay has its address, so the relay counts them."""
    return None if address.has("p2p-circuit") else ip_key(address.value("ip4") or address.value("ip6"))


class _WholeLink:
    """A link as a `Stream`. Links end in both directions at once, so there is no finishing of one."""

    def __init__(self, link: ByteLink) -> None:
        self._link = link
        self.read = link.read
        self.write = link.write
        self.close = link.close
        self.reset = link.reset

    async def close_write(self) -> None:
        raise Unsupported("half-closing a link")
