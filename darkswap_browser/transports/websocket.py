"""WebSockets: dialled from every host, listened on where the host can.

A message carries an opaque piece of a byte stream; TLS below it does not stand in for Noise.
https://github.com/libp2p/specs/blob/master/websockets/README.md
"""

from __future__ import annotations

from darkswap_browser.errors import Unsupported
from darkswap_browser.identity.multiaddr import Multiaddr
from darkswap_browser.identity.peer_id import PeerId
from darkswap_browser.net.connection import Connection
from darkswap_browser.net.transport import ConnectionHandler, StepHandler
from darkswap_browser.net.upgrade import Upgrader
from darkswap_browser.runtime.base.links import LinkHandler, LinkListener, Sockets
from darkswap_browser.transports.link_server import LinkServer


class WebSocketTransport:
    """`tls`: paths of certificate chain and private key (PEM), needed to listen on `wss` addresses."""

    def __init__(self, sockets: Sockets, upgrader: Upgrader, tls: tuple[str, str] | None = None) -> None:
        self._sockets = sockets
        self._tls = tls
        self._server = LinkServer(upgrader, self.name)

    @property
    def name(self) -> str:
        return "websocket"

    def can_dial(self, address: Multiaddr) -> bool:
        return address.is_websocket

    async def dial(self, address: Multiaddr, peer: PeerId | None, on_step: StepHandler) -> Connection:
        on_step("websocket:connect", str(address))
        link = await self._sockets.connect_websocket(address.websocket_url())
        on_step("websocket:upgrade", str(address))
        return await self._server.dialled(link, address, peer)

    def can_listen(self, address: Multiaddr) -> bool:
        return address.is_websocket

    async def listen(self, address: Multiaddr, handler: ConnectionHandler) -> tuple[Multiaddr, ...]:
        secure = address.is_secure_websocket
        if secure and self._tls is None:
            raise Unsupported("listening on wss", "Give the paths of a certificate and its private key.")

        async def listen(host: str, port: int, accepted: LinkHandler) -> LinkListener:
            return await self._sockets.listen_websocket(host, port, accepted, self._tls if secure else None)

        return await self._server.listen(address, handler, listen)

    async def close(self) -> None:
        await self._server.close()
