"""One suite of `Fetch` over the hosts of CPython; `tests/browser/test_fetch_conformance.py` runs it in a page."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator

import pytest

from darkswap_browser.errors import ConnectionLost, TimedOut
from darkswap_browser.runtime.base.http import Fetch
from darkswap_browser.runtime.native.fetch import NativeFetch
from darkswap_browser.testing.conformance.check_fetch import CHECKS, get
from darkswap_browser.testing.world import SimulatedWorld
from tests.support import http_server
from tests.support.http_server import HttpServer
from tests.support.native_identity import CRYPTO

Check = Callable[[Fetch, str], Awaitable[None]]
BASE = "https://chain.example/api"
ASK = """
import asyncio
from darkswap_browser.runtime.native.fetch import NativeFetch

asked = NativeFetch().request("GET", "http://chain.example/status/404", timeout=5, max_bytes=1000)
print(asyncio.run(asked).status)
"""


@pytest.fixture(scope="module")
def server() -> Iterator[HttpServer]:
    server = HttpServer()
    yield server
    server.close()


@pytest.fixture
def world() -> SimulatedWorld:
    world = SimulatedWorld(crypto=CRYPTO)
    world.serve_http("server", BASE, http_server.simulated)
    return world


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
async def test_simulated(check: Check, world: SimulatedWorld) -> None:
    await check(world.runtime("page").fetch, BASE)


@pytest.mark.native
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
async def test_native(check: Check, server: HttpServer) -> None:
    await check(NativeFetch(), server.url)


@pytest.mark.native
async def test_a_thread_that_waits_for_nothing_is_woken(server: HttpServer) -> None:
    before = threading.active_count()
    with pytest.raises(TimedOut):
        await get(NativeFetch(), f"{server.url}/silent", timeout=0.2)
    await asyncio.wait_for(asyncio.to_thread(bool), 5)
    assert threading.active_count() <= before + 3  # the executor's, the server's; none of them stays in a read


@pytest.mark.native
async def test_the_environments_proxy_is_asked(server: HttpServer) -> None:
    # The environment is the process's own, so a process of its own reads it.
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        ASK,
        env={
            "http_proxy": server.url.replace("//", "//name:word@"),
            "no_proxy": "",
            "PYTHONPATH": os.pathsep.join(sys.path),
        },
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await process.communicate()
    assert said.split() == [b"404"]


async def test_distance_is_paid_for_each_request(world: SimulatedWorld) -> None:
    world.shape("page", "server", latency=0.1)
    began = asyncio.get_running_loop().time()
    await get(world.runtime("page").fetch, f"{BASE}/number")
    assert asyncio.get_running_loop().time() - began == pytest.approx(0.6)


async def test_a_cut_path_is_silence_until_it_heals(world: SimulatedWorld) -> None:
    fetch = world.runtime("page").fetch
    world.cut("page", "server")
    with pytest.raises(TimedOut):
        await get(fetch, f"{BASE}/number", timeout=5)
    asked = asyncio.ensure_future(get(fetch, f"{BASE}/number", timeout=5))
    await asyncio.sleep(2)
    world.heal("page", "server")
    assert (await asked).status == 200


async def test_a_server_that_refuses_or_died_is_a_lost_connection(world: SimulatedWorld) -> None:
    fetch = world.runtime("page").fetch
    world.refuse("server")
    with pytest.raises(ConnectionLost, match="refused"):
        await get(fetch, f"{BASE}/number")
    world.refuse("server", False)
    slow = asyncio.ensure_future(get(fetch, f"{BASE}/drip", timeout=100))
    await asyncio.sleep(1)
    world.kill("server")
    with pytest.raises(ConnectionLost, match="gone"):
        await slow
    with pytest.raises(ConnectionLost):
        await get(fetch, f"{BASE}/number")


async def test_the_longest_base_answers(world: SimulatedWorld) -> None:
    world.serve_http("other", "https://chain.example", http_server.simulated)
    fetch = world.runtime("page").fetch
    assert b"/echo" in (await get(fetch, f"{BASE}/echo")).body
    assert (await get(fetch, "https://chain.example/echo?a=1")).body.count(b"/echo?a=1") == 1
