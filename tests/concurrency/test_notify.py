"""Subscribers: told outside the code of the event, undisturbed by one another."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from darkswap_browser.concurrency.notify import Subscribers
from darkswap_browser.testing.loop import run


def test_publish_calls_nobody_before_the_loop_turns() -> None:
    async def main() -> None:
        heard: list[str] = []
        subscribers = Subscribers[str]()
        subscribers.subscribe(heard.append)
        subscribers.publish("one")
        subscribers.publish("two")
        assert heard == []
        await asyncio.sleep(0)
        assert heard == ["one", "two"]

    run(main())


def test_publish_raising_subscriber_is_reported_and_later_ones_hear() -> None:
    async def main() -> None:
        heard: list[str] = []
        failures: list[tuple[str, str]] = []
        subscribers = Subscribers[str](lambda error, event: failures.append((str(error), event)))

        def bad(event: str) -> None:
            raise ValueError("a bug of the application")

        subscribers.subscribe(bad)
        subscribers.subscribe(heard.append)
        subscribers.publish("one")
        subscribers.publish("two")
        await asyncio.sleep(0)
        assert heard == ["one", "two"]
        assert failures == [("a bug of the application", "one"), ("a bug of the application", "two")]

    run(main())


def test_publish_raising_subscriber_without_handler_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    subscribers = Subscribers[str]()

    def bad(event: str) -> None:
        raise ValueError("a bug of the application")

    async def main() -> None:
        subscribers.subscribe(bad)
        subscribers.publish("one")
        await asyncio.sleep(0)

    with asyncio.Runner() as runner:
        runner.run(main())
    assert "ValueError: a bug of the application" in caplog.text


def test_publish_subscriber_raising_cancelled_error_is_reported_and_later_ones_hear() -> None:
    async def main() -> None:
        heard: list[str] = []
        failures: list[BaseException] = []
        subscribers = Subscribers[str](lambda error, event: failures.append(error))
        given_up: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        given_up.cancel()
        subscribers.subscribe(lambda event: given_up.result())
        subscribers.subscribe(heard.append)
        subscribers.publish("one")
        subscribers.publish("two")
        await asyncio.sleep(0)
        assert heard == ["one", "two"]
        assert [type(failure) for failure in failures] == [asyncio.CancelledError] * 2

    run(main())


def test_flush_subscriber_that_cancels_the_delivering_task_cancels_it_after_all_heard() -> None:
    async def main() -> None:
        heard: list[str] = []
        failures: list[BaseException] = []
        subscribers = Subscribers[str](lambda error, event: failures.append(error))

        def cancelling(event: str) -> None:
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
            raise asyncio.CancelledError

        async def deliver() -> None:
            subscribers.publish("one")
            subscribers.flush()
            heard.append("flushed")
            await asyncio.sleep(1)
            heard.append("went on")

        subscribers.subscribe(cancelling)
        subscribers.subscribe(heard.append)
        delivering = asyncio.ensure_future(deliver())
        await asyncio.wait([delivering])
        assert heard == ["one", "flushed"]
        assert delivering.cancelled() and len(failures) == 1

    run(main())


def test_failure_handler_that_publishes_is_heard_by_all() -> None:
    async def main() -> None:
        heard: list[str] = []
        subscribers: Subscribers[str]

        def failed(error: BaseException, event: str) -> None:
            if event != "error":
                subscribers.publish("error")

        def bad(event: str) -> None:
            raise ValueError

        subscribers = Subscribers(failed)
        subscribers.subscribe(bad)
        subscribers.subscribe(heard.append)
        subscribers.publish("one")
        await asyncio.sleep(0)
        assert heard == ["one", "error"]

    run(main())


def test_unsubscribe_within_a_callback_ends_it_at_once() -> None:
    async def main() -> None:
        heard: list[tuple[str, str]] = []
        subscribers = Subscribers[str]()
        ends: dict[str, Callable[[], None]] = {}

        def once(event: str) -> None:
            heard.append(("once", event))
            ends["once"]()
            ends["other"]()

        ends["once"] = subscribers.subscribe(once)
        ends["other"] = subscribers.subscribe(lambda event: heard.append(("other", event)))
        subscribers.subscribe(lambda event: heard.append(("last", event)))
        subscribers.publish("one")
        subscribers.publish("two")
        await asyncio.sleep(0)
        assert heard == [("once", "one"), ("last", "one"), ("last", "two")]
        ends["once"]()
        assert len(subscribers) == 1

    run(main())


def test_subscribe_after_publish_hears_only_what_comes() -> None:
    async def main() -> None:
        heard: list[str] = []
        subscribers = Subscribers[str]()
        subscribers.subscribe(lambda event: None)
        subscribers.publish("before")
        subscribers.subscribe(heard.append)
        subscribers.publish("after")
        await asyncio.sleep(0)
        assert heard == ["after"]

    run(main())


def test_subscribe_same_callback_twice_hears_twice_and_ends_one_by_one() -> None:
    async def main() -> None:
        heard: list[str] = []
        subscribers = Subscribers[str]()
        first, second = subscribers.subscribe(heard.append), subscribers.subscribe(heard.append)
        subscribers.publish("one")
        await asyncio.sleep(0)
        first()
        subscribers.publish("two")
        await asyncio.sleep(0)
        second()
        subscribers.publish("three")
        await asyncio.sleep(0)
        assert heard == ["one", "one", "two"]

    run(main())


def test_flush_delivers_at_once_and_only_once() -> None:
    async def main() -> None:
        heard: list[str] = []
        subscribers = Subscribers[str]()
        subscribers.subscribe(heard.append)
        subscribers.publish("one")
        subscribers.flush()
        assert heard == ["one"]
        await asyncio.sleep(0)
        assert heard == ["one"]

    run(main())


def test_publish_left_by_a_closed_loop_is_delivered_by_the_next() -> None:
    heard: list[str] = []
    subscribers = Subscribers[str]()
    subscribers.subscribe(heard.append)

    async def last_words() -> None:
        subscribers.publish("one")

    async def later() -> None:
        subscribers.publish("two")
        await asyncio.sleep(0)

    with asyncio.Runner() as runner:
        loop = runner.get_loop()
        loop.call_soon(loop.stop)
        loop.run_forever()
        loop.create_task(last_words())
        loop.call_soon(loop.stop)
        loop.run_forever()
    with asyncio.Runner() as runner:
        runner.run(later())
    assert heard == ["one", "two"]
