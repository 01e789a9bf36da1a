"""From a raw link to a connection: multistream-select, Noise, then yamux, negotiated early or inside Noise."""

from __future__ import annotations

import asyncio
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
from darkswap_browser.net.stream import BufferedStream
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
        if self._pending_inbound >= self.limits.pending_upgrades:
            link.reset()
            raise TooManyRequests("connection upgrades", self.limits.pending_upgrades)
        self._pending_inbound += 1
        try:
            return await self._upgrade(link, Direction.INBOUND, peer, address, transport, limit)
        finally:
            self._pending_inbound -= 1

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
