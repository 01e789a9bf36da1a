"""Logging: silent unasked, levels from DARKSWAP_LOG, the relay's lines as JSON."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import subprocess
import sys

import pytest

from darkswap_browser.errors import InvalidArgument
from darkswap_browser.logs import ROOT, parse_levels
from darkswap_browser.relayd.log import JsonFormatter
from tests.api.world import place


@pytest.mark.parametrize(
    ("text", "levels"),
    [
        ("", {}),
        ("debug", {ROOT: logging.DEBUG}),
        ("darkswap_browser.net=debug", {"darkswap_browser.net": logging.DEBUG}),
        (" Warning , darkswap_browser.net = INFO,", {ROOT: logging.WARNING, "darkswap_browser.net": logging.INFO}),
    ],
)
def test_parse_levels_reads_a_level_or_one_for_each_logger(text: str, levels: dict[str, int]) -> None:
    assert parse_levels(text) == levels


@pytest.mark.parametrize(
    "text", ["loud", "asyncio=debug", "darkswap_browserx=debug", "darkswap_browser.net", "=", "a=b=info"]
)
def test_parse_levels_refuses_unknown_levels_and_loggers_of_others(text: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        parse_levels(text)
    assert refused.value.path == "DARKSWAP_LOG" and refused.value.hint


def test_json_formatter_writes_event_fields_and_traceback() -> None:
    formatter = JsonFormatter()
    record = logging.LogRecord("darkswap_browser.relayd", logging.INFO, "", 0, "circuit %d", (5,), None)
    record.fields = {"peer": "abc", "reason": None}
    line = json.loads(formatter.format(record))
    assert (line["level"], line["event"], line["peer"], "reason" in line) == ("info", "circuit 5", "abc", False)
    assert line["ts"].endswith("+00:00")
    try:
        raise ValueError("the cause")
    except ValueError:
        failed = logging.LogRecord("darkswap_browser.x", logging.ERROR, "", 0, "work failed", (), sys.exc_info())
    line = json.loads(formatter.format(failed))
    assert line["logger"] == "darkswap_browser.x" and "ValueError: the cause" in line["traceback"]


PROGRAM = """
import asyncio, sys
from darkswap_browser import Network, NetworkConfig
from darkswap_browser.concurrency.faults import log_fault
async def main():
    async with Network(NetworkConfig.from_mapping({"identity": {"persist": False}})):
        log_fault("some work", ValueError("the cause"))
if len(sys.argv) > 1:
    import logging
    logging.basicConfig(level=logging.INFO)
asyncio.run(main())
"""


def test_library_is_silent_until_its_application_configures_logging() -> None:
    for arguments, expected in (([], False), (["loud"], True)):
        done = subprocess.run([sys.executable, "-c", PROGRAM, *arguments], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0
        assert ("node started" in done.stderr and "ValueError: the cause" in done.stderr) is expected
        assert bool(done.stderr) is expected


async def test_node_logs_its_start_connections_reservations_and_stop(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG, ROOT)
    here = await place()
    alice = await here.node("alice")
    await alice.stop()
    here.world.refuse("relay")
    await alice.start()
    await asyncio.sleep(10)
    await alice.stop()
    told = [(record.name.removeprefix(f"{ROOT}."), record.levelname, record.getMessage()) for record in caplog.records]
    for name, level, beginning in (
        ("api.lifecycle", "INFO", "node started peer="),
        ("net.swarm", "INFO", "connection opened peer="),
        ("protocols.relay.reservation_keeper", "INFO", "reservation granted relay="),
        ("net.swarm", "INFO", "connection closed peer="),
        ("api.lifecycle", "INFO", "node stopped peer="),
        ("protocols.relay.reservation_keeper", "WARNING", "reservation failed relay="),
        ("net.dialer", "DEBUG", "dial failed peer="),
    ):
        assert any(each[:2] == (name, level) and each[2].startswith(beginning) for each in told), beginning


@pytest.mark.parametrize("program", ["relayd", "regtest", "cli"])
def test_program_with_an_unknown_log_level_says_so(program: str) -> None:
    command = [sys.executable, "-m", f"darkswap_browser.{program}", *(["trades", "list"] if program == "cli" else [])]
    environment = {**os.environ, "DARKSWAP_LOG": "loud"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and "DARKSWAP_LOG: 'loud' is no level" in done.stderr
    assert "Traceback" not in done.stderr
