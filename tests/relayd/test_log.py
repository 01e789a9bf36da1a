"""What the event loop's faults leave in the relay's log."""

from __future__ import annotations

import asyncio
import errno
import json
import logging

import pytest

from darkswap_browser.relayd.log import REPEATED, JsonFormatter, LoopFaults, RelayLog


async def test_fault_that_comes_again_and_again_is_told_once_in_a_while(caplog: pytest.LogCaptureFixture) -> None:
    faults, loop = LoopFaults(RelayLog()), asyncio.get_running_loop()
    full = {"message": "accept failed", "exception": OSError(errno.EMFILE, "Too many open files")}
    with caplog.at_level(logging.WARNING, "darkswap_browser.relayd"):
        for _ in range(1000):
            faults.handle(loop, full)
        faults.handle(loop, {"message": "another", "exception": OSError(errno.ENOMEM, "No memory")})
        await asyncio.sleep(REPEATED + 1)
        faults.handle(loop, full)
    lines = [json.loads(JsonFormatter().format(record)) for record in caplog.records]
    assert [line["event"] for line in lines] == ["accept failed", "another", "accept failed"]
    assert lines[2]["repeated"] == 999


async def test_fault_of_ours_is_told_with_its_traceback(
    caplog: pytest.LogCaptureFixture, faults: list[BaseException]
) -> None:
    try:
        raise ZeroDivisionError("ours")
    except ZeroDivisionError as error:
        context = {"message": "callback failed", "exception": error}
    with caplog.at_level(logging.WARNING, "darkswap_browser.relayd"):
        LoopFaults(RelayLog()).handle(asyncio.get_running_loop(), context)
    assert "ZeroDivisionError" in json.loads(JsonFormatter().format(caplog.records[0]))["traceback"]
    assert len(faults) == 1
