"""The STUN servers of the relays that a node is connected to: how it learns its public address when told no server."""

from __future__ import annotations

import asyncio

from darkswap_browser.identity.peer_id import PeerId
from darkswap_browser.net.connection import Connection, Direction
from darkswap_browser.net.events import Event, PeerIdentified
from darkswap_browser.net.swarm import Swarm
from darkswap_browser.node.config import NetworkConfig
from darkswap_browser.protocols.relay.client import RelayClient
from darkswap_browser.protocols.stun import stun_port, stun_url
from darkswap_browser.runtime.base.webrtc import IceServer, RtcConfiguration

IDENTIFY_SECONDS = 1.0
"""One round trip, on a busy relay; the relayed path is there meanwhile."""
MAX_SERVERS = 2
"""One tells the address, another helps where the first is silent; browsers warn from five on."""


class RelayStun:
    """Relays tell the UDP port in identify; the host is the one at which we reached them."""

    def __init__(self, swarm: Swarm, client: RelayClient, config: NetworkConfig) -> None:
        self._swarm = swarm
        self._client = client
        self._config = config

    @property
    def is_wanted(self) -> bool:
        """Whether relays are asked at all: a server of the configuration's own, or TURN alone, stands for itself."""
        config = self._config
        return config.relay_stun and not config.ice_servers and not config.relay_only

    def configuration(self) -> RtcConfiguration:
        """For the next peer connection."""
        if not self.is_wanted:
            return self._config.rtc
        urls = self._urls()
        return RtcConfiguration(ice_servers=(IceServer(urls),) if urls else ())

    def knows(self, relay: PeerId) -> bool:
        """Whether waiting for the relay's identify would change nothing."""
        return not self.is_wanted or bool(self._swarm.address_book.protocols(relay))

    async def learn(self, relay: PeerId) -> None:
        """Wait until a connected relay has told who it is, for at most `IDENTIFY_SECONDS`."""
        identified = asyncio.Event()

        def look(event: Event) -> None:
            if isinstance(event, PeerIdentified) and event.peer == relay:
                identified.set()

        unsubscribe = self._swarm.subscribe(look)
        try:
            async with asyncio.timeout(IDENTIFY_SECONDS):
                while not self.knows(relay):
                    await identified.wait()
        except TimeoutError:
            return  # a relay that does not say whether it answers STUN is taken for one that does not
        finally:
            unsubscribe()

    def _urls(self) -> tuple[str, ...]:
        relays = sorted(self._client.relays, key=lambda relay: self._client.reservation(relay) is None)
        found = (self._url(relay) for relay in relays)
        return tuple(dict.fromkeys(url for url in found if url is not None))[:MAX_SERVERS]

    def _url(self, relay: PeerId) -> str | None:
        port = stun_port(self._swarm.address_book.protocols(relay))
        if port is None:
            return None
        hosts = (host for each in self._swarm.connections(relay) if (host := _dialled_host(each)) is not None)
        host = next(hosts, None)
        return None if host is None else stun_url(host, port)


def _dialled_host(connection: Connection) -> str | None:
    if connection.direction is not Direction.OUTBOUND or connection.remote_addr.has("p2p-circuit"):
        return None
    return connection.remote_addr.host()
