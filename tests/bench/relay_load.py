"""Load on a relay: how many reservations it grants, and what holding them costs. Loopback only, ends by itself.

The same clients (ours, on WebSockets) load every relay, each a process of its own with one event loop. Clients and
relay share the machine, so the rate is counted per second of the relay's own processor time: what one core of it
grants. Memory is what the relay process grew by from the first connection on, connections included.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from darkswap_browser.errors import DarkSwapError
from darkswap_browser.identity.keys import Identity
from darkswap_browser.identity.multiaddr import Multiaddr
from darkswap_browser.net.address_book import AddressBook
from darkswap_browser.net.connection import Connection
from darkswap_browser.net.limits import DEFAULT_LIMITS
from darkswap_browser.net.swarm import Swarm
from darkswap_browser.net.upgrade import Upgrader
from darkswap_browser.protocols.relay.messages import (
    HOP_PROTOCOL,
    MAX_MESSAGE,
    HopMessage,
    HopType,
    Status,
    decode_hop,
    encode_hop,
)
from darkswap_browser.runtime.native.host import native_runtime
from darkswap_browser.transports.websocket import WebSocketTransport

ROOT = Path(__file__).resolve().parents[2]
HELD = 1024
AT_ONCE = 32
"""Requests under way together."""
SETTLE = 3.0
"""Seconds for identify and the like to end before memory is read."""
TICK = os.sysconf("SC_CLK_TCK")
PAGE = resource.getpagesize()

COMMANDS = {
    "ours": (
        *("-m", "darkswap_browser.relayd", "--no-identity-file", "--admin", "off"),
        *("--listen", "/ip4/127.0.0.1/tcp/0/ws", "--reservations", str(HELD * 2), "--connections", str(HELD * 2)),
    ),
    "behind a proxy": (
        *("-m", "darkswap_browser.relayd", "--no-identity-file", "--admin", "off", "--stun", "off"),
        *("--listen", "/ip4/127.0.0.1/tcp/0/ws", "--trusted-proxy", "127.0.0.1"),
    ),
    "py-libp2p": (str(ROOT / "tests" / "interop" / "peers" / "py_relay.py"), str(HELD * 2)),
}


@dataclass(frozen=True, slots=True)
class Load:
    """`joins_per_second`: connection, handshake and reservation together. Rates are per processor second.

    `held`: reservations in force at the end; fewer than asked for when a relay lost clients under load.
    """

    held: int
    reservations_per_second: float
    joins_per_second: float
    kilobytes_each: float
    wall_seconds: float


class RelayProcess:
    def __init__(self, process: subprocess.Popen[bytes], address: Multiaddr) -> None:
        self._stat = Path(f"/proc/{process.pid}/stat")
        self._statm = Path(f"/proc/{process.pid}/statm")
        self.address = address

    def processor_seconds(self) -> float:
        fields = self._stat.read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICK

    def resident(self) -> int:
        """Bytes."""
        return int(self._statm.read_text().split()[1]) * PAGE


@contextlib.contextmanager
def relay_process(side: str, *options: str) -> Iterator[RelayProcess]:
    """`side`: a key of `COMMANDS`; `options` are added to its command, in place of what it listens on."""
    command = COMMANDS[side]
    if options:
        command = (*(word for word in command[: command.index("--listen")] if word != "--no-identity-file"), *options)
    process = subprocess.Popen(
        [sys.executable, *command],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    try:
        assert process.stdout is not None
        addresses = json.loads(process.stdout.readline())["addresses"]
        yield RelayProcess(process, Multiaddr.parse(next(each for each in addresses if "/ws/" in each)))
    finally:
        process.kill()
        process.wait()


class Clients:
    """`HELD` identities, each with one connection."""

    def __init__(self, address: Multiaddr) -> None:
        self._address = address
        self._runtime = native_runtime()
        self._swarms: list[Swarm] = []
        self._connections: list[tuple[Swarm, Connection]] = []

    async def connect(self, count: int) -> None:
        slots = asyncio.Semaphore(AT_ONCE)
        await asyncio.gather(*(self._connect(slots) for _ in range(count)))

    async def _connect(self, slots: asyncio.Semaphore) -> None:
        async with slots:
            identity = await Identity.generate(self._runtime.crypto)
            swarm = Swarm(identity, DEFAULT_LIMITS, AddressBook(DEFAULT_LIMITS))
            upgrader = Upgrader(identity, self._runtime.crypto, self._runtime.entropy, DEFAULT_LIMITS)
            swarm.add_transport(WebSocketTransport(self._runtime.sockets, upgrader))
            self._swarms.append(swarm)
            try:
                self._connections.append((swarm, await swarm.dial_address(self._address)))
            except DarkSwapError:
                return  # counted by its absence

    async def reserve(self) -> int:
        """Everybody once; how many were granted."""
        slots = asyncio.Semaphore(AT_ONCE)
        granted = await asyncio.gather(*(self._reserve(slots, *each) for each in self._connections))
        return sum(granted)

    async def _reserve(self, slots: asyncio.Semaphore, swarm: Swarm, connection: Connection) -> bool:
        async with slots:
            try:
                stream = (await swarm.new_stream(connection, [HOP_PROTOCOL])).stream
                await stream.write_message(encode_hop(HopMessage(HopType.RESERVE)))
                answer = decode_hop(await stream.read_message(MAX_MESSAGE))
                await stream.close()
            except DarkSwapError:
                return False
            return answer.status == Status.OK

    def still_open(self) -> int:
        return sum(not connection.is_closed for _, connection in self._connections)

    async def close(self) -> None:
        await asyncio.gather(*(swarm.close() for swarm in self._swarms))


async def _load(relay: RelayProcess, count: int) -> Load:
    clients = Clients(relay.address)
    try:
        # The first ones wake up what the relay loads late; they are no part of what is counted.
        await clients.connect(8)
        await clients.reserve()
        await asyncio.sleep(SETTLE)
        empty = relay.resident()
        began, processor = time.monotonic(), relay.processor_seconds()
        await clients.connect(count - 8)
        await asyncio.sleep(SETTLE)
        connected = relay.processor_seconds()
        granted = await clients.reserve()
        wall, reserved = time.monotonic() - began - SETTLE, relay.processor_seconds()
        await asyncio.sleep(SETTLE)
        held = min(granted, clients.still_open())
        if held < count // 2:
            raise RuntimeError(f"only {held} of {count} reservations are held")
        return Load(
            held=held,
            reservations_per_second=granted / (reserved - connected),
            joins_per_second=granted / (reserved - processor),
            kilobytes_each=(relay.resident() - empty) / (held - 8) / 1000,
            wall_seconds=wall,
        )
    finally:
        await clients.close()


def measure(side: str, count: int = HELD) -> Load:
    """`side`: a key of `COMMANDS`."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, count * 4)), hard))
    gc.collect()
    with relay_process(side) as relay:
        return asyncio.run(_load(relay, count))


if __name__ == "__main__":
    for name in sys.argv[1:] or COMMANDS:
        print(name, measure(name))
