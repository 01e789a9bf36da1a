"""The HTTP server over real sockets: any page may read it, and what is no request is refused."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from darkswap_browser.regtest.chain.ledger import ConnectedBlock
from darkswap_browser.regtest.faucet import BITCOIN
from darkswap_browser.regtest.servers.http import MAX_BODY, HttpRequest, HttpServer
from darkswap_browser.regtest.servers.requests import Response, text
from darkswap_browser.regtest.service import SETTLED, RegtestOptions, RegtestService
from tests.support.regtest import regtest_service


async def echo(request: HttpRequest) -> Response | None:
    if request.target == "/drop":
        return None
    return text(f"{request.method} {request.target} {len(request.body)}")


async def exchange(port: int, data: bytes) -> bytes:
    """Everything the server says until it closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data)
    writer.write_eof()
    said = bytearray()
    try:
        while part := await reader.read(65536):
            said += part
    except ConnectionResetError:
        pass
    writer.close()
    return bytes(said)


@pytest.mark.native
async def test_requests_on_one_connection_are_answered_in_turn() -> None:
    async with HttpServer(echo) as server:
        await server.open("127.0.0.1", 0)
        first = b"POST /a?b=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"
        said = await exchange(server.port, first + b"HEAD /c HTTP/1.1\r\nConnection: close\r\n\r\n")
        one, two = said.split(b"HTTP/1.1 200 OK\r\n")[1:]
        assert one.endswith(b"\r\n\r\nPOST /a?b=1 3")
        assert b"Access-Control-Allow-Origin: *\r\n" in one
        assert two.endswith(b"Connection: close\r\n\r\n")


@pytest.mark.native
async def test_preflights_are_granted() -> None:
    async with HttpServer(echo) as server:
        await server.open("127.0.0.1", 0)
        said = await exchange(
            server.port, b"OPTIONS /alkanes HTTP/1.1\r\nOrigin: http://a\r\nConnection: close\r\n\r\n"
        )
        assert said.startswith(b"HTTP/1.1 204 No Content\r\n")
        assert b"Access-Control-Allow-Headers: *, Authorization, Content-Type\r\n" in said


@pytest.mark.native
@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GARBAGE\r\n\r\n", 400),
        (b"GET / HTTP/2\r\n\r\n", 400),
        (b"GET http://x/ HTTP/1.1\r\n\r\n", 400),
        (b"PUT / HTTP/1.1\r\n\r\n", 405),
        (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n folded: x\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 411),
        (b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % (MAX_BODY + 1), 413),
        (b"GET / HTTP/1.1\r\nX: " + b"a" * 20_000 + b"\r\n\r\n", 431),
    ],
)
async def test_what_is_no_request_is_refused(data: bytes, status: int) -> None:
    async with HttpServer(echo) as server:
        await server.open("127.0.0.1", 0)
        assert (await exchange(server.port, data)).startswith(b"HTTP/1.1 %d " % status)


@pytest.mark.native
@pytest.mark.parametrize(
    "data", [b"", b"GET / HT", b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nabc", b"GET /drop HTTP/1.1\r\n\r\n"]
)
async def test_cut_requests_and_dropped_ones_have_no_answer(data: bytes) -> None:
    async with HttpServer(echo) as server:
        await server.open("127.0.0.1", 0)
        assert await exchange(server.port, data) == b""


@pytest.mark.native
async def test_the_timer_mines(tmp_path: Path) -> None:
    async with regtest_service(tmp_path, block_seconds=0.01) as service:
        mined = asyncio.Event()

        class Bell:
            def connect(self, _: ConnectedBlock) -> None:
                mined.set()

        service.node.ledger.indexes.append(Bell())
        service.faucet.funds.pay(BITCOIN, 100_000)
        await mined.wait()


async def test_six_blocks_settle_a_transaction_and_then_the_chain_rests(tmp_path: Path) -> None:
    service = RegtestService(RegtestOptions(folder=tmp_path))
    service.node.mine(SETTLED, BITCOIN)
    assert not service.is_due()
    service.faucet.funds.pay(BITCOIN, 100_000)
    height = service.node.ledger.height
    while service.is_due():
        service.node.mine(1, BITCOIN)
    assert service.node.ledger.height == height + SETTLED + 1
    await service.close()
