"""What every decoder must survive: only `RemoteError` may come out, whatever goes in."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from hypothesis import strategies as st

from darkswap_browser.errors import MalformedMessage


def assert_only_malformed(decode: Callable[[bytes], object], data: bytes) -> None:
    """Decoding gives a value or `MalformedMessage`; any other exception goes through and fails the test."""
    try:
        decode(data)
    except MalformedMessage as error:
        assert str(error)


def damaged(valid: bytes) -> Iterator[bytes]:
    """Every truncation; every byte changed in three ways; the whole twice; bytes too many."""
    for end in range(len(valid)):
        yield valid[:end]
    for index in range(len(valid)):
        for change in (0x01, 0x80, 0xFF):
            yield valid[:index] + bytes((valid[index] ^ change,)) + valid[index + 1 :]
    yield valid + valid
    yield valid + b"\x00"
    yield valid + b"\xff" * 16


def mutations(valid: bytes) -> st.SearchStrategy[bytes]:
    """`valid` with a slice replaced by random bytes."""

    def splice(at: int, length: int, new: bytes) -> bytes:
        return valid[:at] + new + valid[at + length :]

    size = len(valid)
    return st.builds(splice, st.integers(0, size), st.integers(0, size), st.binary(max_size=24))
