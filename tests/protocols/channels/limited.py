"""A relay that limits its circuits: counts what each carries, and cuts it off."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from darkswap_browser.errors import ConnectionLost
from darkswap_browser.identity.multiaddr import Multiaddr
from darkswap_browser.identity.peer_id import PeerId
from darkswap_browser.net.connection import CircuitLimit, Connection, Direction
from darkswap_browser.net.transport import ConnectionHandler, StepHandler
from tests.protocols.channels.paths import Node, PathEnd
from tests.support.pipe import PipeEnd


class MeteredPipeEnd(PipeEnd):
    path: Circuit

    async def write(self, data: bytes) -> None:
        if not self.path.carry(len(data)):
            raise ConnectionLost("circuit", "cut")
        # The relay's other link is slower.
        await asyncio.sleep(0.02)
        await super().write(data)


class Circuit(PathEnd):
    """One end of a circuit. Above `most` bytes in one direction the relay drops it, and what was not read."""

    most = 0
    sent = 0

    async def open_stream(self) -> PipeEnd:
        here = await super().open_stream()
        there = here.other
        assert isinstance(here, MeteredPipeEnd) and isinstance(there, MeteredPipeEnd)
        other = self.other
        assert isinstance(other, Circuit)
        here.path, there.path = self, other
        return here

    def carry(self, count: int) -> bool:
        self.sent += count + 60
        if self.sent > self.most:
            self.abort()
        return not self.is_closed

    def abort(self) -> None:
        for side in (self, self.other):
            for end in side.ends:
                end.inbox.end(ConnectionLost("circuit", "cut"), drop=True)
        super().abort()

    def stats(self) -> Mapping[str, Any]:
        assert isinstance(self.other, Circuit)
        return {"bytes_sent": self.sent, "bytes_received": self.other.sent}


class Relay:
    """A transport of both nodes. `circuits`: the dialler's ends, `opened_at` their times."""

    name = "circuit"

    def __init__(self, *nodes: Node, announced: CircuitLimit, most: int = 0) -> None:
        self._nodes = {node.peer: node for node in nodes}
        self._announced = announced
        self._most = most or announced.data or 2**62
        self.circuits: list[Circuit] = []
        for node in nodes:
            node.swarm.add_transport(self)
            node.reach_with(lambda peer, node=node: self._reach(node, peer))

    async def _reach(self, node: Node, peer: PeerId) -> Connection:
        return await node.swarm.dial_address(Multiaddr.parse(f"/ip4/10.0.0.1/tcp/1/p2p/{peer}"))

    def can_dial(self, address: Multiaddr) -> bool:
        return True

    def can_listen(self, address: Multiaddr) -> bool:
        return False

    async def listen(self, address: Multiaddr, handler: ConnectionHandler) -> tuple[Multiaddr, ...]:
        return ()

    async def close(self) -> None:
        pass

    async def dial(self, address: Multiaddr, peer: PeerId | None, on_step: StepHandler) -> Connection:
        await asyncio.sleep(0.1)
        target = address.peer_id()
        assert target is not None
        (origin,) = self._nodes.keys() - {target}
        here = Circuit(target, Direction.OUTBOUND, "circuit", self._announced)
        there = Circuit(origin, Direction.INBOUND, "circuit", self._announced)
        here.other, there.other = there, here
        for end, other in ((here, target), (there, origin)):
            end.kind = MeteredPipeEnd
            end.most = self._most
            end.remote_addr = Multiaddr.parse(f"/ip4/10.0.0.1/tcp/1/p2p/{other}")
        self._nodes[target].swarm.add_connection(there)
        self.circuits.append(here)
        if self._announced.duration:
            asyncio.get_running_loop().call_later(self._announced.duration, here.abort)
        return here

    def used(self) -> list[int]:
        """Bytes that each circuit carried in its fuller direction."""
        return [max(each.sent, each.other.sent) for each in self.circuits if isinstance(each.other, Circuit)]
