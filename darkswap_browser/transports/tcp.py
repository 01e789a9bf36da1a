"""TCP, on hosts that have it: `/ip4/…/tcp/N`, `/dns4/…/tcp/N`."""

from __future__ import annotations

from darkswap_browser.identity.multiaddr import Multiaddr
from darkswap_browser.identity.peer_id import PeerId
from darkswap_browser.net.connection import Connection
from darkswap_browser.net.transport import ConnectionHandler, StepHandler
from darkswap_browser.net.upgrade import Upgrader
from darkswap_browser.runtime.base.links import Sockets
from darkswap_browser.transports.link_server import LinkServer, dialled_endpoint


class TcpTransport:
    def __init__(self, sockets: Sockets, upgrader: Upgrader) -> None:
        self._sockets = sockets
        self._server = LinkServer(upgrader, self.name)

    @property
    def name(self) -> str:
        return "tcp"

    def can_dial(self, address: Multiaddr) -> bool:
        return address.is_tcp

    async def dial(self, address: Multiaddr, peer: PeerId | None, on_step: StepHandler) -> Connection:
        on_step("tcp:connect", str(address))
        link = await self._sockets.connect_tcp(*dialled_endpoint(address))
        on_step("tcp:upgrade", str(address))
        return await self._server.dialled(link, address, peer)

    def can_listen(self, address: Multiaddr) -> bool:
        return address.is_tcp

    async def listen(self, address: Multiaddr, handler: ConnectionHandler) -> tuple[Multiaddr, ...]:
        return await self._server.listen(address, handler, self._sockets.listen_tcp)

    async def close(self) -> None:
        await self._server.close()
