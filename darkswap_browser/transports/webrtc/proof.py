"""The first round trip over a new direct connection."""

from __future__ import annotations

import asyncio

from darkswap_browser.errors import ProtocolUnsupported, TimedOut
from darkswap_browser.net.limits import Limits
from darkswap_browser.net.negotiate import confirm, proposal
from darkswap_browser.net.stream import BufferedStream, close_or_reset
from darkswap_browser.transports.webrtc.connection import DataChannelConnection

_PROTOCOL = "/ipfs/ping/1.0.0"
_PAYLOAD = b"darkswap: is the path both ways?"
"""32 bytes, as a ping is."""


class RoundTripProof:
    """One round trip: a path that works in one direction, or a peer that is not there yet, is not connected.

    Its stream is made before the offer, so that what it says travels with the first packets.
    """

    def __init__(self, stream: BufferedStream, limits: Limits) -> None:
        self._stream = stream
        self._limits = limits

    @classmethod
    async def send(cls, connection: DataChannelConnection, limits: Limits) -> RoundTripProof:
        """Make the stream and write to it; the bytes leave once the connection is up."""
        stream = BufferedStream(connection.create_first_stream())
        await stream.write(proposal(_PROTOCOL, _PAYLOAD))
        return cls(stream, limits)

    async def receive(self) -> None:
        """Wait for the answer. Any answer to the proposal will do; a peer need not offer ping. Raises `TimedOut`."""
        seconds = self._limits.signaling_timeout
        try:
            async with asyncio.timeout(seconds):
                try:
                    await confirm(self._stream, _PROTOCOL, self._limits)
                    await self._stream.read_exactly(len(_PAYLOAD))
                except ProtocolUnsupported:
                    pass
                await close_or_reset(self._stream)
        except TimeoutError:
            raise TimedOut("the first round trip over the direct connection", seconds) from None
