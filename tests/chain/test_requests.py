from __future__ import annotations

import asyncio

import pytest

from darkswap_browser.chain.requests import (
    AT_ONCE,
    ATTEMPTS,
    DEADLINE_SECONDS,
    RETRY_AFTER_SECONDS,
    WAITING,
    Server,
)
from darkswap_browser.errors import ChainInconsistent, ChainUnreachable, RateLimited
from darkswap_browser.runtime.base.http import HttpResponse
from tests.support.chain_servers import ChainServer, Hosts

BUSY = HttpResponse(429, {}, b"slow down")
DOWN = HttpResponse(503, {}, b"maintenance")


def served(far: ChainServer, hosts: Hosts | None = None) -> Server:
    hosts = hosts or Hosts()
    return Server(
        hosts.serve("one", far), fetch=hosts.page.fetch, entropy=hosts.page.entropy, headers={"X-Key": "secret"}
    )


def far_server() -> ChainServer:
    return ChainServer(**{"GET /a": "text"})


async def test_a_busy_server_is_asked_again_after_ever_longer_pauses() -> None:
    far = far_server()
    far.faults.extend([BUSY, DOWN, BUSY])
    assert (await served(far).get("/a")).body == b"text"
    pauses = [later - earlier for earlier, later in zip(far.times, far.times[1:], strict=False)]
    assert len(pauses) == 3
    for pause, full in zip(pauses, (0.5, 1.0, 2.0), strict=True):
        assert full / 2 <= pause - 0.07 <= full


async def test_a_server_that_stays_busy_is_told_as_that() -> None:
    far = far_server()
    far.faults.extend([BUSY] * ATTEMPTS)
    with pytest.raises(RateLimited):
        await served(far).get("/a")
    assert len(far.asked) == ATTEMPTS
    far.faults.extend([DOWN] * ATTEMPTS)
    with pytest.raises(ChainUnreachable, match="503 maintenance"):
        await served(far).get("/a")


async def test_retry_after_is_kept_by_the_whole_queue() -> None:
    far = far_server()
    far.faults.append(HttpResponse(429, {"retry-after": "9"}, b""))
    server = served(far)
    asked = asyncio.ensure_future(server.get("/a"))
    await asyncio.sleep(0.5)
    await asyncio.gather(asked, server.get("/a"))
    assert len(far.times) == 3 and all(time - far.times[0] >= 9 for time in far.times[1:])


async def test_a_server_that_wants_too_long_a_pause_is_left_alone() -> None:
    far = far_server()
    far.faults.append(HttpResponse(429, {"retry-after": str(int(RETRY_AFTER_SECONDS) + 1)}, b""))
    with pytest.raises(RateLimited, match="16 s"):
        await served(far).get("/a")
    assert len(far.asked) == 1


@pytest.mark.parametrize("text", ["Wed, 21 Oct 2026 07:28:00 GMT", "-5", "1e9", "", "9" * 30])
async def test_a_pause_that_is_no_number_of_seconds_is_not_read(text: str) -> None:
    far = far_server()
    far.faults.append(HttpResponse(429, {"retry-after": text}, b""))
    assert (await served(far).get("/a")).status == 200


async def test_only_so_many_requests_are_under_way_at_once() -> None:
    far = far_server()
    server = served(far)
    await asyncio.gather(*(server.get("/a") for _ in range(30)))
    assert far.busiest == AT_ONCE


async def test_a_queue_has_an_end() -> None:
    far = far_server()
    far.silent = True
    server = served(far)
    asked = [asyncio.ensure_future(server.get("/a")) for _ in range(AT_ONCE + WAITING)]
    await asyncio.sleep(0.1)
    with pytest.raises(RateLimited, match="wait already"):
        await server.get("/a")
    for task in asked:
        task.cancel()
    await asyncio.gather(*asked, return_exceptions=True)
    far.silent = False
    assert (await server.get("/a")).status == 200


async def test_silence_ends_at_the_deadline() -> None:
    far = far_server()
    far.silent = True
    began = asyncio.get_running_loop().time()
    with pytest.raises(ChainUnreachable):
        await served(far).get("/a")
    assert asyncio.get_running_loop().time() - began == pytest.approx(DEADLINE_SECONDS)


async def test_a_network_that_comes_back_is_used() -> None:
    hosts, far = Hosts(), far_server()
    server = served(far, hosts)
    hosts.world.refuse("one")
    asked = asyncio.ensure_future(server.get("/a"))
    await asyncio.sleep(0.6)
    hosts.world.refuse("one", False)
    assert (await asked).body == b"text"


async def test_other_refusals_are_answers() -> None:
    assert (await served(far_server()).get("/unknown")).status == 404


async def test_a_huge_answer_is_no_answer() -> None:
    far = ChainServer(**{"GET /a": b"x" * 1001})
    with pytest.raises(ChainInconsistent, match="more than 1000 bytes"):
        await served(far).get("/a", max_bytes=1000)
    assert len(far.asked) == 1
