"""Waiters, back-off and shared calls."""

from __future__ import annotations

import asyncio

import pytest

from darkswap_browser.concurrency.backoff import Backoff
from darkswap_browser.concurrency.shared_call import SharedCall, SharedCalls
from darkswap_browser.concurrency.tasks import cancel_and_wait
from darkswap_browser.concurrency.waiter import Waiter
from darkswap_browser.errors import Aborted
from darkswap_browser.testing.loop import run


def test_waiter_wake_lets_all_who_wait_go_on_and_is_not_remembered() -> None:
    async def main() -> None:
        waiter = Waiter()
        waiter.wake()
        both = [asyncio.create_task(waiter.wait()) for _ in range(2)]
        await asyncio.sleep(1)
        assert waiter.is_waiting and not any(task.done() for task in both)
        waiter.wake()
        waiter.wake()
        await asyncio.wait(both)
        assert not waiter.is_waiting

    run(main())


def test_waiter_cancelled_leaves_the_other_waiting() -> None:
    async def main() -> None:
        waiter = Waiter()
        one, two = (asyncio.create_task(waiter.wait()) for _ in range(2))
        await asyncio.sleep(0)
        await cancel_and_wait([one])
        assert one.cancelled() and waiter.is_waiting
        waiter.wake()
        await two

    run(main())


def test_backoff_doubles_up_to_its_largest_and_begins_anew() -> None:
    backoff = Backoff(1, 5)
    assert [backoff.wait() for _ in range(4)] == [1, 2, 4, 5]
    backoff.reset()
    assert [backoff.wait(1.0), backoff.wait(0.5)] == [0.5, 1.5]


class Question:
    """Counts how often it is asked, and how often it is given up."""

    def __init__(self) -> None:
        self.asked = 0
        self.given_up = 0

    async def ask(self) -> int:
        self.asked += 1
        try:
            await asyncio.sleep(10)
        except asyncio.CancelledError:
            self.given_up += 1
            raise
        return self.asked


def test_shared_calls_at_once_are_made_once_and_later_ones_anew() -> None:
    async def main() -> None:
        calls, question = SharedCalls(), Question()
        assert await asyncio.gather(*(calls.run("key", question.ask) for _ in range(3))) == [1, 1, 1]
        assert await calls.run("key", question.ask) == 2
        assert await asyncio.gather(calls.run("a", question.ask), calls.run("b", question.ask)) == [4, 4]
        assert len(calls) == 0

    run(main())


def test_shared_calls_error_reaches_every_caller() -> None:
    async def main() -> None:
        calls = SharedCalls()

        async def fail() -> None:
            await asyncio.sleep(1)
            raise ValueError

        outcomes = await asyncio.gather(*(calls.run("key", fail) for _ in range(2)), return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [ValueError, ValueError]
        assert len(calls) == 0

    run(main())


def test_shared_calls_goes_on_until_the_last_caller_gave_up() -> None:
    async def main() -> None:
        calls, question = SharedCalls(), Question()
        one, two = (asyncio.create_task(calls.run("key", question.ask)) for _ in range(2))
        await asyncio.sleep(1)
        await cancel_and_wait([one])
        assert question.given_up == 0
        await cancel_and_wait([two])
        assert question.given_up == 1 and len(calls) == 0

    run(main())


def test_shared_calls_given_up_is_not_joined_by_the_next_caller() -> None:
    async def main() -> None:
        calls, question = SharedCalls(), Question()
        one = asyncio.create_task(calls.run("key", question.ask))
        await asyncio.sleep(1)
        one.cancel()
        await asyncio.sleep(0)
        assert await calls.run("key", question.ask) == 2
        assert len(calls) == 0

    run(main())


def test_shared_calls_close_aborts_whoever_waits() -> None:
    async def main() -> None:
        calls, question = SharedCalls(), Question()
        waiting = asyncio.create_task(calls.run("key", question.ask))
        await asyncio.sleep(1)
        await calls.close()
        with pytest.raises(Aborted):
            await waiting

    run(main())


def test_shared_call_join_after_its_end_returns_the_same_result() -> None:
    async def main() -> None:
        call, question = SharedCall[int]("a question"), Question()
        call.begin(question.ask())
        assert call.is_running
        assert [await call.join(), await call.join()] == [1, 1]
        assert not call.is_running

    run(main())
