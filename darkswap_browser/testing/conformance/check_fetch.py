"""What every `runtime.base.Fetch` must do, against `tests.support.http_server`, whose paths say how it behaves.

No pytest here: it is sent to the page as well.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable

from darkswap_browser.errors import ConnectionLost, DarkSwapError, InvalidArgument, ResourceLimit, TimedOut
from darkswap_browser.runtime.base.http import Fetch, HttpResponse

MEGABYTE = 1024 * 1024


async def get(fetch: Fetch, url: str, *, timeout: float = 20.0, max_bytes: int = MEGABYTE) -> HttpResponse:
    return await fetch.request("GET", url, timeout=timeout, max_bytes=max_bytes)


async def outcome(work: Awaitable[object]) -> type[DarkSwapError] | None:
    try:
        await work
    except DarkSwapError as error:
        return type(error)
    return None


async def an_answer_is_status_headers_and_body(fetch: Fetch, base: str) -> None:
    answer = await get(fetch, f"{base}/bytes/300?a=b%20c")
    assert answer.status == 200
    assert answer.body == bytes(number % 256 for number in range(300))
    assert answer.headers["content-type"] == "application/octet-stream"


async def method_headers_and_body_arrive_as_given(fetch: Fetch, base: str) -> None:
    body = bytes(range(256)) * 40
    answer = await fetch.request(
        "POST", f"{base}/echo?x=1", headers={"X-Key": "secret"}, body=body, timeout=20.0, max_bytes=MEGABYTE
    )
    seen = json.loads(answer.body)
    assert seen == {"method": "POST", "path": "/echo?x=1", "key": "secret", "body": body.hex()}


async def every_status_is_an_answer(fetch: Fetch, base: str) -> None:
    for status in (200, 400, 404, 429, 500, 503):
        answer = await get(fetch, f"{base}/status/{status}")
        assert (answer.status, answer.body) == (status, f"status {status}".encode())
    assert (await get(fetch, f"{base}/status/429")).headers["retry-after"] == "7"
    assert (await get(fetch, f"{base}/status/204")).body == b""


async def integers_of_any_size_come_through(fetch: Fetch, base: str) -> None:
    answer = await get(fetch, f"{base}/number")
    assert json.loads(answer.body) == 2**128 - 1


async def an_answer_of_the_cap_is_taken_and_one_above_is_not(fetch: Fetch, base: str) -> None:
    assert len((await get(fetch, f"{base}/bytes/5000", max_bytes=5000)).body) == 5000
    assert await outcome(get(fetch, f"{base}/bytes/5001", max_bytes=5000)) is ResourceLimit
    assert await outcome(get(fetch, f"{base}/bytes/3000000", max_bytes=100)) is ResourceLimit


async def a_body_in_pieces_is_one(fetch: Fetch, base: str) -> None:
    assert (await get(fetch, f"{base}/pieces")).body == b"one two three"


async def silence_ends_in_time(fetch: Fetch, base: str) -> None:
    assert await outcome(get(fetch, f"{base}/silent", timeout=0.3)) is TimedOut


async def a_body_that_drips_ends_in_time_as_well(fetch: Fetch, base: str) -> None:
    assert await outcome(get(fetch, f"{base}/drip", timeout=0.5)) is TimedOut


async def a_request_can_be_cancelled(fetch: Fetch, base: str) -> None:
    task = asyncio.ensure_future(get(fetch, f"{base}/silent"))
    await asyncio.sleep(0.1)
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        pass
    else:
        raise AssertionError("it went on")
    assert (await get(fetch, f"{base}/status/200")).status == 200


async def a_server_that_breaks_off_is_a_lost_connection(fetch: Fetch, base: str) -> None:
    assert await outcome(get(fetch, f"{base}/broken")) is ConnectionLost


async def redirects_are_not_followed(fetch: Fetch, base: str) -> None:
    assert await outcome(get(fetch, f"{base}/status/302")) is ConnectionLost


async def nobody_there_is_a_lost_connection(fetch: Fetch, _: str) -> None:
    assert await outcome(get(fetch, "http://127.0.0.1:9/")) is ConnectionLost


async def other_addresses_are_refused(fetch: Fetch, _: str) -> None:
    for url in ("", "file:///etc/passwd", "/tx", "ftp://a/"):
        assert await outcome(get(fetch, url)) is InvalidArgument


async def many_at_once(fetch: Fetch, base: str) -> None:
    answers = await asyncio.gather(*(get(fetch, f"{base}/bytes/{size}") for size in range(30)))
    assert [len(answer.body) for answer in answers] == list(range(30))


CHECKS: tuple[Callable[[Fetch, str], Awaitable[None]], ...] = (
    an_answer_is_status_headers_and_body,
    method_headers_and_body_arrive_as_given,
    every_status_is_an_answer,
    integers_of_any_size_come_through,
    an_answer_of_the_cap_is_taken_and_one_above_is_not,
    a_body_in_pieces_is_one,
    silence_ends_in_time,
    a_body_that_drips_ends_in_time_as_well,
    a_request_can_be_cancelled,
    a_server_that_breaks_off_is_a_lost_connection,
    redirects_are_not_followed,
    nobody_there_is_a_lost_connection,
    other_addresses_are_refused,
    many_at_once,
)
