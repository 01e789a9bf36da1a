"""Where `CI` is set, a run fails when it left out a test that is not listed here: a green run has run everything."""

from __future__ import annotations

import os
from collections.abc import Mapping

import pytest

# Node id, or its beginning → why it may be skipped or be expected to fail there.
ALLOWED: Mapping[str, str] = {}


def left_out(reporter: pytest.TerminalReporter) -> list[str]:
    """The tests that were skipped, or failed as expected, without being allowed to; each with its reason."""
    reports = [report for kind in ("skipped", "xfailed") for report in reporter.stats.get(kind, [])]
    return [
        f"{report.nodeid}: {getattr(report, 'wasxfail', None) or report.longrepr}"
        for report in reports
        if not report.nodeid.startswith(tuple(ALLOWED))
    ]


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if not os.environ.get("CI") or hasattr(session.config, "workerinput") or reporter is None:
        return
    if (tests := left_out(reporter)) and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
    for test in tests:
        reporter.write_line(f"\nleft out, though everything should run here: {test}", red=True)
