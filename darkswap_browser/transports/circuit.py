"""Connections through a relay: Noise and yamux over a circuit, so the relay sees ciphertext only.

https://github.com/libp2p/specs/blob/master/relay/circuit-v2.md
"""

from __future__ import annotations

from darkswap_browser.errors import InvalidArgument, RemoteError, StreamError, TimedOut, Unsupported
from darkswap_browser.identity.multiaddr import Multiaddr
from darkswap_browser.identity.peer_id import PeerId
from darkswap_browser.net.connection import Connection
from darkswap_browser.net.transport import ConnectionHandler, StepHandler
from darkswap_browser.net.upgrade import Upgrader
from darkswap_browser.protocols.relay.client import Circuit, RelayClient


class CircuitTransport:
    """Dials `<relay>/p2p-circuit/p2p/<peer>`. Listening on `/p2p-circuit` takes circuits from every relay that is
    kept; listening on `<relay>/p2p-circuit` keeps that relay as well. Addresses come and go with reservations and
    are announced by the relay client, so `listen` returns none.
    """

    def __init__(self, client: RelayClient, upgrader: Upgrader) -> None:
        self._client = client
        self._upgrader = upgrader
        self._handler: ConnectionHandler | None = None

    @property
    def name(self) -> str:
        return "circuit"

    def can_dial(self, address: Multiaddr) -> bool:
        return address.is_circuit and address.relay_peer_id() is not None

    async def dial(self, address: Multiaddr, peer: PeerId | None, on_step: StepHandler) -> Connection:
        relay, target = address.relay_peer_id(), address.peer_id() or peer
        parts = address.split_circuit()
        if relay is None or parts is None:
            raise InvalidArgument("multiaddr", f"{address} names no relay")
        if target is None:
            raise InvalidArgument("multiaddr", f"{address} does not say whom to reach behind the relay")
        on_step("circuit-relay:open-connection", str(relay))
        # An address of the relay alone, without a way to it, serves when we know the relay already.
        way = (parts[0],) if parts[0].host() is not None else ()
        begun = await self._upgrader.begin_outbound()
        circuit = await self._client.connect(relay, target, way, first=begun.data)
        on_step("circuit-relay:upgrade", str(target))
        return await self._upgrader.upgrade_outbound(
            circuit.stream,
            peer=target,
            address=circuit.address,
            transport=self.name,
            limit=circuit.limit,
            begun=begun,
        )

    def can_listen(self, address: Multiaddr) -> bool:
        return address.is_circuit and address.peer_id() is None

    async def listen(self, address: Multiaddr, handler: ConnectionHandler) -> tuple[Multiaddr, ...]:
        if self._handler is not None and self._handler != handler:
            raise Unsupported("a second handler of inbound circuits")
        self._handler = handler
        self._client.accept(self._inbound)
        parts = address.split_circuit()
        if parts is not None and parts[0]:
            self._client.keep_reservation(self._client.add_relay(parts[0]))
        return ()

    async def close(self) -> None:
        self._handler = None

    async def _inbound(self, circuit: Circuit) -> None:
        """The peer that the relay named has to prove itself like any other."""
        handler = self._handler
        if handler is None:
            circuit.stream.reset()
            return
        try:
            connection = await self._upgrader.upgrade_inbound(
                circuit.stream, peer=circuit.peer, address=circuit.address, transport=self.name, limit=circuit.limit
            )
        except (RemoteError, StreamError, TimedOut):
            return  # reset by the upgrader; the other side sees it
        await handler(connection)
