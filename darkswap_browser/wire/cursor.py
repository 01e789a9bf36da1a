"""A reader over bytes that have all arrived. Running out is `MalformedMessage`, named after the structure read."""

from __future__ import annotations

from darkswap_browser.errors import MalformedMessage
from darkswap_browser.wire.varint import decode_varint


class Cursor:
    """`what` names the structure in errors. Integers are big-endian."""

    __slots__ = ("_at", "_data", "what")

    def __init__(self, data: bytes, what: str) -> None:
        self._data = data
        self._at = 0
        self.what = what

    @property
    def remaining(self) -> int:
        """Bytes not read yet."""
        return len(self._data) - self._at

    @property
    def position(self) -> int:
        return self._at

    def take(self, count: int) -> bytes:
        """The next `count` bytes; judged before anything is copied."""
        end = self._at + count
        if count < 0 or end > len(self._data):
            raise MalformedMessage(self.what, f"needs {count} more bytes and has {self.remaining}")
        data = self._data[self._at : end]
        self._at = end
        return data

    def u8(self) -> int:
        return self.take(1)[0]

    def u16(self) -> int:
        return int.from_bytes(self.take(2), "big")

    def u32(self) -> int:
        return int.from_bytes(self.take(4), "big")

    def u64(self) -> int:
        return int.from_bytes(self.take(8), "big")

    def varint(self) -> int:
        """An unsigned varint in minimal form."""
        value, self._at = decode_varint(self._data, self._at)
        return value

    def prefixed(self) -> bytes:
        """Bytes behind their varint length."""
        return self.take(self.varint())

    def expect_end(self) -> None:
        if self.remaining:
            raise MalformedMessage(self.what, f"{self.remaining} bytes too many")
