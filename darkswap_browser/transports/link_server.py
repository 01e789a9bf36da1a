"""What TCP and WebSocket share: dialling a link and listening for links, each upgraded to a connection."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from darkswap_browser.errors import DarkSwapError, InvalidArgument
from darkswap_browser.identity.multiaddr import Multiaddr
from darkswap_browser.identity.peer_id import PeerId
from darkswap_browser.net.connection import Connection
from darkswap_browser.net.transport import ConnectionHandler
from darkswap_browser.net.upgrade import Upgrader
from darkswap_browser.runtime.base.links import ByteLink, LinkHandler, LinkListener

Listen = Callable[[str, int, LinkHandler], Awaitable[LinkListener]]


class LinkServer:
    """The listeners of one transport, closed together."""

    def __init__(self, upgrader: Upgrader, transport: str) -> None:
        self._upgrader = upgrader
        self._transport = transport
        self._listeners: list[LinkListener] = []

    async def dialled(self, link: ByteLink, address: Multiaddr, peer: PeerId | None) -> Connection:
        return await self._upgrader.upgrade_outbound(
            link, peer=address.peer_id() or peer, address=address, transport=self._transport
        )

    async def listen(self, address: Multiaddr, handler: ConnectionHandler, listen: Listen) -> tuple[Multiaddr, ...]:
        """Binds; the address returned has the port that was taken."""
        host, port = address.host(), address.port()
        if host is None or port is None:
            raise InvalidArgument("multiaddr", f"{address} has no host and TCP port")

        async def accepted(link: ByteLink, ip: str) -> None:
            # Who dials has no address to be dialled at, so only the host of it is named.
            remote = Multiaddr.parse(f"/{'ip6' if ':' in ip else 'ip4'}/{ip}")
            try:
                connection = await self._upgrader.upgrade_inbound(
                    link, peer=None, address=remote, transport=self._transport
                )
            except DarkSwapError:
                # The upgrader has reset the link: whoever called is told by that, and the listener goes on.
                return
            await handler(connection)
            await connection.wait_closed()

        listener = await listen(host, port, accepted)
        self._listeners.append(listener)
        before, _, after = str(address).partition(f"/tcp/{port}")
        return (Multiaddr.parse(f"{before}/tcp/{listener.port}{after}"),)

    async def close(self) -> None:
        listeners, self._listeners = self._listeners, []
        for listener in listeners:
            await listener.close()


def dialled_endpoint(address: Multiaddr) -> tuple[str, int]:
    """Raises `InvalidArgument` as `Multiaddr.endpoint`, and without a port."""
    host, port = address.endpoint()
    if port is None:
        raise InvalidArgument("multiaddr", f"{address} has no TCP port")
    return host, port
