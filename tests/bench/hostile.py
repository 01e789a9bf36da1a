"""What honest peers notice while others do their worst: rows that must hold. Loopback only, ends by itself."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from darkswap_browser import Network, NetworkConfig
from darkswap_browser.errors import DarkSwapError
from darkswap_browser.net.yamux.frames import DATA, FIN, SYN, pack
from tests.bench import relay_load
from tests.bench.flooder import FLOODS, RESERVE, SILENT, RawPeer
from tests.bench.relay_load import RelayProcess, relay_process
from tests.bench.row import Row
from tests.bench.rows import site
from tests.browser.face import OpenPage, Relay
from tests.browser.test_hostile_peers import FLOOD, SPY
from tests.interop.processes import our_relay
from tests.protocols.test_worst_costs import CASES, least_seconds
from tests.support.chrome import Chrome

FLOOD_SECONDS = 12.0
QUIET_SECONDS = 3.0
HONEST = 50
NODES = 100
DOWN_SECONDS = 40.0
PATIENCE = 15.0
MB = 1_000_000


@dataclass(slots=True)
class Service:
    """What honest newcomers met with. `joins`: seconds from connecting to a reservation."""

    joins: list[float] = field(default_factory=list)
    refused: int = 0
    most_resident: int = 0

    @property
    def served(self) -> float:
        """Percent."""
        return 100 * len(self.joins) / max(len(self.joins) + self.refused, 1)

    def at(self, part: float) -> float:
        """Milliseconds."""
        times = sorted(self.joins) or [PATIENCE]
        return times[min(len(times) - 1, int(part * len(times)))] * 1000


class HonestCrowd:
    """`HONEST` peers, each with an address of its own, that come, reserve and leave, one after the other."""

    def __init__(self, relay: RelayProcess) -> None:
        self._relay = relay
        self.service = Service()

    async def come(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        watch = asyncio.ensure_future(self._watch())
        try:
            await asyncio.gather(*(self._client(number, end) for number in range(HONEST)))
        finally:
            watch.cancel()

    async def _client(self, number: int, end: float) -> None:
        await asyncio.sleep(number * 0.04)
        while time.monotonic() < end:
            started = time.monotonic()
            try:
                async with asyncio.timeout(PATIENCE):
                    peer = await RawPeer.open(self._relay.address, f"198.51.100.{number}")
                    try:
                        stream = peer.numbers(1)[0]
                        await peer.write(pack(DATA, SYN | FIN, stream, len(RESERVE)) + RESERVE)
                        while len(await peer.stream.read(65536)) < len(RESERVE):
                            pass  # the answer is longer than any frame before it
                    finally:
                        peer.close()
                self.service.joins.append(time.monotonic() - started)
            except (OSError, EOFError, DarkSwapError):
                self.service.refused += 1
            await asyncio.sleep(2)

    async def _watch(self) -> None:
        while True:
            self.service.most_resident = max(self.service.most_resident, self._relay.resident())
            await asyncio.sleep(0.2)


def _under(name: str | None) -> Service:
    """The service of a relay of its own under this flood; None: under none."""
    with relay_process("behind a proxy") as relay:
        attack = None
        if name is not None:
            command = [sys.executable, "-m", "tests.bench.flooder", name, str(relay.address), str(FLOOD_SECONDS + 3)]
            attack = subprocess.Popen(command, cwd=relay_load.ROOT)
        try:
            crowd = HonestCrowd(relay)
            time.sleep(2)
            asyncio.run(crowd.come(FLOOD_SECONDS))
            return crowd.service
        finally:
            if attack is not None:
                attack.kill()
                attack.wait()


def floods() -> list[Row]:
    """A relay under one flood after the other, all of one address, beside honest peers of others."""
    quiet = _under(None)
    rows: list[Row] = []
    for name in (SILENT, *FLOODS):
        found = _under(name)
        rows += [
            Row(name=f"relay, {name}: honest joins", unit="%", ours=found.served, aims={"absolute": 99.0}),
            Row(
                name=f"relay, {name}: join p50",
                unit="ms",
                ours=found.at(0.5),
                against={"no flood": quiet.at(0.5)},
                aims={"absolute": 500.0},
                more_is_better=False,
                note=f"p95 {found.at(0.95):.0f} ms",
            ),
            Row(
                name=f"relay, {name}: memory at most",
                unit="MB",
                ours=found.most_resident / MB,
                against={"no flood": quiet.most_resident / MB},
                aims={"absolute": 400.0},
                more_is_better=False,
            ),
        ]
    return rows


def returning() -> list[Row]:
    """How long after a relay was away for `DOWN_SECONDS` all its nodes have their reservations again."""
    with tempfile.TemporaryDirectory(prefix="darkswap-bench-") as folder:
        return asyncio.run(_returning(Path(folder)))


async def _returning(folder: Path) -> list[Row]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = ("--identity", str(folder / "identity"), "--listen", f"/ip4/127.0.0.1/tcp/{port}/ws")
    with relay_process("ours", *options) as relay:
        address = str(relay.address)
        config = NetworkConfig.from_mapping({"network": {"relays": [address]}, "identity": {"persist": False}})
        nodes = [Network(config) for _ in range(NODES)]
        await asyncio.gather(*(node.start() for node in nodes))
        await _all_hold(nodes, address, True)
    try:
        await _all_hold(nodes, address, False)
        await asyncio.sleep(DOWN_SECONDS)
        with relay_process("ours", *options):
            started = time.monotonic()
            await _all_hold(nodes, address, True)
            seconds = time.monotonic() - started
    finally:
        await asyncio.gather(*(node.stop() for node in nodes))
    return [
        Row(
            name=f"{NODES} nodes back after {DOWN_SECONDS:g} s without their relay",
            unit="s",
            ours=seconds,
            aims={"absolute": 15.0},
            more_is_better=False,
        )
    ]


async def _all_hold(nodes: list[Network], relay: str, wanted: bool) -> None:
    async with asyncio.timeout(120):
        for node in nodes:
            while await node.is_relay_reservation_valid(relay) is not wanted:  # noqa: ASYNC110 - it is a bench's look
                await asyncio.sleep(0.1)


LONG_TASKS = """
window.longest = 0; let last = performance.now();
setInterval(() => {
  const now = performance.now();
  window.longest = Math.max(window.longest, now - last - 10);
  last = now;
}, 10);
"""


def page_under_flood() -> list[Row]:
    """A page that a stranger with a direct link feeds 20 Mbit/s of the smallest frames."""
    chrome = Chrome()
    try:
        with site() as server, our_relay() as address:
            relay = Relay(address)
            pages = [OpenPage(chrome.new_page(server.url).open("/blank.html")) for _ in range(2)]
            victim, stranger = pages
            stranger.run(SPY)
            for page in pages:
                page.loaded(network={"relays": [address]}).node(relay)
            connect = f"return (await node.connect_through_webrtc_relay('{relay.peer_id}', '{victim.peer_id}')).path;"
            if stranger.run(connect) != "direct":
                raise RuntimeError("no direct link")
            victim.run(LONG_TASKS)
            sent, state, seconds = stranger.run(FLOOD)
            longest = float(victim.run("return window.longest;"))
    finally:
        chrome.quit()
    name = "page fed 20 Mbit/s of tiny frames"
    note = f"{sent} bytes sent, the link is {state}"
    return [
        Row(name=f"{name}: longest task", unit="ms", ours=longest, aims={"absolute": 200.0}, more_is_better=False),
        Row(name=f"{name}: cut after", unit="s", ours=seconds, aims={"absolute": 2.0}, more_is_better=False, note=note),
    ]


def worst_costs() -> list[Row]:
    """The dearest single message that a peer may send, on CPython."""
    costs = {name: least_seconds(name) * 1000 for name in CASES}
    dearest = max(costs, key=costs.__getitem__)
    return [
        Row(
            name=f"dearest message of {len(CASES)} ({dearest})",
            unit="ms",
            ours=costs[dearest],
            aims={"absolute": 20.0},
            more_is_better=False,
        )
    ]
