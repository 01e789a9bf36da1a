"""The browser's host under the suites that every host passes, with nothing of ours in the page but the wheels."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pytest_pyodide import run_in_pyodide

from darkswap_browser.testing.conformance import check_crypto, check_fetch, check_locks, check_store
from tests.support.http_server import HttpServer

pytestmark = pytest.mark.takes(15)


@pytest.fixture(scope="module")
def server() -> Iterator[HttpServer]:
    serving = HttpServer()
    yield serving
    serving.close()


@run_in_pyodide
async def in_page(selenium: Any, suite: str, check: str, kind: str, base: str) -> None:
    """Runs one check of a suite on the parts of a fresh host that its kind is about."""
    import importlib

    from darkswap_browser.runtime.select import load

    host, other = load(), load()
    parts = {
        "crypto": (host.crypto,),
        "fetch": (host.fetch, base),
        "locks": (host.locks, other.locks),
        "store": (host.store, host.crypto),
    }
    await getattr(importlib.import_module(f"darkswap_browser.testing.conformance.{suite}"), check)(*parts[kind])


@run_in_pyodide
async def forget_database(selenium: Any) -> None:
    """Deletes what the store of an earlier check kept."""
    import asyncio

    import js
    from pyodide.ffi import create_once_callable

    deleted = asyncio.get_running_loop().create_future()
    request = js.indexedDB.deleteDatabase("darkswap")
    request.onsuccess = create_once_callable(lambda _: deleted.set_result(True))
    request.onblocked = create_once_callable(lambda _: deleted.set_exception(AssertionError("still open")))
    await deleted


@pytest.mark.parametrize("check", [check.__name__ for check in check_crypto.CHECKS])
def test_crypto(selenium_equipped: Any, check: str) -> None:
    in_page(selenium_equipped, "check_crypto", check, "crypto", "")


@pytest.mark.parametrize("check", [check.__name__ for check in check_store.CHECKS])
def test_store(selenium_equipped: Any, check: str) -> None:
    forget_database(selenium_equipped)
    in_page(selenium_equipped, "check_store", check, "store", "")


@pytest.mark.parametrize("check", [check.__name__ for check in check_locks.CHECKS])
def test_locks(selenium_equipped: Any, check: str) -> None:
    in_page(selenium_equipped, "check_locks", check, "locks", "")


@pytest.mark.parametrize("check", [check.__name__ for check in check_fetch.CHECKS])
def test_fetch(selenium_equipped: Any, server: HttpServer, check: str) -> None:
    in_page(selenium_equipped, "check_fetch", check, "fetch", server.url)


@run_in_pyodide
async def test_clock_and_entropy_are_the_browsers(selenium_equipped: Any) -> None:
    import time

    from darkswap_browser.runtime.select import load

    host = load()
    assert abs(host.clock.now() - time.time()) < 5
    assert len({host.entropy.bytes(16) for _ in range(100)}) == 100


@run_in_pyodide
async def test_lifecycle_tells_of_the_page_while_subscribed(selenium_equipped: Any) -> None:
    import js

    from darkswap_browser.runtime.select import load

    heard: list[str] = []
    unsubscribe = load().lifecycle.subscribe(heard.append)
    js.dispatchEvent(js.Event.new("offline"))
    js.dispatchEvent(js.Event.new("online"))
    unsubscribe()
    js.dispatchEvent(js.Event.new("offline"))
    assert heard == ["offline", "online"]


@run_in_pyodide
async def test_two_nodes_of_one_page_begin_and_end(selenium_equipped: Any) -> None:
    from darkswap_browser import Network, NetworkConfig

    config = NetworkConfig.from_mapping({"identity": {"persist": False}})
    async with Network(config) as one, Network(config) as other:
        assert await one.local_peer_id() != await other.local_peer_id()
