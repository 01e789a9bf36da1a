"""What only CPython's sockets do: HTTP on a WebSocket port, options of the sockets, peers that misbehave."""

from __future__ import annotations

import asyncio
import http.client
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from darkswap_browser.errors import ConnectionLost, InvalidArgument, ListenFailed
from darkswap_browser.runtime.base.links import ByteLink, LinkGate
from darkswap_browser.runtime.native.sockets import (
    CLOSE_SECONDS,
    WEBSOCKET_MESSAGE,
    HttpAnswer,
    NativeSockets,
    PlainHttp,
    TcpLink,
)

pytestmark = pytest.mark.native


@asynccontextmanager
async def listening(
    plain_http: PlainHttp | None = None, gate: LinkGate | None = None, **options: float
) -> AsyncIterator[tuple[int, asyncio.Queue[ByteLink]]]:
    links: asyncio.Queue[ByteLink] = asyncio.Queue()
    made: list[ByteLink] = []

    async def accept(link: ByteLink, ip: str) -> None:
        made.append(link)
        links.put_nowait(link)

    listener = await NativeSockets(plain_http=plain_http, gate=gate, **options).listen_websocket("127.0.0.1", 0, accept)
    try:
        yield listener.port, links
    finally:
        for link in made:
            link.reset()
        await listener.close()


@asynccontextmanager
async def stranger(port: int) -> AsyncIterator[tuple[ClientConnection, str]]:
    """A WebSocket client that is not ours, and the extensions that were agreed with it."""
    async with connect(f"ws://127.0.0.1:{port}/", compression="deflate", max_size=None) as client:
        assert client.response is not None
        yield client, client.response.headers.get("Sec-WebSocket-Extensions", "")


def get(port: int, path: str) -> tuple[int, str | None, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", path)
    response = connection.getresponse()
    return response.status, response.getheader("Content-Type"), response.read()


async def test_a_plain_get_finds_nothing() -> None:
    async with listening() as (port, links):
        status, _, body = await asyncio.to_thread(get, port, "/")
        assert status == 404
        assert b"libp2p" in body
        assert links.empty()


async def test_a_plain_get_may_be_answered() -> None:
    def answer(path: str) -> HttpAnswer | None:
        return HttpAnswer(200, "text/html", path.encode()) if path.startswith("/hello") else None

    async with listening(answer) as (port, _):
        assert await asyncio.to_thread(get, port, "/hello?x=1") == (200, "text/html", b"/hello?x=1")
        assert (await asyncio.to_thread(get, port, "/"))[0] == 404


async def test_compression_is_refused_and_any_path_taken() -> None:
    async with listening() as (port, links), stranger(port) as (client, extensions):
        assert extensions == ""
        await client.send(b"bytes")
        assert await (await links.get()).read() == b"bytes"
        async with connect(f"ws://127.0.0.1:{port}/some/path?query"):
            await links.get()


async def test_text_and_empty_and_fragmented_messages_are_bytes_of_the_stream() -> None:
    async with listening() as (port, links), stranger(port) as (client, _):
        link = await links.get()
        await client.send("héllo")
        await client.send(b"")
        await client.send([b"frag", b"ment"])
        data = b""
        while len(data) < 14:
            data += await link.read()
        assert data == "héllofragment".encode()


async def test_a_message_of_a_mebibyte_is_taken_and_one_beyond_the_limit_ends_the_link() -> None:
    async with listening() as (port, links), stranger(port) as (client, _):
        link = await links.get()
        await client.send(bytes(1024 * 1024 + 1))
        received = 0
        while received < 1024 * 1024 + 1:
            received += len(await link.read())
        with pytest.raises(ConnectionClosed):
            await client.send(bytes(WEBSOCKET_MESSAGE + 1))
            await client.recv()
        with pytest.raises(ConnectionLost):
            while True:
                await link.read()


async def test_pings_are_answered() -> None:
    async with listening() as (port, _), stranger(port) as (client, _):
        await (await client.ping())


async def test_a_stranger_that_vanishes_is_a_loss() -> None:
    async with listening() as (port, links), stranger(port) as (client, _):
        link = await links.get()
        client.transport.abort()
        with pytest.raises(ConnectionLost):
            await link.read()


async def test_closing_does_not_wait_for_a_peer_that_never_answers() -> None:
    """A raw socket that opens a WebSocket and is then silent; the link is dropped in time."""
    assert CLOSE_SECONDS < 8
    async with listening(close_seconds=0.1) as (port, links):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(
            b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        assert b" 101 " in await reader.readline()
        link = await links.get()
        # Many times as long: a busy machine is no fault of the link.
        async with asyncio.timeout(10):
            await link.close()
        writer.close()


@pytest.mark.parametrize("url", ["http://127.0.0.1/", "ws://", "nonsense"])
async def test_what_is_no_websocket_url_is_an_argument_fault(url: str) -> None:
    with pytest.raises(InvalidArgument):
        await NativeSockets().connect_websocket(url)


async def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(ConnectionLost):
        await NativeSockets().connect_tcp("127.0.0.1", port)
    with pytest.raises(ConnectionLost):
        await NativeSockets().connect_websocket(f"ws://127.0.0.1:{port}/")


async def test_a_port_that_is_taken_is_named() -> None:
    async with listening() as (port, _):
        for listen in (NativeSockets().listen_tcp, NativeSockets().listen_websocket):
            with pytest.raises(ListenFailed, match=f"cannot listen on 127.0.0.1 port {port}: ") as caught:
                await listen("127.0.0.1", port, _never)
            assert not caught.value.retryable
            assert "port" in caught.value.hint


async def _never(link: ByteLink, ip: str) -> None:
    raise AssertionError


async def test_small_writes_leave_at_once() -> None:
    sockets = NativeSockets()

    async def accept(link: ByteLink, ip: str) -> None:
        await link.close()

    listener = await sockets.listen_tcp("127.0.0.1", 0, accept)
    link = await sockets.connect_tcp("127.0.0.1", listener.port)
    assert isinstance(link, TcpLink)
    assert link.option(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
    await link.close()
    await listener.close()


async def test_closing_a_listener_leaves_its_links_alone() -> None:
    sockets = NativeSockets()
    for kind in ("tcp", "ws"):
        links: asyncio.Queue[ByteLink] = asyncio.Queue()
        release = asyncio.Event()

        async def accept(link: ByteLink, ip: str) -> None:
            links.put_nowait(link)  # noqa: B023
            await release.wait()  # noqa: B023

        if kind == "tcp":
            listener = await sockets.listen_tcp("127.0.0.1", 0, accept)
            ours = await sockets.connect_tcp("127.0.0.1", listener.port)
        else:
            listener = await sockets.listen_websocket("127.0.0.1", 0, accept)
            ours = await sockets.connect_websocket(f"ws://127.0.0.1:{listener.port}")
        theirs = await links.get()
        await listener.close()
        await ours.write(b"still here")
        assert await theirs.read() == b"still here"
        ours.reset()
        theirs.reset()
        release.set()


NAMES = ("a..b", "a" * 64 + ".example", ".example", "example..", "\u05d0a.example", "a\u3002\u3002b", "\u00ad.example")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", ["tcp", "ws", "wss"])
async def test_a_name_that_cannot_be_is_a_failure_of_that_address(name: str, kind: str) -> None:
    sockets = NativeSockets()
    with pytest.raises((InvalidArgument, ConnectionLost)):
        await (sockets.connect_tcp(name, 1) if kind == "tcp" else sockets.connect_websocket(f"{kind}://{name}:1/"))


@pytest.mark.parametrize("port", [-1, 65536, 99999])
async def test_a_port_that_cannot_be_is_a_failure_of_that_address(port: int) -> None:
    with pytest.raises((InvalidArgument, ConnectionLost)):
        await NativeSockets().connect_tcp("127.0.0.1", port)


@pytest.mark.parametrize(
    "where", ["wss://127.0.0.1:9/", "https://127.0.0.1:9/", "ws://[bad/", "ws://127.0.0.1:99999/", "/"]
)
@pytest.mark.parametrize("status", [300, 301, 302, 303, 307, 308])
async def test_no_redirect_is_followed(where: str, status: int) -> None:
    asked = 0

    async def redirect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        await reader.readuntil(b"\r\n\r\n")
        asked += 1
        writer.write(f"HTTP/1.1 {status} Elsewhere\r\nLocation: {where}\r\nContent-Length: 0\r\n\r\n".encode())
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(redirect, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with pytest.raises(ConnectionLost, match=str(status)):
        await NativeSockets().connect_websocket(f"ws://127.0.0.1:{port}/")
    assert asked == 1
    server.close()
