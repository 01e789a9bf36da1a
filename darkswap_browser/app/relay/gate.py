"""The relay's front door: how many sockets may be open, counted before anything is read from them."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Callable

from darkswap_browser.runtime.base import ByteLink, LinkHandler, LinkListener, Sockets

MOST_SOCKETS = 4096
SHARE_OF_DESCRIPTORS = 0.8
"""The rest is for files, the admin port and whatever the host opens for itself."""


def raise_descriptor_limit() -> int:
    """Open as many file descriptors as the hard limit lets us; returns the limit now in force."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_SOCKETS * 2 if hard == resource.RLIM_INFINITY else min(hard, MOST_SOCKETS * 2)
    if wanted > soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        return wanted
    return soft


def socket_limit(descriptors: int) -> int:
    return min(int(descriptors * SHARE_OF_DESCRIPTORS), MOST_SOCKETS)


class GatedSockets:
    """`Sockets` that turn away links above `limit`. `refused` hears of each."""

    def __init__(self, sockets: Sockets, limit: int, refused: Callable[[], None]) -> None:
        self._sockets = sockets
        self._limit = limit
        self._refused = refused
        self._listeners: list[LinkListener] = []
        self.open = 0

    async def connect_websocket(self, url: str) -> ByteLink:
        return await self._sockets.connect_websocket(url)

    async def connect_tcp(self, host: str, port: int) -> ByteLink:
        return await self._sockets.connect_tcp(host, port)

    async def listen_websocket(
        self, host: str, port: int, handler: LinkHandler, tls: tuple[str, str] | None = None
    ) -> LinkListener:
        return self._listening(await self._sockets.listen_websocket(host, port, self._gated(handler), tls))

    async def listen_tcp(self, host: str, port: int, handler: LinkHandler) -> LinkListener:
        return self._listening(await self._sockets.listen_tcp(host, port, self._gated(handler)))

    async def stop_listening(self) -> None:
        """No new links; those open stay."""
        await asyncio.gather(*(listener.close() for listener in self._listeners))
        self._listeners.clear()

    @property
    def is_listening(self) -> bool:
        return bool(self._listeners)

    def _listening(self, listener: LinkListener) -> LinkListener:
        self._listeners.append(listener)
        return listener

    def _gated(self, handler: LinkHandler) -> LinkHandler:
        async def accepted(link: ByteLink, ip: str) -> None:
            if self.open >= self._limit:
                self._refused()
                link.reset()
                return
            counted = _CountedLink(link, self._ended)
            self.open += 1
            await handler(counted, ip)

        return accepted

    def _ended(self) -> None:
        self.open -= 1


class _CountedLink:
    """A link that says once when it is over. Whoever owns a link closes or resets it at its end."""

    def __init__(self, link: ByteLink, ended: Callable[[], None]) -> None:
        self._link = link
        self._ended = ended
        self._over = False
        self.read = link.read
        self.write = link.write

    async def close(self) -> None:
        try:
            await self._link.close()
        finally:
            self._finish()

    def reset(self) -> None:
        self._link.reset()
        self._finish()

    def _finish(self) -> None:
        if not self._over:
            self._over = True
            self._ended()
