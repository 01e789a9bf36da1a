"""`async def` tests run in virtual time; those marked `native` on a real event loop, within a deadline."""

from __future__ import annotations

import asyncio
import inspect
import logging
import os
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from darkswap_browser.testing import loop
from tests.support.examples import examples
from tests.support.orphans import Watcher
from tests.support.schedule import pytest_collection_modifyitems
from tests.support.skips import pytest_sessionfinish

__all__ = ["pytest_collection_modifyitems", "pytest_sessionfinish"]

NATIVE_DEADLINE = 60.0

NO_FOLDER = os.path.join(os.devnull, "darkswap")
"""No folder can be made there: a test that names none, and does not say persist=False, fails instead of writing into
the data of whoever runs it."""
os.environ["DARKSWAP_DATA"] = NO_FOLDER

# A busy machine is no fault of an example: how long one takes is not judged.
settings.register_profile(
    "patient", deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=examples(100)
)
settings.load_profile("patient")


@pytest.fixture
def faults() -> list[BaseException]:
    """For a test in virtual time that causes faults: what nobody handled goes here and does not fail the test."""
    return []


watcher = pytest.StashKey[Watcher]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[watcher] = Watcher()


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    if left := config.stash[watcher].close():
        print(f"\nTests left these processes behind, which are ended now:\n{left}", file=sys.stderr)


async def _within(seconds: float, main: Any) -> None:
    async with asyncio.timeout(seconds):
        await main


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    arguments = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
    main = pyfuncitem.obj(**arguments)
    if pyfuncitem.get_closest_marker("native"):
        asyncio.run(_within(NATIVE_DEADLINE, main))
    else:
        loop.run(main, arguments.get("faults"))
    return True


@pytest.fixture(autouse=True)
def own_loggers() -> Iterator[None]:
    """Programs set up the package's logger for their process; here the next test finds it as it was."""
    logger = logging.getLogger("darkswap_browser")
    before = (list(logger.handlers), logger.level, logger.propagate, logger.disabled)
    yield
    logger.handlers[:], logger.propagate, logger.disabled = before[0], before[2], before[3]
    logger.setLevel(before[1])
