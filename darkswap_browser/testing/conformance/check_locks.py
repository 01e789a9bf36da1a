"""What every `runtime.base.Locks` must do, by two of its users. No pytest here: it runs in pages too."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from darkswap_browser.runtime.base.host import Locks


async def _turns(times: int = 5) -> None:
    """Time for whoever waits to come in, if it may."""
    for _ in range(times):
        await asyncio.sleep(0.02)


async def one_holder_at_a_time(one: Locks, other: Locks) -> None:
    inside, worst, done = 0, 0, 0

    async def work(locks: Locks) -> None:
        nonlocal inside, worst, done
        async with locks.hold("check/one"):
            inside += 1
            worst = max(worst, inside)
            await asyncio.sleep(0.005)
            inside -= 1
            done += 1

    await asyncio.gather(*(work(locks) for locks in (one, other) * 4))
    assert (worst, done) == (1, 8)


async def names_do_not_hinder_each_other(one: Locks, other: Locks) -> None:
    async with one.hold("check/a"), other.hold("check/b"), one.hold("check/ä 語/'"):
        pass


async def a_lock_is_free_after_an_error(one: Locks, other: Locks) -> None:
    try:
        async with one.hold("check/error"):
            raise KeyError("inside")
    except KeyError:
        pass
    async with other.hold("check/error"):
        pass


async def who_stops_waiting_is_forgotten(one: Locks, other: Locks) -> None:
    entered = []

    async def wait() -> None:
        async with other.hold("check/wait"):
            entered.append(True)

    async with one.hold("check/wait"):
        waiting = asyncio.create_task(wait())
        await _turns()
        waiting.cancel()
        await asyncio.wait({waiting})
        assert waiting.cancelled()
    async with asyncio.timeout(5), one.hold("check/wait"), other.hold("check/free"):
        assert not entered


async def who_is_cancelled_inside_lets_go(one: Locks, other: Locks) -> None:
    async def stay() -> None:
        async with one.hold("check/stay"):
            await asyncio.get_running_loop().create_future()

    staying = asyncio.create_task(stay())
    await _turns()
    staying.cancel()
    async with asyncio.timeout(5), other.hold("check/stay"):
        pass


CHECKS: tuple[Callable[[Locks, Locks], Awaitable[None]], ...] = (
    one_holder_at_a_time,
    names_do_not_hinder_each_other,
    a_lock_is_free_after_an_error,
    who_stops_waiting_is_forgotten,
    who_is_cancelled_inside_lets_go,
)
