from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkswap_browser.errors import MalformedMessage
from darkswap_browser.wire.framing import MessageDecoder, frame
from tests.support.hostile import assert_only_malformed


@given(st.lists(st.binary(max_size=300), max_size=8), st.lists(st.integers(1, 40), max_size=30))
def test_any_cut_gives_the_same_messages(messages: list[bytes], cuts: list[int]) -> None:
    data = b"".join(map(frame, messages))
    decoder = MessageDecoder(300)
    got: list[bytes] = []
    for cut in [*cuts, len(data)]:
        got += decoder.feed(data[:cut])
        data = data[cut:]
    assert got == messages
    assert decoder.pending == 0


def test_a_size_over_the_limit_is_refused_before_its_body_arrives() -> None:
    decoder = MessageDecoder(200)
    assert decoder.feed(b"\x02ab\xc9") == [b"ab"]
    with pytest.raises(MalformedMessage, match="announces 201 bytes; at most 200"):
        decoder.feed(b"\x01")


def test_an_unfinished_message_is_seen_as_pending() -> None:
    decoder = MessageDecoder(100)
    assert decoder.feed(frame(b"abc")[:-1]) == []
    assert decoder.pending == 3


@given(st.binary(max_size=200))
def test_any_bytes_give_messages_or_malformed(data: bytes) -> None:
    assert_only_malformed(MessageDecoder(64).feed, data)
