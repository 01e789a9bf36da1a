"""Foreign code inside ours: what it raises goes no further, and a cancellation of ours does."""

from __future__ import annotations

import asyncio

import pytest

from darkswap_browser.concurrency.faults import Guard
from darkswap_browser.testing.loop import run


def test_guard_around_an_await_reports_the_cancellation_of_what_is_awaited() -> None:
    async def main() -> None:
        failures: list[BaseException] = []
        given_up: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        given_up.cancel()
        with Guard(failures.append, awaits=True):
            await given_up
        assert [type(failure) for failure in failures] == [asyncio.CancelledError]

    run(main())


def test_guard_around_an_await_passes_the_cancellation_of_its_task() -> None:
    async def main() -> None:
        failures: list[BaseException] = []

        async def guarded() -> None:
            with Guard(failures.append, awaits=True):
                await asyncio.sleep(1)

        task = asyncio.ensure_future(guarded())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled() and failures == []

    run(main())


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_guard_passes_what_ends_the_program(kind: type[BaseException]) -> None:
    failures: list[BaseException] = []
    with pytest.raises(kind), Guard(failures.append):
        raise kind
    assert failures == []
