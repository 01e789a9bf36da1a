"""The STUN server's sockets: one UDP port on each address that the relay is reached at."""

from __future__ import annotations

import asyncio
import logging
import socket
from typing import cast

from darkswap_browser.errors import ListenFailed
from darkswap_browser.relayd.stun.machine import StunResponder

logger = logging.getLogger(__name__)


class StunServer:
    """Listens from `open` to `close`; `responder` has the rules and the figures."""

    def __init__(self) -> None:
        self.responder = StunResponder()
        self._transports: list[asyncio.DatagramTransport] = []

    async def open(self, hosts: list[str], port: int) -> None:
        """Listen on the UDP port of each of `hosts`, IP addresses. Raises `ListenFailed`; then on none."""
        loop = asyncio.get_running_loop()
        try:
            for host in hosts:
                bound = _socket(host, port)
                transport, _ = await loop.create_datagram_endpoint(lambda: _Asked(self.responder), sock=bound)
                self._transports.append(transport)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Idempotent."""
        for transport in self._transports:
            transport.close()
        self._transports.clear()


class _Asked(asyncio.DatagramProtocol):
    def __init__(self, responder: StunResponder) -> None:
        self._responder = responder
        self._now = asyncio.get_running_loop().time
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        ip, port = addr[:2]
        answer = self._responder.respond(data, ip.partition("%")[0], port, self._now())
        if answer is not None and self._transport is not None:
            self._transport.sendto(answer, addr)

    def error_received(self, exc: Exception) -> None:
        """An ICMP error for an answer: its asker is gone."""
        logger.debug("stun answer undeliverable: %s", exc)


def _socket(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        bound = socket.socket(family, socket.SOCK_DGRAM)
    except OSError as error:
        raise ListenFailed(host, port, error.strerror or str(error)) from error
    try:
        if family == socket.AF_INET6:
            # An IPv4 socket of its own is beside it.
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        bound.setblocking(False)
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        raise ListenFailed(host, port, error.strerror or str(error)) from error
    return bound
