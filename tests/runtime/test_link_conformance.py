"""One suite of `ByteLink` over every host that CPython runs: simulated sockets, TCP, WebSocket, WebSocket over TLS."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from darkswap_browser.runtime.base.links import ByteLink, LinkListener, Sockets
from darkswap_browser.runtime.native.sockets import NativeSockets
from darkswap_browser.testing.conformance.check_link import CHECKS, Pair
from darkswap_browser.testing.world import SimulatedWorld
from darkswap_browser.transports.memory import memory_pair
from tests.support.certificate import Certificate, self_signed
from tests.support.native_identity import CRYPTO

Check = Callable[[Pair], Awaitable[None]]


async def listen(
    sockets: Sockets, kind: str, host: str, handler: Callable[[ByteLink, str], Awaitable[None]], tls: Certificate | None
) -> LinkListener:
    if kind == "tcp":
        return await sockets.listen_tcp(host, 0, handler)
    return await sockets.listen_websocket(host, 0, handler, tls.paths if tls else None)


@asynccontextmanager
async def joined(
    near: Sockets, far: Sockets, kind: str, host: str, tls: Certificate | None = None
) -> AsyncIterator[tuple[ByteLink, ByteLink]]:
    accepted: asyncio.Future[ByteLink] = asyncio.get_running_loop().create_future()
    done = asyncio.Event()

    async def accept(link: ByteLink, ip: str) -> None:
        assert ip.count(".") == 3
        accepted.set_result(link)
        await done.wait()

    listener = await listen(far, kind, host, accept, tls)
    if kind == "tcp":
        one = await near.connect_tcp(host, listener.port)
    else:
        one = await near.connect_websocket(f"{kind}://{host}:{listener.port}/any/path")
    two = await accepted
    try:
        yield one, two
    finally:
        one.reset()
        two.reset()
        done.set()
        await listener.close()


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", ["tcp", "ws"])
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
async def test_simulated_link(check: Check, kind: str, seed: int) -> None:
    world = SimulatedWorld(seed, crypto=CRYPTO)
    near, far = world.runtime("near"), world.runtime("far")
    await check(lambda: joined(near.sockets, far.sockets, kind, world.ip("far")))


@asynccontextmanager
async def in_memory() -> AsyncIterator[tuple[ByteLink, ByteLink]]:
    yield memory_pair()


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
async def test_memory_link(check: Check) -> None:
    await check(in_memory)


@pytest.mark.native
@pytest.mark.parametrize("kind", ["tcp", "ws"])
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
async def test_native_link(check: Check, kind: str) -> None:
    sockets = NativeSockets()
    await check(lambda: joined(sockets, sockets, kind, "127.0.0.1"))


@pytest.mark.native
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
async def test_native_link_over_tls(check: Check, tmp_path: Path) -> None:
    certificate = self_signed(tmp_path)
    sockets = NativeSockets(trusted=certificate.chain)
    await check(lambda: joined(sockets, sockets, "wss", "127.0.0.1", certificate))
