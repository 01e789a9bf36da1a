"""Peers of CPython's sockets that send what costs most to handle, or take nothing of what is answered."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
import time
from collections.abc import Callable

import pytest
from websockets.utils import accept_key

from darkswap_browser.errors import ConnectionLost, EndOfStream
from darkswap_browser.runtime.base.links import ByteLink
from darkswap_browser.runtime.native.metered import (
    ADDRESS_BURST,
    ADDRESS_RATE,
    CONTROL_BURST,
    FRAME_BURST,
    FRAME_RATE,
    TOTAL_BURST,
)
from darkswap_browser.runtime.native.sockets import NativeSockets
from tests.runtime.native.test_sockets import listening, stranger

pytestmark = pytest.mark.native


def client_frame(opcode: int, payload: bytes) -> bytes:
    """Masked with zeros, as small as its length allows."""
    size = len(payload)
    length = bytes([0x80 | size]) if size < 126 else b"\xfe" + size.to_bytes(2, "big")
    return bytes([0x80 | opcode]) + length + bytes(4) + payload


BINARY, PING = 2, 9


class RawClient:
    """A WebSocket without a library: writes whatever bytes it is told, and reads only when asked."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def connect(cls, port: int) -> RawClient:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(
            b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        await reader.readuntil(b"\r\n\r\n")
        return cls(reader, writer)

    async def is_cut(self, seconds: float = 5.0) -> bool:
        try:
            async with asyncio.timeout(seconds):
                while await self.reader.read(65536):
                    pass
        except TimeoutError:
            return False
        except ConnectionError:
            pass
        return True


async def test_pings_without_end_cut_the_link_and_a_few_are_answered() -> None:
    async with listening() as (port, links):
        client = await RawClient.connect(port)
        await links.get()
        client.writer.write(client_frame(PING, b"hello") * int(CONTROL_BURST / 2))
        assert (await client.reader.readexactly(7)) == b"\x8a\x05hello"
        client.writer.write(client_frame(PING, bytes(125)) * int(CONTROL_BURST))
        assert await client.is_cut()
        client.writer.close()


async def test_many_tiny_messages_arrive_whole_and_leave_the_loop_its_turns() -> None:
    async with listening() as (port, links):
        client = await RawClient.connect(port)
        link = await links.get()
        data = os.urandom(int(FRAME_BURST) - 100)
        client.writer.write(b"".join(client_frame(BINARY, data[at : at + 1]) for at in range(len(data))))
        worst, received = 0.0, b""
        while len(received) < len(data):
            started = time.perf_counter()
            received += await link.read()
            worst = max(worst, time.perf_counter() - started)
        assert received == data
        assert worst < 0.1
        client.writer.close()


async def test_more_tiny_messages_than_the_burst_are_slowed_down_and_bulk_is_not() -> None:
    async with listening() as (port, links):
        client = await RawClient.connect(port)
        link = await links.get()
        extra = 2000
        client.writer.write(client_frame(BINARY, b"x") * (int(FRAME_BURST) + extra))
        received = 0
        started = time.monotonic()
        while received < int(FRAME_BURST) + extra:
            received += len(await link.read())
        assert time.monotonic() - started > extra / FRAME_RATE / 2
        client.writer.close()
        async with stranger(port) as (fast, _):
            other = await links.get()
            sending = asyncio.create_task(fast.send(bytes(1_000_000)))
            received = 0
            while received < 1_000_000:
                received += len(await other.read())
            await sending


async def test_crowd_that_sends_tiny_messages_is_slowed_down_and_who_sends_few_is_not() -> None:
    async with listening() as (port, links):
        crowd = [await RawClient.connect(port) for _ in range(int(TOTAL_BURST / FRAME_BURST) + 2)]
        each = int(FRAME_BURST)
        for client in crowd:
            client.writer.write(client_frame(BINARY, b"x") * each)
        received, spent = 0, asyncio.Event()

        async def drain(link: ByteLink) -> None:
            nonlocal received
            while True:
                data = await link.read()
                received += len(data)
                if received >= TOTAL_BURST:
                    spent.set()

        draining = [asyncio.create_task(drain(await links.get())) for _ in crowd]
        async with asyncio.timeout(20):
            await spent.wait()
        assert received < each * len(crowd), "beyond the burst of all, each has its fair share"
        honest = await RawClient.connect(port)
        link = await links.get()
        started = time.monotonic()
        for _ in range(10):
            honest.writer.write(client_frame(BINARY, b"hello"))
            assert await link.read() == b"hello"
        assert time.monotonic() - started < 0.5
        for task in draining:
            task.cancel()
        for client in (*crowd, honest):
            client.writer.close()


class OneAddress:
    """A gate at which every link comes from the same address."""

    def __init__(self, source: str) -> None:
        self.source = source

    def enter(self, ip: str, drop: Callable[[], None]) -> OneAddress:
        return self

    def trusts(self, ip: str) -> bool:
        return False

    def ignored(self, ip: str) -> None:
        pass

    def identify(self, ip: str) -> bool:
        return True

    def leave(self) -> None:
        pass


async def test_connections_of_one_address_have_one_burst_of_tiny_messages() -> None:
    async with listening(gate=OneAddress("192.0.2.1")) as (port, links):
        crowd = [await RawClient.connect(port) for _ in range(4)]
        received, more, enough = 0, int(ADDRESS_RATE), asyncio.Event()

        async def drain(link: ByteLink) -> None:
            nonlocal received
            while True:
                data = await link.read()
                received += len(data)
                if received >= ADDRESS_BURST + more:
                    enough.set()

        draining = [asyncio.create_task(drain(await links.get())) for _ in crowd]
        started = time.monotonic()
        for client in crowd:
            client.writer.write(client_frame(BINARY, b"x") * int(FRAME_BURST))
        async with asyncio.timeout(20):
            await enough.wait()
        assert time.monotonic() - started > more / ADDRESS_RATE / 2, "all connections together had enough for these"
        for task in draining:
            task.cancel()
        for client in crowd:
            client.writer.close()


async def test_server_that_floods_its_client_with_pings_is_cut_off_too() -> None:
    """A hostile relay, towards the node that dialled it."""
    over = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        key = next(line for line in request.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key")).split()[1]
        writer.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept_key(key.decode()).encode() + b"\r\n\r\n"
        )
        writer.write((bytes([0x80 | PING, 125]) + bytes(125)) * int(CONTROL_BURST * 2))
        try:
            while await reader.read(65536):
                pass
        except ConnectionError:
            pass
        writer.close()
        over.set()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    link = await NativeSockets().connect_websocket(f"ws://127.0.0.1:{port}/")
    with pytest.raises(ConnectionLost):
        await link.read()
    await over.wait()
    server.close()


async def test_peer_that_finishes_and_then_resets_tcp_raises_nothing_of_its_own() -> None:
    """Between the end of data and the reset our own end is closed: the socket is gone by then."""
    ended: asyncio.Queue[BaseException | None] = asyncio.Queue()

    async def accept(link: ByteLink, ip: str) -> None:
        try:
            with pytest.raises((EndOfStream, ConnectionLost)):
                await link.read()
            await link.close()
        except BaseException as error:
            ended.put_nowait(error)
            raise
        ended.put_nowait(None)

    listener = await NativeSockets().listen_tcp("127.0.0.1", 0, accept)
    for _ in range(50):
        raw = socket.create_connection(("127.0.0.1", listener.port))
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raw.shutdown(socket.SHUT_WR)
        raw.close()
        await asyncio.sleep(0)
    async with asyncio.timeout(5):
        assert await ended.get() is None
    while not ended.empty():
        assert ended.get_nowait() is None
    await listener.close()
