"""One identity of one store: made once, whoever asks first at once, and run by one program of a data folder."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from darkswap_browser.api.darkswap import DarkSwap
from darkswap_browser.api.network import Network
from darkswap_browser.concurrency.named_locks import NamedLocks
from darkswap_browser.errors import IdentityInUse, InvalidArgument, Unsupported
from darkswap_browser.identity.multiaddr import Multiaddr
from darkswap_browser.node.config import NetworkConfig
from darkswap_browser.runtime.base.host import Runtime
from darkswap_browser.testing.world import SimulatedWorld
from tests.support.cancelling import cancel_on_turn, tasks_left
from tests.support.native_identity import CRYPTO
from tests.support.slow_store import SlowStore

ROOT = Path(__file__).parents[2]
CONFIG = NetworkConfig(bitcoin_network="regtest")
TCP = (Multiaddr.parse("/ip4/127.0.0.1/tcp/1"),)


def tabs(*, shared: bool = False) -> tuple[Runtime, Runtime]:
    """Two hosts over one slow store; `shared`: as two processes of one folder, where one node runs at a time."""
    world = SimulatedWorld(crypto=CRYPTO)
    store, locks = SlowStore(world.store("alice")), NamedLocks() if shared else None
    first, second = world.runtime("alice"), world.tab("second", "alice")
    return replace(first, store=store, node_locks=locks), replace(second, store=store, node_locks=locks)


async def test_two_first_starts_at_once_agree_on_one_identity() -> None:
    one, two = (Network(CONFIG, runtime) for runtime in tabs())
    await asyncio.gather(one.start(), two.start())
    assert await one.local_peer_id() == await two.local_peer_id()
    await asyncio.gather(one.stop(), two.stop())


async def test_first_start_that_is_cancelled_while_it_makes_the_key_hinders_no_other() -> None:
    for turn in count(1):
        one, two = (Network(CONFIG, runtime) for runtime in tabs())
        other = asyncio.create_task(two.local_peer_id())
        outcome = await cancel_on_turn(one.start(), turn)
        known = await other
        assert await one.local_peer_id() == known
        await asyncio.gather(one.stop(), two.stop())
        if not outcome.was_cancelled:
            break
    assert turn > 3


async def test_second_node_of_a_folder_is_told_how_to_name_another() -> None:
    one, two = (Network(CONFIG, runtime) for runtime in tabs(shared=True))
    before = asyncio.all_tasks()
    async with one:
        with pytest.raises(IdentityInUse) as caught:
            await two.start()
        assert caught.value.peer == await one.local_peer_id()
        assert "DARKSWAP_DATA" in caught.value.hint and "data=" in caught.value.hint
    async with two:
        assert await two.local_peer_id() == caught.value.peer
    await asyncio.sleep(1)
    assert tasks_left(before) == []


async def test_nodes_of_other_names_or_that_keep_nothing_share_a_folder() -> None:
    first, second = tabs(shared=True)
    other_name = NetworkConfig(identity_name="second")
    async with Network(CONFIG, first), Network(other_name, second), Network(NetworkConfig(persist=False), second):
        pass


async def test_whole_node_takes_its_folder_once_and_restarts() -> None:
    one, two = (DarkSwap(CONFIG, runtime) for runtime in tabs(shared=True))
    for _ in range(2):
        async with one:
            with pytest.raises(IdentityInUse):
                await two.start()
            assert await one.get_orders() == []
    async with two:
        pass


async def test_start_that_fails_frees_the_folder() -> None:
    first, second = tabs(shared=True)
    with pytest.raises(Unsupported):
        await Network(NetworkConfig(listen=TCP), replace(first, features={})).start()
    async with asyncio.timeout(1), Network(CONFIG, second):
        pass


async def test_start_cancelled_at_any_turn_frees_the_folder() -> None:
    for turn in count(0):
        one, two = (Network(CONFIG, runtime) for runtime in tabs(shared=True))
        outcome = await cancel_on_turn(one.start(), turn)
        if not outcome.was_cancelled:
            await one.stop()
        async with asyncio.timeout(1), two:
            pass
        if not outcome.was_cancelled:
            break
    assert turn > 3


@pytest.mark.parametrize("name", ["", "a\ud800", "x" * 2000, 5])
async def test_identity_name_that_is_none_is_refused(name: Any) -> None:
    for persist in (True, False):
        with pytest.raises(InvalidArgument) as caught:
            await Network(NetworkConfig(identity_name=name, persist=persist), tabs()[0]).start()
        assert caught.value.path == "identity.name"


PROGRAM = """import asyncio, sys
from darkswap_browser import Network
async def main():
    async with Network(data=sys.argv[1]) as network:
        print(await network.local_peer_id(), flush=True)
        await asyncio.Event().wait()
asyncio.run(main())"""


@pytest.mark.native
async def test_process_that_is_killed_frees_its_folder(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PROGRAM, str(tmp_path), stdout=asyncio.subprocess.PIPE, cwd=ROOT
    )
    assert process.stdout is not None
    try:
        peer = (await process.stdout.readline()).decode().strip()
        network = Network(data=tmp_path)
        with pytest.raises(IdentityInUse, match=peer):
            await network.start()
    finally:
        process.kill()
        await process.wait()
    async with network:
        assert await network.local_peer_id() == peer


@pytest.mark.native
async def test_processes_that_start_at_once_in_a_new_folder_are_one_peer(tmp_path: Path) -> None:
    code = PROGRAM.replace("await asyncio.Event().wait()", "pass")
    running = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", code, str(tmp_path), stdout=asyncio.subprocess.PIPE, cwd=ROOT
        )
        for _ in range(2)
    ]
    told = [(await process.communicate())[0] for process in running]
    assert told[0] == told[1] != b""
