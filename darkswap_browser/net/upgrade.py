"""From a raw link to a connection: multistream-select, Noise, then yamux, negotiated early or inside Noise."""

from __future__ import annotations

import asyncio

from darkswap_browser.errors import ConnectionLost, EndOfStream, TimedOut, TooManyRequests, Unsupported
from darkswap_browser.identity.keys import Identity
from darkswap_browser.identity.multiaddr import Multiaddr
from darkswap_browser.identity.peer_id import PeerId
from darkswap_browser.net.connection import CircuitLimit, Connection, Direction
from darkswap_browser.net.limits import Limits
from darkswap_browser.net.negotiate import answer, select_one
from darkswap_browser.net.noise import secure_stream as noise
from darkswap_browser.net.stream import BufferedStream
from darkswap_browser.net.yamux import muxer as yamux
from darkswap_browser.runtime.base import ByteLink, Crypto, Entropy


class Upgrader:
    """Makes connections of links. One Noise static key serves them all, signed once."""

    def __init__(self, identity: Identity, crypto: Crypto, entropy: Entropy, limits: Limits) -> None:
        self.identity = identity
        self.limits = limits
        self.handshaker = noise.Handshaker(identity, crypto, entropy, limits)
        self._pending_inbound = 0

    async def upgrade_outbound(
        self,
        link: ByteLink,
        *,
        peer: PeerId | None,
        address: Multiaddr,
        transport: str,
        limit: CircuitLimit | None = None,
    ) -> Connection:
        """We dialled: Noise initiator, odd stream numbers. `peer` is whom we expect (None: whoever answers).

        On failure the link is reset. Raises `PeerIdMismatch`, `HandshakeFailed`, `MalformedMessage`,
        `ProtocolUnsupported`, `ConnectionLost`, `TimedOut`.
        """
        return await self._upgrade(link, Direction.OUTBOUND, peer, address, transport, limit)

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
    ) -> Connection:
        try:
            async with asyncio.timeout(self.limits.upgrade_timeout):
                raw = BufferedStream(_WholeLink(link))
                secured, stream = await self._secure(raw, direction, peer)
        except BaseException as error:
            link.reset()
            if isinstance(error, TimeoutError):
                raise TimedOut("connection upgrade", self.limits.upgrade_timeout) from None
            if isinstance(error, EndOfStream):
                raise ConnectionLost("connection", "the peer hung up during the upgrade") from None
            raise
        return yamux.YamuxConnection(
            stream,
            remote_peer=secured.remote_peer,
            remote_addr=address,
            direction=direction,
            transport=transport,
            limit=limit,
            limits=self.limits,
        )

    async def _secure(
        self, raw: BufferedStream, direction: Direction, peer: PeerId | None
    ) -> tuple[noise.Secured, BufferedStream]:
        muxers = (yamux.PROTOCOL,)
        if direction is Direction.OUTBOUND:

            async def propose(first: bytes) -> str:
                # As rust's and go's dialers do: a round trip less.
                return await select_one(raw, [noise.PROTOCOL], self.limits, first)

            secured = await self.handshaker.initiate(raw, peer, muxers=muxers, propose=propose)
        else:
            await answer(raw, noise.PROTOCOL.__eq__, self.limits)
            secured = await self.handshaker.respond(raw, peer, muxers=muxers)
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
