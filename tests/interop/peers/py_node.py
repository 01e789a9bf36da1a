"""A py-libp2p node (trio), driven over lines of JSON: {id, do, ...} in, {id, ok | error} and {event, ...} out."""

from __future__ import annotations

import json
import sys
import time

import multiaddr
import trio
from libp2p import new_host
from libp2p.custom_types import TProtocol
from libp2p.host.ping import ID as PING
from libp2p.host.ping import handle_ping
from libp2p.network.stream.exceptions import StreamEOF
from libp2p.peer.id import ID
from libp2p.peer.peerinfo import info_from_p2p_addr

ECHO = TProtocol("/echo/1.0.0")
CHUNK = 65536


def say(value: object) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


async def answer_echo(stream) -> None:
    try:
        while data := await stream.read(CHUNK):
            await stream.write(data)
    except StreamEOF:
        pass
    await stream.close()


class Node:
    def __init__(self, host) -> None:
        self.host = host

    async def dial(self, address: str) -> str:
        info = info_from_p2p_addr(multiaddr.Multiaddr(address))
        await self.host.connect(info)
        return str(info.peer_id)

    async def echo(self, address: str, size: int) -> int:
        peer = ID.from_base58(await self.dial(address))
        stream = await self.host.new_stream(peer, [ECHO])
        sent = bytes(index * 31 & 255 for index in range(size))
        received = bytearray()

        async def read() -> None:
            while len(received) < size:
                received.extend(await stream.read(CHUNK))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(read)
            for at in range(0, size, CHUNK):
                await stream.write(sent[at : at + CHUNK])
        await stream.close()
        if received != sent:
            raise ValueError("the echo differs")
        return len(received)

    async def ping(self, address: str) -> float:
        peer = ID.from_base58(await self.dial(address))
        stream = await self.host.new_stream(peer, [PING])
        started = time.monotonic()
        await stream.write(bytes(range(32)))
        if await stream.read(32) != bytes(range(32)):
            raise ValueError("the echo differs")
        await stream.close()
        return time.monotonic() - started

    async def propose(self, address: str, protocol: str) -> None:
        peer = ID.from_base58(await self.dial(address))
        await self.host.new_stream(peer, [TProtocol(protocol)])

    async def identified(self, peer: str) -> dict[str, object] | None:
        store, identity = self.host.get_peerstore(), ID.from_base58(peer)
        return {"protocols": store.get_protocols(identity), "addresses": [str(each) for each in store.addrs(identity)]}

    async def hang_up(self, peer: str) -> None:
        await self.host.disconnect(ID.from_base58(peer))


async def obey(node: Node, command: dict) -> None:
    number, action = command.pop("id"), command.pop("do")
    try:
        say({"id": number, "ok": await getattr(node, action)(**command)})
    except (Exception, BaseExceptionGroup) as error:
        say({"id": number, "error": f"{type(error).__name__}: {error}"})


async def main() -> None:
    listen = [multiaddr.Multiaddr("/ip4/127.0.0.1/tcp/0"), multiaddr.Multiaddr("/ip4/127.0.0.1/tcp/0/ws")]
    host = new_host(listen_addrs=listen)
    async with host.run(listen_addrs=listen), trio.open_nursery() as nursery:
        host.set_stream_handler(ECHO, answer_echo)
        host.set_stream_handler(PING, handle_ping)
        addresses = [str(each) for each in host.get_addrs()]
        say({"event": "ready", "peer": str(host.get_id()), "addresses": addresses})
        node = Node(host)
        lines = trio.wrap_file(sys.stdin)
        while line := await lines.readline():
            nursery.start_soon(obey, node, json.loads(line))
        nursery.cancel_scope.cancel()


trio.run(main)
