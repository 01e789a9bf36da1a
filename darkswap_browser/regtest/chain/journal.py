"""The chain on disk: one file that only grows, of blocks and mempool events in the order in which they came.

A record is `kind (1 byte) · length (4, little-endian) · CRC-32 (4) · data`. A process killed in the middle of a write
leaves a torn record at the end; it is cut off at the next start, and everything before it holds.
"""

from __future__ import annotations

import fcntl
import zlib
from collections.abc import Iterator
from enum import Enum
from pathlib import Path

HEAD = 9
MAX_RECORD = 4_000_000
MAGIC = b"darkswap-regtest-1\n"


class Kind(Enum):
    BLOCK = b"B"
    """A raw block that the kernel took."""
    ENTER = b"T"
    """A raw transaction that entered the mempool."""
    LEAVE = b"D"
    """The txid (32 bytes, internal order) of one that was dropped from it by hand."""


class Journal:
    """Raises `OSError` when another process has it open."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("r+b" if path.exists() else "x+b")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._file.close()
            raise OSError(error.errno, f"{path.parent} is in use by another process") from error
        whole = self._measure()
        self._file.truncate(whole)
        self._file.seek(whole)
        if not whole:
            self._file.write(MAGIC)
            self._file.flush()

    def _measure(self) -> int:
        """Bytes up to the end of the last whole record; 0 when this is no journal of ours."""
        whole = 0
        for end, _, _ in self._scan():
            whole = end
        return whole or (len(MAGIC) if self._begins() else 0)

    def _begins(self) -> bool:
        if not self._path.exists():
            return False
        with self._path.open("rb") as file:
            return file.read(len(MAGIC)) == MAGIC

    def _scan(self) -> Iterator[tuple[int, Kind, bytes]]:
        if not self._begins():
            return
        with self._path.open("rb") as file:
            file.seek(len(MAGIC))
            while len(head := file.read(HEAD)) == HEAD:
                kind, size = head[:1], int.from_bytes(head[1:5], "little")
                if kind not in {each.value for each in Kind} or size > MAX_RECORD:
                    return
                data = file.read(size)
                if len(data) < size or zlib.crc32(data) != int.from_bytes(head[5:], "little"):
                    return
                yield file.tell(), Kind(kind), data

    def read(self) -> Iterator[tuple[Kind, bytes]]:
        for _, kind, data in self._scan():
            yield kind, data

    def append(self, kind: Kind, data: bytes) -> None:
        """In the operating system's hands when this returns: a killed process loses nothing of it."""
        self._file.write(kind.value + len(data).to_bytes(4, "little") + zlib.crc32(data).to_bytes(4, "little") + data)
        self._file.flush()

    def close(self) -> None:
        self._file.close()
