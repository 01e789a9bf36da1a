"""TXT records over UDP, against a resolver of our own, and answers that lie."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from darkswap_browser.errors import ConnectionLost, InvalidArgument, MalformedMessage
from darkswap_browser.runtime.base.dns import parse_txt, txt_question
from darkswap_browser.runtime.native.dns import lookup_txt


def record(*strings: bytes, kind: int = 16) -> bytes:
    data = b"".join(bytes((len(each),)) + each for each in strings)
    return b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, 60, len(data)) + data


def answer(question: bytes, *records: bytes, flags: int = 0x8180) -> bytes:
    return question[:2] + struct.pack("!5H", flags, 1, len(records), 0, 0) + question[12:] + b"".join(records)


class Resolver(asyncio.DatagramProtocol):
    def __init__(self, reply: Callable[[bytes], bytes | None]) -> None:
        self._reply = reply

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if (reply := self._reply(data)) is not None:
            self._transport.sendto(reply, addr)  # type: ignore[attr-defined]


@asynccontextmanager
async def resolver(reply: Callable[[bytes], bytes | None]) -> AsyncIterator[str]:
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: Resolver(reply), local_addr=("127.0.0.1", 0))
    try:
        yield f"127.0.0.1:{transport.get_extra_info('sockname')[1]}"
    finally:
        transport.close()


@pytest.mark.native
async def test_texts_are_found_and_their_strings_joined() -> None:
    texts = [record(b"dnsaddr=/ip4/", b"1.2.3.4"), record(b"\x01\x02\x03\x04", kind=1), record(b"x")]
    async with resolver(lambda question: answer(question, *texts)) as server:
        assert await lookup_txt("_dnsaddr.a.example", (server,)) == ("dnsaddr=/ip4/1.2.3.4", "x")


@pytest.mark.native
async def test_the_next_server_is_asked_where_one_refuses_or_lies() -> None:
    async with (
        resolver(lambda question: answer(question, flags=0x8185)) as refuses,
        resolver(lambda question: b"\0" * 200) as strange,
        resolver(lambda question: answer(question, record(b"y"))) as good,
    ):
        assert await lookup_txt("a.example", (refuses, good)) == ("y",)
        with pytest.raises(ConnectionLost):
            await lookup_txt("a.example", (refuses,))
        with pytest.raises(ConnectionLost, match="did not answer"):
            await lookup_txt("a.example", (strange,))  # of another question


@pytest.mark.parametrize("name", ["", "a..b", ".", "a" * 64, ".".join(["a" * 60] * 5), "bücher.example"])
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(InvalidArgument):
        txt_question(name, 1)


QUESTION = txt_question("a.example", 7)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        QUESTION,
        answer(QUESTION, flags=0x8380),  # cut
        answer(QUESTION, flags=0x8182),
        answer(txt_question("b.example", 7), record(b"x")),
        answer(QUESTION, record(b"x")[:-3]),
        answer(QUESTION, record(b"x")[:5]),
        answer(QUESTION, b"\x3f"),
        bytes(5000),
    ],
)
def test_an_answer_that_cannot_be_read_is_malformed(data: bytes) -> None:
    with pytest.raises(MalformedMessage):
        parse_txt(data, QUESTION)


def test_a_name_without_records_has_no_texts() -> None:
    assert parse_txt(answer(QUESTION, flags=0x8183), QUESTION) == ()
    assert parse_txt(answer(QUESTION), QUESTION) == ()
