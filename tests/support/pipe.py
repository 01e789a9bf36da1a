"""An in-memory link in two halves, with back-pressure, and the pieces to make nodes over it."""

from __future__ import annotations

import asyncio
import hashlib

from darkswap_browser.errors import ConnectionLost, EndOfStream
from darkswap_browser.identity.keys import Identity
from darkswap_browser.net.stream import ReceiveBuffer
from darkswap_browser.runtime.native.crypto import NativeCrypto

HIGH_WATER = 256 * 1024


class PipeEnd:
    """A `ByteLink`. What one end writes, the other reads; writers wait above `HIGH_WATER` unread bytes."""

    def __init__(self) -> None:
        self.other: PipeEnd
        self.inbox = ReceiveBuffer(self._taken)
        self.writes: list[bytes] = []
        """What was written here, when `record` is set."""
        self.record = False
        self.closed = False
        self._is_cut = False
        self._room = asyncio.Event()
        self._room.set()

    def _taken(self, count: int) -> None:
        if len(self.inbox) <= HIGH_WATER:
            self.other._room.set()

    async def read(self, max_bytes: int = 65536) -> bytes:
        return await self.inbox.read(max_bytes)

    async def write(self, data: bytes) -> None:
        if self.closed:
            raise ConnectionLost("pipe")
        if self.record:
            self.writes.append(data)
        if self._is_cut:
            return
        self.other.inbox.feed(data)
        if len(self.other.inbox) > HIGH_WATER:
            self._room.clear()
        await self._room.wait()

    def cut(self) -> None:
        """What is written from now on never arrives, nor does the end."""
        self._is_cut = True

    async def close(self) -> None:
        if not self.closed:
            self.closed = True
            if not self._is_cut:
                self.other.inbox.end(EndOfStream())
            self.inbox.end(ConnectionLost("pipe"))

    async def close_write(self) -> None:
        self.other.inbox.end(EndOfStream())

    def reset(self) -> None:
        for end in (self,) if self._is_cut else (self, self.other):
            end.closed = True
            end.inbox.end(ConnectionLost("pipe", "reset"))
            end._room.set()


class PromptPipeEnd(PipeEnd):
    """An end that can take bytes without waiting."""

    def try_write(self, data: bytes) -> bool:
        if self.closed:
            raise ConnectionLost("pipe")
        if len(self.other.inbox) > HIGH_WATER:
            return False
        self.other.inbox.feed(data)
        return True


def pipe(kind: type[PipeEnd] = PipeEnd) -> tuple[PipeEnd, PipeEnd]:
    left, right = kind(), kind()
    left.other, right.other = right, left
    return left, right


class CountingEntropy:
    """Every run is the same: SHA-256 of a label and a counter."""

    def __init__(self, label: str = "") -> None:
        self._label = label.encode()
        self._count = 0

    def bytes(self, count: int) -> bytes:
        out = b""
        while len(out) < count:
            self._count += 1
            out += hashlib.sha256(self._label + self._count.to_bytes(8, "big")).digest()
        return out[:count]


async def identity(label: str) -> Identity:
    """The same one for the same label."""
    return await Identity.from_seed(NativeCrypto(), hashlib.sha256(label.encode()).digest())
