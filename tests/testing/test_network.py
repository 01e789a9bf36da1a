"""The virtual network's faults, the clock, the store and the life events of simulated hosts."""

from __future__ import annotations

import asyncio

import pytest

from darkswap_browser.errors import ConnectionLost, EndOfStream, InvalidArgument, ListenFailed
from darkswap_browser.runtime.base.links import ByteLink
from darkswap_browser.testing.world import EPOCH, SimulatedWorld
from tests.support.native_identity import CRYPTO


def now() -> float:
    return asyncio.get_running_loop().time()


async def hold(link: ByteLink, ip: str) -> None:
    await asyncio.Event().wait()


class Two:
    """A world in which `b` listens and keeps the links it got."""

    def __init__(self) -> None:
        self.world = SimulatedWorld(1, crypto=CRYPTO)
        self.a, self.b = self.world.runtime("a"), self.world.runtime("b")
        self.links: list[ByteLink] = []

    async def accept(self, link: ByteLink, ip: str) -> None:
        assert ip == self.world.ip("a")
        self.links.append(link)

    async def join(self) -> tuple[ByteLink, ByteLink]:
        if not self.links:
            await self.b.sockets.listen_websocket("0.0.0.0", 80, self.accept)
        ours = await self.a.sockets.connect_websocket("ws://b/")
        await asyncio.sleep(0)
        return ours, self.links[-1]


async def test_bytes_take_the_time_of_the_path() -> None:
    two = Two()
    ours, theirs = await two.join()
    two.world.shape("a", "b", latency=0.25, bandwidth=1000)
    began = now()
    await ours.write(bytes(500))
    received = 0
    while received < 500:
        received += len(await theirs.read())
    assert now() - began == pytest.approx(0.75)


async def test_a_cut_path_delivers_later_and_loses_nothing() -> None:
    two = Two()
    ours, theirs = await two.join()
    two.world.cut("a", "b")
    await ours.write(b"late")
    await asyncio.sleep(30)
    two.world.heal("a", "b")
    data = await theirs.read()
    while data != b"late":
        data += await theirs.read()
    assert now() < 31


async def test_a_path_that_stays_cut_loses_the_link_at_both_ends() -> None:
    two = Two()
    ours, theirs = await two.join()
    two.world.cut("a", "b")
    began = now()
    for link in (ours, theirs):
        with pytest.raises(ConnectionLost):
            await link.read()
    assert now() - began == pytest.approx(57)
    assert two.world.network.links("a") == two.world.network.links("b") == 0


async def test_a_severed_link_breaks_at_once() -> None:
    two = Two()
    ours, theirs = await two.join()
    two.world.sever("b")
    for link in (ours, theirs):
        with pytest.raises(ConnectionLost):
            await link.read()
        with pytest.raises(ConnectionLost):
            await link.write(b"x")
    assert now() < 1


async def test_nobody_listens_nobody_answers_and_nobody_is_there() -> None:
    two = Two()
    await two.join()
    for host, port in (("b", 81), ("c", 80)):
        with pytest.raises(ConnectionLost):
            await two.a.sockets.connect_websocket(f"ws://{host}:{port}/")
    with pytest.raises(ConnectionLost):
        await two.a.sockets.connect_tcp("b", 80)
    assert now() < 1
    two.world.refuse("b")
    with pytest.raises(ConnectionLost):
        await two.a.sockets.connect_websocket("ws://b/")
    two.world.refuse("b", False)
    two.world.isolate("b")
    began = now()
    with pytest.raises(ConnectionLost):
        await two.a.sockets.connect_websocket("ws://b/")
    assert now() - began == pytest.approx(15)
    with pytest.raises(InvalidArgument):
        await two.a.sockets.connect_websocket("http://b/")


async def test_a_port_is_taken_once() -> None:
    two = Two()
    await two.join()
    with pytest.raises(ListenFailed):
        await two.b.sockets.listen_tcp("0.0.0.0", 80, hold)


async def test_a_killed_process_resets_and_a_reload_starts_anew_with_the_same_store() -> None:
    two = Two()
    await two.b.store.put("kept", b"value")
    ours, _ = await two.join()
    again = two.world.reload("b")
    with pytest.raises(ConnectionLost):
        await ours.read()
    with pytest.raises(ConnectionLost):
        await two.a.sockets.connect_websocket("ws://b/")
    assert await again.store.get("kept") == b"value"
    assert again.entropy.bytes(8) != SimulatedWorld(1, crypto=CRYPTO).runtime("b").entropy.bytes(8)
    await again.sockets.listen_websocket("0.0.0.0", 80, two.accept)
    await two.a.sockets.connect_websocket("ws://b/")


async def test_an_orderly_end_arrives_behind_the_bytes() -> None:
    two = Two()
    ours, theirs = await two.join()
    await theirs.write(b"bye")
    await theirs.close()
    data = b""
    with pytest.raises(EndOfStream):
        while True:
            data += await ours.read()
    assert data == b"bye"


async def test_the_wall_clock_follows_the_loop() -> None:
    clock = SimulatedWorld(1, crypto=CRYPTO).runtime("a").clock
    await asyncio.sleep(2.5)
    assert clock.now() == pytest.approx(EPOCH + 2.5)
    assert clock.now_ns() == pytest.approx((EPOCH + 2.5) * 1e9)


async def test_life_events_reach_those_who_listen() -> None:
    world = SimulatedWorld(1, crypto=CRYPTO)
    words: list[str] = []
    stop = world.runtime("a").lifecycle.subscribe(words.append)
    world.go_offline("a")
    world.go_online("a")
    world.tell("a", "hidden")
    stop()
    world.tell("a", "visible")
    assert words == ["offline", "online", "hidden"]
