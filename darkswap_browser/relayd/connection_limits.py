"""How many sockets the host lets us open, listeners that close together, and how handshakes go."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Callable

from darkswap_browser.errors import DarkSwapError
from darkswap_browser.identity.keys import Identity
from darkswap_browser.identity.multiaddr import Multiaddr
from darkswap_browser.identity.peer_id import PeerId
from darkswap_browser.net.connection import CircuitLimit, Connection
from darkswap_browser.net.limits import Limits
from darkswap_browser.net.swarm import Swarm
from darkswap_browser.net.upgrade import Upgrader
from darkswap_browser.runtime.base.host import Runtime
from darkswap_browser.runtime.base.links import ByteLink, LinkHandler, LinkListener, Sockets

MOST_SOCKETS = 4096
RESERVED = 150
"""Descriptors: 100 in the kernel's queue of each turn, the rest for ourselves."""
ADDRESSES = 16
LEAST_PER_ADDRESS = 16
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
    """Links that may be open. As many sockets as the kernel queues may be accepted at once before one is closed."""
    return min(int(descriptors * SHARE_OF_DESCRIPTORS), max(descriptors - RESERVED, descriptors // 4), MOST_SOCKETS)


def address_limit(links: int) -> int:
    """Of one address: enough for an office, and a sixteenth of all."""
    return max(links // ADDRESSES, LEAST_PER_ADDRESS)


class ListeningSockets:
    """`Sockets` whose listeners can be closed together."""

    def __init__(self, sockets: Sockets) -> None:
        self._sockets = sockets
        self._listeners: list[LinkListener] = []

    async def connect_websocket(self, url: str) -> ByteLink:
        return await self._sockets.connect_websocket(url)

    async def connect_tcp(self, host: str, port: int) -> ByteLink:
        return await self._sockets.connect_tcp(host, port)

    async def listen_websocket(
        self, host: str, port: int, handler: LinkHandler, tls: tuple[str, str] | None = None
    ) -> LinkListener:
        return self._listening(await self._sockets.listen_websocket(host, port, handler, tls))

    async def listen_tcp(self, host: str, port: int, handler: LinkHandler) -> LinkListener:
        return self._listening(await self._sockets.listen_tcp(host, port, handler))

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


class InstrumentedUpgrader(Upgrader):
    """Tells how long handshakes of inbound links took, and by which error code they failed."""

    def __init__(
        self,
        identity: Identity,
        runtime: Runtime,
        limits: Limits,
        took: Callable[[float], None],
        failed: Callable[[str], None],
        swarm: Swarm,
    ) -> None:
        super().__init__(
            identity,
            runtime.crypto,
            runtime.entropy,
            limits,
            swarm.faults.report,
            memory=swarm.memory,
            is_ours=swarm.ours.__contains__,
        )
        self._took = took
        self._failed = failed

    async def upgrade_inbound(
        self,
        link: ByteLink,
        *,
        peer: PeerId | None,
        address: Multiaddr,
        transport: str,
        limit: CircuitLimit | None = None,
    ) -> Connection:
        loop = asyncio.get_running_loop()
        started = loop.time()
        try:
            connection = await super().upgrade_inbound(
                link, peer=peer, address=address, transport=transport, limit=limit
            )
        except DarkSwapError as error:
            self._failed(error.code)
            raise
        self._took(loop.time() - started)
        return connection
