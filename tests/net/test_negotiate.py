"""multistream-select on both sides, byte by byte, and against peers that misbehave."""

from __future__ import annotations

import asyncio
import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from darkswap_browser.errors import (
    DarkSwapError,
    EndOfStream,
    HandshakeFailed,
    MalformedMessage,
    ProtocolUnsupported,
    ProtocolViolation,
    RemoteError,
)
from darkswap_browser.net.limits import DEFAULT_LIMITS
from darkswap_browser.net.negotiate import HEADER, answer, decode_line, encode_line, select_one
from darkswap_browser.net.stream import BufferedStream
from darkswap_browser.testing import loop
from tests.support.examples import examples
from tests.support.hostile import assert_only_malformed
from tests.support.pipe import PipeEnd, pipe

HEADER_LINE = bytes.fromhex("13") + b"/multistream/1.0.0\n"
NA = bytes.fromhex("036e610a")
LS = bytes.fromhex("036c730a")


def ends() -> tuple[PipeEnd, BufferedStream]:
    """(the peer's raw end, our buffered end)."""
    peer, ours = pipe()
    ours.record = peer.record = True
    return peer, BufferedStream(ours)


def supports_echo(protocol: str) -> bool:
    return protocol == "/echo"


@pytest.mark.parametrize(("text", "data"), [(HEADER, HEADER_LINE), ("na", NA), ("ls", LS), ("/noise", b"\x07/noise\n")])
def test_line_both_ways(text: str, data: bytes):
    assert encode_line(text) == data
    assert decode_line(data[1:]) == text


@settings(max_examples=examples(60))
@given(st.binary(max_size=40))
def test_a_random_line_is_text_or_malformed(data: bytes):
    assert_only_malformed(decode_line, data)


async def test_both_sides_agree_on_the_first_protocol_both_speak():
    left, right = pipe()
    chosen, answered = await asyncio.gather(
        select_one(BufferedStream(left), ["/a", "/b", "/echo"], DEFAULT_LIMITS),
        answer(BufferedStream(right), supports_echo, DEFAULT_LIMITS),
    )
    assert chosen == answered == "/echo"


async def test_the_initiator_sends_header_and_proposal_in_one_write():
    peer, ours = ends()
    choosing = asyncio.create_task(select_one(ours, ["/echo"], DEFAULT_LIMITS))
    assert await peer.read() == HEADER_LINE + b"\x06/echo\n"
    await peer.write(HEADER_LINE + b"\x06/echo\n")
    assert await choosing == "/echo"


async def test_a_lazy_dialer_keeps_its_first_data_for_the_protocol():
    """go and rust send header, proposal and first data at once."""
    peer, ours = ends()
    await peer.write(HEADER_LINE + b"\x06/echo\n" + b"first data")
    assert await answer(ours, supports_echo, DEFAULT_LIMITS) == "/echo"
    assert await ours.read() == b"first data"
    assert await peer.read() == HEADER_LINE + b"\x06/echo\n"


async def test_data_behind_the_acceptance_stays_for_the_initiators_protocol():
    peer, ours = ends()
    await peer.write(HEADER_LINE + b"\x06/echo\n" + b"first data")
    assert await select_one(ours, ["/echo"], DEFAULT_LIMITS) == "/echo"
    assert await ours.read() == b"first data"


async def test_a_lazy_dialer_that_finished_writing_is_still_answered():
    peer, ours = ends()
    await peer.write(HEADER_LINE + b"\x06/echo\n")
    await peer.close_write()
    assert await answer(ours, supports_echo, DEFAULT_LIMITS) == "/echo"


async def test_the_responder_sends_its_header_before_a_proposal_if_none_is_there():
    peer, ours = ends()
    answering = asyncio.create_task(answer(ours, supports_echo, DEFAULT_LIMITS))
    await peer.write(HEADER_LINE)
    assert await peer.read() == HEADER_LINE
    await peer.write(b"\x06/echo\n")
    assert await peer.read() == b"\x06/echo\n"
    assert await answering == "/echo"


async def test_unknown_protocols_and_ls_are_answered_na_and_more_may_follow():
    peer, ours = ends()
    await peer.write(HEADER_LINE + b"\x03/x\n"[:1] + b"/x\n" + LS + b"\x06/echo\n")
    assert await answer(ours, supports_echo, DEFAULT_LIMITS) == "/echo"
    received = b""
    while len(received) < len(HEADER_LINE) + 2 * len(NA) + 7:
        received += await peer.read()
    assert received == HEADER_LINE + NA + NA + b"\x06/echo\n"


async def test_every_split_of_the_bytes_negotiates_the_same():
    data = HEADER_LINE + NA[:1] + b"/x\n" + b"\x06/echo\n" + b"rest"
    for at in range(1, len(data)):
        peer, ours = ends()
        answering = asyncio.create_task(answer(ours, supports_echo, DEFAULT_LIMITS))
        await peer.write(data[:at])
        await asyncio.sleep(0)
        await peer.write(data[at:])
        assert await answering == "/echo"
        assert await ours.read_exactly(4) == b"rest"


async def test_no_common_protocol_names_what_was_proposed():
    peer, ours = ends()
    await peer.write(HEADER_LINE + NA + NA)
    with pytest.raises(ProtocolUnsupported) as caught:
        await select_one(ours, ["/a", "/b"], DEFAULT_LIMITS)
    assert caught.value.protocols == ("/a", "/b")


async def test_an_answer_that_was_not_proposed_is_refused():
    peer, ours = ends()
    await peer.write(HEADER_LINE + b"\x06/evil\n")
    with pytest.raises(HandshakeFailed, match="evil"):
        await select_one(ours, ["/echo"], DEFAULT_LIMITS)


async def test_another_first_line_is_refused_by_both_sides():
    for side in ("initiator", "responder"):
        peer, ours = ends()
        await peer.write(b"\x09HTTP/1.1\n"[:1] + b"HTTP/1.1\n")
        with pytest.raises(HandshakeFailed):
            if side == "initiator":
                await select_one(ours, ["/echo"], DEFAULT_LIMITS)
            else:
                await answer(ours, supports_echo, DEFAULT_LIMITS)


async def test_a_line_over_the_cap_is_refused_before_it_arrives():
    peer, ours = ends()
    await peer.write(HEADER_LINE + bytes.fromhex("8108"))
    with pytest.raises(MalformedMessage):
        await answer(ours, supports_echo, DEFAULT_LIMITS)


async def test_endless_proposals_are_a_violation():
    limits = dataclasses.replace(DEFAULT_LIMITS, negotiate_proposals=3)
    peer, ours = ends()
    await peer.write(HEADER_LINE + (b"\x03/x\n"[:1] + b"/x\n") * 4)
    with pytest.raises(ProtocolViolation):
        await answer(ours, supports_echo, limits)


async def test_an_initiator_that_gives_up_ends_the_negotiation():
    peer, ours = ends()
    await peer.write(HEADER_LINE)
    await peer.close_write()
    with pytest.raises(EndOfStream):
        await answer(ours, supports_echo, DEFAULT_LIMITS)


@settings(max_examples=examples(60))
@given(st.binary(max_size=60), st.booleans(), st.booleans())
def test_random_bytes_end_in_a_remote_error_or_the_end(data: bytes, with_header: bool, as_initiator: bool):
    async def attempt() -> None:
        peer, ours = ends()
        await peer.write((HEADER_LINE if with_header else b"") + data)
        await peer.close_write()
        if as_initiator:
            await select_one(ours, ["/echo"], DEFAULT_LIMITS)
        else:
            await answer(ours, supports_echo, DEFAULT_LIMITS)

    try:
        loop.run(attempt())
    except DarkSwapError as error:
        assert isinstance(error, RemoteError | EndOfStream)
