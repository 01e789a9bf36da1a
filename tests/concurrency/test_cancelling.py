"""The harness that cancels at every point: it must reach each of them."""

from __future__ import annotations

import asyncio
from itertools import count

from darkswap_browser.testing.loop import run
from tests.support.cancelling import cancel_at, cancel_on_turn, tasks_left, timers


def test_cancel_at_reaches_every_suspension_once() -> None:
    async def work(log: list[int]) -> str:
        for step in range(3):
            log.append(step)
            await asyncio.sleep(1)
        await asyncio.sleep(0)
        return "done"

    async def main() -> None:
        reached = []
        for number in count(1):
            log: list[int] = []
            outcome = await cancel_at(work(log), number)
            if not outcome.was_cancelled:
                assert outcome.result == "done"
                break
            assert isinstance(outcome.error, asyncio.CancelledError)
            reached.append(len(log))
        assert reached == [1, 2, 3, 3]

    run(main())


def test_cancel_on_turn_reaches_work_in_a_task_of_its_own() -> None:
    async def main() -> None:
        steps: list[int] = []

        async def inner() -> None:
            for step in range(5):
                steps.append(step)
                await asyncio.sleep(1)

        async def work() -> None:
            await asyncio.create_task(inner())

        seen = []
        for turn in count(1):
            steps.clear()
            outcome = await cancel_on_turn(work(), turn)
            seen.append(len(steps))
            if not outcome.was_cancelled:
                break
        assert set(seen) >= {0, 1, 2, 3, 4, 5} and seen == sorted(seen)

    run(main())


def test_tasks_left_and_timers_see_what_was_forgotten() -> None:
    async def main() -> None:
        before, timers_before = asyncio.all_tasks(), timers()
        assert tasks_left(before) == []
        forgotten = asyncio.create_task(asyncio.sleep(100), name="forgotten")
        await asyncio.sleep(0)
        assert tasks_left(before) == ["forgotten"] and timers() == timers_before + 1
        forgotten.cancel()
        await asyncio.wait([forgotten])
        assert tasks_left(before) == [] and timers() == timers_before

    run(main())
