"""A py-libp2p circuit relay (trio). Says in a line of JSON when it is ready; ends with its standard input.

Arguments: how many reservations (64), and "tcp" to listen on TCP alone.
"""

from __future__ import annotations

import json
import sys

import multiaddr
import trio
from libp2p import new_host
from libp2p.custom_types import TProtocol
from libp2p.host.ping import ID as PING
from libp2p.host.ping import handle_ping
from libp2p.network.config import ConnectionConfig
from libp2p.rcmgr.connection_limits import ConnectionLimits
from libp2p.rcmgr.manager import ResourceLimits, ResourceManager
from libp2p.relay.circuit_v2.protocol import CircuitV2Protocol
from libp2p.relay.circuit_v2.resources import RelayLimits
from libp2p.tools.anyio_service import background_trio_service

DAY = 86400
GIB = 1 << 30


async def main() -> None:
    most = next((int(each) for each in sys.argv[1:] if each.isdecimal()), 64)
    forms = ["/ip4/127.0.0.1/tcp/0"] if "tcp" in sys.argv else ["/ip4/127.0.0.1/tcp/0/ws", "/ip4/127.0.0.1/tcp/0"]
    listen = [multiaddr.Multiaddr(each) for each in forms]
    # Its defaults stop at 300 connections; they are lifted so that holding many can be compared at all.
    host = new_host(
        listen_addrs=listen,
        connection_config=ConnectionConfig(max_connections=most * 4, high_watermark=most * 4),
        resource_manager=ResourceManager(
            limits=ResourceLimits(max_connections=most * 4, max_memory_mb=8192, max_streams=most * 64),
            connection_limits=ConnectionLimits(),
            enable_memory_limits=False,
            enable_circuit_breaker=False,
            enable_graceful_degradation=False,
            enable_rate_limiting=False,
        ),
    )
    limits = RelayLimits(duration=DAY, data=GIB, max_circuit_conns=most, max_reservations=most, reservation_ttl=3600)
    relay = CircuitV2Protocol(host, limits=limits, allow_hop=True)
    async with host.run(listen_addrs=listen), background_trio_service(relay):
        host.set_stream_handler(TProtocol(PING), handle_ping)
        await relay.event_started.wait()
        said = {"event": "ready", "peer": str(host.get_id()), "addresses": [str(each) for each in host.get_addrs()]}
        sys.stdout.write(json.dumps(said) + "\n")
        sys.stdout.flush()
        lines = trio.wrap_file(sys.stdin)
        while await lines.readline():
            pass


trio.run(main)
