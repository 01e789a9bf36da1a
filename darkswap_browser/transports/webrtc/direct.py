"""`/webrtc-direct`: dial a server by its UDP address and certificate hash; it needs no name and no TLS certificate.

    /ip4/<ip>/udp/<port>/webrtc-direct/certhash/<multihash>/p2p/<peer>

https://github.com/libp2p/specs/blob/master/webrtc/webrtc-direct.md. Nothing is signaled: the server's answer follows
from its address, and the ICE credentials follow from each other, in one of two ways. In version 1 the client changes
those in its own offer ("munging", which Chrome means to forbid); in version 2 the server learns them from STUN. Nothing
tells which one a server speaks, so one is tried after the other. Over channel 0 Noise then proves who is there and
binds both certificates; the server is its initiator.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Callable
from dataclasses import replace
from enum import StrEnum

from darkswap_browser.errors import ConnectionLost, InvalidArgument, MalformedMessage, TimedOut, Unsupported
from darkswap_browser.identity.multiaddr import Multiaddr
from darkswap_browser.identity.peer_id import PeerId
from darkswap_browser.net.connection import Connection, Direction
from darkswap_browser.net.limits import Limits
from darkswap_browser.net.noise.secure_stream import Handshaker
from darkswap_browser.net.stream import BufferedStream
from darkswap_browser.net.transport import ConnectionHandler, StepHandler
from darkswap_browser.runtime.base.crypto import Entropy
from darkswap_browser.runtime.base.webrtc import RtcConfiguration, SessionDescription, WebRtc
from darkswap_browser.transports.webrtc.connection import DataChannelConnection
from darkswap_browser.transports.webrtc.fingerprint import Fingerprint, noise_prologue
from darkswap_browser.transports.webrtc.sdp import (
    UFRAG_V1,
    IceCredentials,
    direct_answer,
    fingerprint,
    munge_credentials,
    server_credentials_v2,
)
from darkswap_browser.transports.webrtc.send_budget import SendBudget
from darkswap_browser.transports.webrtc.stream import DataChannelStream

HANDSHAKE_CHANNEL = 0
_UFRAG_RANDOM = 16
"""Bytes; 32 characters in hexadecimal, as many as js uses."""


class Version(StrEnum):
    V1 = "v1"
    V2 = "v2"


class WebRtcDirectTransport:
    """A dialler only: browsers cannot listen."""

    def __init__(
        self,
        webrtc: WebRtc,
        handshaker: Handshaker,
        entropy: Entropy,
        limits: Limits,
        agent_of: Callable[[PeerId], str] = lambda _: "",
    ) -> None:
        self._webrtc = webrtc
        self._handshaker = handshaker
        self._entropy = entropy
        self._limits = limits
        self._agent_of = agent_of
        self._spoken: dict[PeerId, Version] = {}

    @property
    def name(self) -> str:
        return "webrtc-direct"

    def can_dial(self, address: Multiaddr) -> bool:
        """Not by name: a page cannot resolve one to the address that an SDP needs."""
        return self._webrtc.available and address.is_webrtc_direct and address.has("certhash") and _is_ip(address)

    async def dial(self, address: Multiaddr, peer: PeerId | None, on_step: StepHandler) -> Connection:
        target = peer or address.peer_id()
        if target is None:
            raise InvalidArgument("address", f"{address} does not say whom to reach", "It must end in /p2p/<peer id>.")
        error: Exception = ConnectionLost("WebRTC connection", "no version of webrtc-direct left to try")
        for version in sorted(Version, key=lambda version: version is not self._spoken.get(target, Version.V1)):
            on_step("webrtc-direct:connect", version)
            try:
                connection = await self._attempt(address, target, version)
            except (ConnectionLost, TimedOut) as failure:
                error = failure
                continue
            if len(self._spoken) < self._limits.address_book_peers:
                self._spoken[target] = version
            return connection
        raise error

    async def _attempt(self, address: Multiaddr, peer: PeerId, version: Version) -> DataChannelConnection:
        connection = DataChannelConnection(
            self._webrtc,
            RtcConfiguration(),
            self._limits,
            remote_peer=peer,
            remote_addr=address,
            direction=Direction.OUTBOUND,
            on_candidate=lambda _: None,
            transport=self.name,
            agent_of=self._agent_of,
        )
        try:
            await self._connect(connection, address, peer, version)
        except BaseException:
            connection.abort()
            raise
        return connection

    async def _connect(
        self, connection: DataChannelConnection, address: Multiaddr, peer: PeerId, version: Version
    ) -> None:
        host = connection.peer_connection
        # Stays open and unused afterwards: closing it breaks rust, which then sees its number used again.
        channel = DataChannelStream(
            host.create_data_channel("", negotiated_id=HANDSHAKE_CHANNEL),
            SendBudget(self._limits.channel_high_water),
            self._limits,
        )
        offer = await host.create_offer()
        if version is Version.V1:
            secret = UFRAG_V1 + self._entropy.bytes(_UFRAG_RANDOM).hex()
            credentials = IceCredentials(secret, secret)
            offer = replace(offer, sdp=munge_credentials(offer.sdp, secret))
        else:
            credentials = server_credentials_v2(offer.sdp)
        await host.set_local_description(offer)
        server = _certificate(address)
        answer = direct_answer(address.host() or "", address.port() or 0, credentials, server)
        await host.set_remote_description(SessionDescription("answer", answer))
        connection.remote_sdp = answer
        try:
            async with asyncio.timeout(self._limits.direct_attempt):
                await connection.wait_connected()
        except TimeoutError:
            raise TimedOut(f"webrtc-direct {version}", self._limits.direct_attempt) from None
        await channel.wait_open()
        prologue = noise_prologue(fingerprint(offer.sdp), server)
        await self._handshaker.respond(BufferedStream(channel), peer, prologue=prologue)

    def can_listen(self, address: Multiaddr) -> bool:
        return False

    async def listen(self, address: Multiaddr, handler: ConnectionHandler) -> tuple[Multiaddr, ...]:
        raise Unsupported("listening on /webrtc-direct")

    async def close(self) -> None:
        self._spoken.clear()


def _is_ip(address: Multiaddr) -> bool:
    try:
        ipaddress.ip_address(address.host() or "")
    except ValueError:
        return False
    return True


def _certificate(address: Multiaddr) -> Fingerprint:
    """Of the first certificate hash that is a SHA-256, the only kind that servers use. Raises `InvalidArgument`."""
    for text in address.values("certhash"):
        try:
            return Fingerprint.from_certhash(text)
        except MalformedMessage:
            continue
    raise InvalidArgument("address", "holds no SHA-256 certificate hash")
