"""Owned tasks: kept, reported, ended together."""

from __future__ import annotations

import asyncio
import logging

import pytest

from darkswap_browser.concurrency.faults import FaultReporter, Guard, log_fault
from darkswap_browser.concurrency.tasks import Tasks, cancel_and_wait
from darkswap_browser.testing.loop import SimulatedLoop, run


def test_spawn_task_that_fails_reports_its_name_and_error() -> None:
    async def main() -> list[tuple[str, BaseException]]:
        faults: list[tuple[str, BaseException]] = []
        tasks = Tasks(lambda what, error: faults.append((what, error)))

        async def work() -> None:
            raise ValueError("broken")

        await asyncio.wait([tasks.spawn(work(), "some work")])
        await asyncio.sleep(0)
        assert len(tasks) == 0
        return faults

    ((what, error),) = run(main())
    assert what == "some work" and isinstance(error, ValueError)


def test_spawn_expected_error_is_no_fault_and_stays_in_the_task() -> None:
    async def main() -> None:
        faults: list[str] = []
        tasks = Tasks(lambda what, error: faults.append(what))

        async def work() -> None:
            raise KeyError("known")

        task = tasks.spawn(work(), "some work", expected=KeyError)
        with pytest.raises(KeyError):
            await task
        assert faults == []

    run(main())


def test_report_without_listener_logs_the_traceback(caplog: pytest.LogCaptureFixture) -> None:
    def cause() -> None:
        raise ValueError("the real cause")

    async def main() -> None:
        async def work() -> None:
            cause()

        await asyncio.wait([Tasks().spawn(work(), "some work")])
        await asyncio.sleep(0)

    loop = SimulatedLoop()
    loop.run_until_complete(main())
    loop.close()
    (record,) = caplog.records
    assert record.name.startswith("darkswap_browser.") and record.levelno == logging.ERROR
    assert "some work failed" in record.getMessage()
    assert "cause" in caplog.text and "ValueError: the real cause" in caplog.text


def test_fault_reporter_logs_and_tells_its_listener(caplog: pytest.LogCaptureFixture) -> None:
    told: list[tuple[str, BaseException]] = []
    reporter = FaultReporter()
    reporter.report("early work", ValueError("nobody listens"))
    reporter.listener = lambda what, error: told.append((what, error))
    error = ValueError("told")
    reporter.report("late work", error)
    assert told == [("late work", error)]
    assert len(caplog.records) == 2


def test_close_ends_every_task_and_none_begins_after_it() -> None:
    async def main() -> None:
        tasks, log = Tasks(log_fault), list[str]()

        async def work(name: str) -> None:
            log.append(f"{name} began")
            try:
                await asyncio.sleep(1000)
            finally:
                await asyncio.sleep(1)
                log.append(f"{name} ended")

        tasks.spawn(work("a"), "a")
        tasks.spawn(work("b"), "b")
        await asyncio.sleep(0)
        await tasks.close()
        assert log == ["a began", "b began", "a ended", "b ended"] and len(tasks) == 0
        late = tasks.spawn(work("c"), "c")
        await asyncio.wait([late])
        assert late.cancelled() and len(log) == 4
        await tasks.close()

    run(main())


def test_close_cancelled_still_ends_every_task() -> None:
    async def main() -> None:
        tasks, ended = Tasks(), list[int]()

        async def work(number: int) -> None:
            try:
                await asyncio.sleep(1000)
            finally:
                await asyncio.sleep(1)
                ended.append(number)

        for number in range(3):
            tasks.spawn(work(number), "work")
        await asyncio.sleep(0)
        closing = asyncio.create_task(tasks.close())
        await asyncio.sleep(0.5)
        await cancel_and_wait([closing])
        assert closing.cancelled() and not ended
        await tasks.close()
        assert sorted(ended) == [0, 1, 2]

    run(main())


def test_close_from_a_task_of_its_own_ends_the_others() -> None:
    async def main() -> None:
        tasks = Tasks()
        other = tasks.spawn(asyncio.sleep(1000), "other")
        await tasks.spawn(tasks.close(), "closing")
        assert other.cancelled()

    run(main())


def test_guard_gives_on_exceptions_and_a_cancelled_error_of_the_block() -> None:
    seen: list[BaseException] = []
    with Guard(seen.append):
        raise ValueError("foreign")
    assert [str(error) for error in seen] == ["foreign"]
    with Guard(seen.append):
        raise asyncio.CancelledError
    with pytest.raises(KeyboardInterrupt), Guard(seen.append):
        raise KeyboardInterrupt
    assert [type(error) for error in seen] == [ValueError, asyncio.CancelledError]


def test_run_raises_the_fault_of_a_task_that_was_only_logged() -> None:
    async def main() -> None:
        async def work() -> None:
            raise ValueError("a fault in the background")

        await asyncio.wait([Tasks().spawn(work(), "some work")])
        await asyncio.sleep(0)

    with pytest.raises(ValueError, match="a fault in the background"):
        run(main())
    faults: list[BaseException] = []
    run(main(), faults=faults)
    assert [str(fault) for fault in faults] == ["a fault in the background"]
