"""The same face on CPython: two processes' worth of nodes over real sockets, through our relay and without it."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest

from darkswap_browser import DarkSwap, Network, NetworkConfig
from darkswap_browser.errors import InvalidArgument, ListenFailed
from darkswap_browser.identity.multiaddr import Multiaddr
from darkswap_browser.runtime.native.host import native_runtime
from tests.interop.processes import our_relay

pytestmark = pytest.mark.native
ROOT = Path(__file__).resolve().parents[2]


def node(**settings: object) -> Network:
    return Network(NetworkConfig(persist=False, **settings), native_runtime())


@pytest.mark.parametrize("kind", [Network, DarkSwap])
def test_a_configuration_that_is_a_dict_is_refused_with_the_way_to_make_one(kind: type[Network]) -> None:
    with pytest.raises(InvalidArgument, match="config: is dict and not NetworkConfig") as caught:
        kind({"identity": {"persist": False}})  # type: ignore[arg-type]
    assert "from_mapping" in caught.value.hint


async def test_two_nodes_talk_through_a_relay():
    with our_relay() as address:
        relay = address.rpartition("/")[2]
        async with node() as alice, node(relays=(Multiaddr.parse(address),)) as bob:
            await alice.add_relay(address)
            await bob.make_relay_reservation(relay)
            a, b = await alice.local_peer_id(), await bob.local_peer_id()
            connection = await alice.connect_through_relay(relay, b)
            assert (connection.path, connection.transport) == ("relayed", "circuit")
            channel = await alice.open_channel(b)
            await asyncio.gather(*(channel.send(b"%d" % n) for n in range(1000)))
            assert [await bob.receive_webrtc_message(a) for _ in range(1000)] == [b"%d" % n for n in range(1000)]
            await bob.send_webrtc_message(a, bytes(5_000_000))
            assert await channel.receive() == bytes(5_000_000)


async def test_two_nodes_talk_over_tcp_without_any_relay():
    async with node(listen=(Multiaddr.parse("/ip4/127.0.0.1/tcp/0"),)) as bob, node() as alice:
        a, b = await alice.local_peer_id(), await bob.local_peer_id()
        await alice.connect((await bob.get_multiaddrs())[0])
        await alice.send_webrtc_message(b, b"no relay in sight")
        assert await bob.receive_webrtc_message(a) == b"no relay in sight"
        assert (await alice.get_connection_stats(b)).transport == "tcp"


async def test_network_in_a_data_folder_is_the_same_peer_in_its_next_life(tmp_path: Path) -> None:
    peers = []
    for _ in range(2):
        async with Network(NetworkConfig(), data=tmp_path / "data") as network:
            peers.append(await network.local_peer_id())
    assert peers[0] == peers[1]
    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700


async def test_start_that_fails_leaves_no_file_of_the_store_open(tmp_path: Path) -> None:
    elsewhere = Multiaddr.parse("/ip4/203.0.113.7/tcp/1")  # of nobody: cannot be bound
    network = Network(NetworkConfig(listen=(elsewhere,)), data=tmp_path)
    for _ in range(2):
        with pytest.raises(ListenFailed):
            await network.start()
        assert (tmp_path / "darkswap.db").exists()
        assert _open_files(tmp_path) == []


@pytest.mark.parametrize("kind", [Network, DarkSwap])
@pytest.mark.parametrize("end", ["start", "stop"])
@pytest.mark.parametrize("is_run", [True, False])
def test_node_whose_loop_ended_can_be_closed_and_started_anew(
    kind: type[Network], end: str, is_run: bool, tmp_path: Path
) -> None:
    network = kind(NetworkConfig(bitcoin_network="regtest"), data=tmp_path)
    if is_run:
        asyncio.run(network.start())
    else:
        loop = asyncio.new_event_loop()
        loop.run_until_complete(network.start())
        loop.close()

    async def again() -> str:
        await getattr(network, end)()
        peer = await network.local_peer_id()
        await network.stop()
        return peer

    with asyncio.Runner() as runner:
        peer = runner.run(again())
        assert _open_files(tmp_path) == []
        assert runner.run(again()) == peer


def _open_files(folder: Path) -> list[str]:
    """Files below `folder` that this process holds open."""
    numbers = Path("/proc/self/fd")
    targets = [os.readlink(number) for number in numbers.iterdir() if number.is_symlink()]
    return sorted(target for target in targets if target.startswith(f"{folder}/"))


async def test_network_without_persist_writes_nothing_and_is_another_peer(tmp_path: Path) -> None:
    peers = set()
    for _ in range(2):
        async with Network(NetworkConfig(persist=False), data=tmp_path / "data") as network:
            peers.add(await network.local_peer_id())
    assert len(peers) == 2
    assert not os.listdir(tmp_path)


async def test_network_without_a_folder_takes_that_of_the_environment(tmp_path: Path) -> None:
    code = (
        "import asyncio\nfrom darkswap_browser import Network\nasync def main():\n"
        "    async with Network() as network: print(await network.local_peer_id())\nasyncio.run(main())"
    )
    told, around = [], {**os.environ, "DARKSWAP_DATA": str(tmp_path)}
    for _ in range(2):
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            code,
            stdout=asyncio.subprocess.PIPE,
            env=around,
        )
        told.append((await process.communicate())[0])
    assert told[0] == told[1] != b""
    assert (tmp_path / "darkswap.db").exists()


SENDER = """import asyncio, sys
from darkswap_browser import Network

async def main():
    async with Network(data=sys.argv[1]) as network:
        peer = sys.argv[2].rpartition("/")[2]
        await network.connect(sys.argv[2])
        for number in range(400):
            if number == 300:
                for connection in (await network.swarm()).connections():
                    connection.abort()
                await asyncio.sleep(0.2)
            await network.send_webrtc_message(peer, b"%d" % number, durable=True)
            print(number, flush=True)
        await asyncio.Event().wait()

asyncio.run(main())"""


@pytest.mark.parametrize("count", [150, 400], ids=["while it sends", "after a cut"])
async def test_durable_messages_of_a_process_that_is_killed_are_delivered_or_told_once(
    tmp_path: Path, count: int
) -> None:
    async with node(listen=(Multiaddr.parse("/ip4/127.0.0.1/tcp/0"),)) as bob:
        address = (await bob.get_multiaddrs())[0]
        got: list[int] = []
        bob.set_message_sink(lambda _, messages: got.extend(int(message) for message in messages))
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", SENDER, str(tmp_path), address, stdout=asyncio.subprocess.PIPE, cwd=ROOT
        )
        assert process.stdout is not None
        try:
            async with asyncio.timeout(60):
                for _ in range(count):
                    await process.stdout.readline()
        finally:
            process.kill()
            await process.wait()
        told: list[int] = []
        alice = Network(data=tmp_path)
        alice.subscribe(
            lambda event: told.append(event.fields["count"]) if event.type == "message:undelivered" else None
        )
        async with alice:
            await alice.connect(address)
            async with asyncio.timeout(30):
                await alice.send_webrtc_message(await bob.local_peer_id(), b"1000", until="delivered")
    assert got == sorted(set(got))
    missing = set(range(count)) - set(got)
    assert len(missing) <= sum(told)
