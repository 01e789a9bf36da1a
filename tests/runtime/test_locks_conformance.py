"""One suite of `Locks` over the hosts of CPython; `tests/browser/test_wallet_host.py` runs it in two tabs."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from darkswap_browser.concurrency.named_locks import NamedLocks
from darkswap_browser.errors import Aborted, StorageError
from darkswap_browser.runtime.base.host import Locks
from darkswap_browser.runtime.native.locks import NativeLocks
from darkswap_browser.testing.conformance.check_locks import CHECKS
from darkswap_browser.testing.world import SimulatedWorld
from tests.support.native_identity import CRYPTO

Check = Callable[[Locks, Locks], Awaitable[None]]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
async def test_locks_within_a_process_and_between_tabs(check: Check) -> None:
    world = SimulatedWorld(crypto=CRYPTO)
    same, memory = NamedLocks(), NativeLocks(None)
    for one, other in (
        (same, same),
        (memory, memory),
        (world.runtime("alice").locks, world.tab("alice 2", site="alice").locks),
    ):
        await check(one, other)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
async def test_locks_of_two_users_of_one_store(check: Check, tmp_path: Path) -> None:
    path = str(tmp_path / "store")
    await check(NativeLocks(path), NativeLocks(path))


async def test_hosts_with_stores_of_their_own_do_not_wait_for_each_other() -> None:
    world = SimulatedWorld(crypto=CRYPTO)
    async with world.runtime("alice").locks.hold("a"), world.runtime("bob").locks.hold("a"):
        pass


async def test_a_tab_that_is_killed_holds_nothing() -> None:
    world = SimulatedWorld(crypto=CRYPTO)
    first, second = world.runtime("alice"), world.tab("alice 2", site="alice")

    async def stay(locks: Locks) -> None:
        async with locks.hold("a"):
            await asyncio.Event().wait()

    staying = asyncio.create_task(stay(first.locks))
    late = asyncio.create_task(stay(first.locks))
    await asyncio.sleep(0)
    world.kill("alice")
    async with second.locks.hold("a"):
        pass
    with pytest.raises(Aborted):
        await late
    staying.cancel()


@pytest.mark.native
async def test_a_process_that_is_killed_holds_nothing(tmp_path: Path) -> None:
    path = str(tmp_path / "store")
    code = f"""import asyncio
from darkswap_browser.runtime.native.locks import NativeLocks
async def main():
    async with NativeLocks({path!r}).hold("a"):
        print("held", flush=True)
        await asyncio.sleep(60)
asyncio.run(main())"""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[2]
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"held\n"
    locks = NativeLocks(path)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1), locks.hold("a"):
            raise AssertionError("two processes hold one lock")
    process.kill()
    await process.wait()
    async with locks.hold("a"):
        pass


async def test_native_lock_in_a_place_that_cannot_be_written_names_it(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError) as caught:
        async with NativeLocks(str(tmp_path / "file" / "store")).hold("a"):
            raise AssertionError("held")
    assert str(tmp_path) in caught.value.place
