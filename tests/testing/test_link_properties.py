"""Random doings on a simulated link: whatever happens, bytes arrive in order, once, and nothing waits for ever."""

from __future__ import annotations

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from darkswap_browser.errors import ConnectionLost, EndOfStream
from darkswap_browser.runtime.base.links import ByteLink
from darkswap_browser.testing import loop
from darkswap_browser.testing.link import SEND_BUFFER
from darkswap_browser.testing.world import SimulatedWorld
from tests.support.native_identity import CRYPTO

WRITE = st.tuples(st.just("write"), st.integers(0, 100_000))
OTHERS = st.tuples(st.sampled_from(["cut", "heal", "wait", "shape"]), st.integers(0, 20))
ENDS = st.sampled_from(["close", "reset", "sever", "kill"])


def pattern(start: int, count: int) -> bytes:
    return bytes((start + index) * 7 % 256 for index in range(count))


async def collect(link: ByteLink, into: bytearray) -> type[Exception]:
    try:
        while True:
            into += await link.read(9000)
    except (EndOfStream, ConnectionLost) as error:
        return type(error)


async def play(seed: int, doings: list[tuple[str, int]], end: str) -> None:
    world = SimulatedWorld(seed, crypto=CRYPTO)
    a, b = world.runtime("a"), world.runtime("b")
    accepted: asyncio.Future[ByteLink] = asyncio.get_running_loop().create_future()

    async def accept(link: ByteLink, ip: str) -> None:
        accepted.set_result(link)

    await b.sockets.listen_tcp("0.0.0.0", 1, accept)
    ours = await a.sockets.connect_tcp("b", 1)
    received, sent = bytearray(), 0
    reading = asyncio.ensure_future(collect(await accepted, received))
    try:
        for doing, number in doings:
            if doing == "write":
                data = pattern(sent, number)
                sent += number
                world.heal("a", "b")
                await ours.write(data)
            elif doing == "cut":
                world.cut("a", "b")
            elif doing == "heal":
                world.heal("a", "b")
            elif doing == "shape":
                world.shape("a", "b", latency=number / 100, bandwidth=10_000 * number or None)
            else:
                await asyncio.sleep(number)
            assert sent - len(received) <= SEND_BUFFER + 100_000
    except ConnectionLost:
        end = "lost"
    if end == "close":
        world.heal("a", "b")
        await ours.close()
    elif end == "reset":
        ours.reset()
    elif end == "sever":
        world.sever("a")
    elif end == "kill":
        world.kill("b", silent=True)
    async with asyncio.timeout(200):
        reason = await reading
    assert bytes(received) == pattern(0, len(received))
    if end == "close":
        assert reason is EndOfStream
        assert len(received) == sent


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 1000), st.lists(WRITE | OTHERS, max_size=20), ENDS)
def test_bytes_arrive_in_order_or_the_link_is_lost(seed: int, doings: list[tuple[str, int]], end: str) -> None:
    loop.run(play(seed, doings, end))
