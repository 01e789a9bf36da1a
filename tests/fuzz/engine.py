"""Coverage-guided fuzzing in plain Python: an input that reaches a new edge is kept and changed further."""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import darkswap_browser
from tests.fuzz.target import Target

PACKAGE = str(Path(darkswap_browser.__file__).parent)
MAX_INPUT = 4096
SLOW_SECONDS = 2.0
"""Of one input, while traced: thirty times slower than in earnest."""

INTERESTING = (
    *(b"", b"\x00", b"\x01", b"\x7f", b"\x80", b"\xff", b"\x80\x00", b"\xff\xff\xff\xff", b"\x80" * 12),
    *(
        b"\xff" * 8 + b"\x7f",
        b"\xff" * 9 + b"\x01",
        b"\x0b",
        b"\x12\x00",
        b"/",
        b"\n",
        b"\xc1",
        b"\xdf\xff\xff\xff\xff",
    ),
)


@dataclass(frozen=True)
class Finding:
    """An input and the error that it should not have caused."""

    data: bytes
    error: BaseException


@dataclass
class Fuzzer:
    """`seed` makes a run repeatable."""

    target: Target
    seed: int = 0
    executions: int = 0
    corpus: list[bytes] = field(default_factory=list)
    edges: set[tuple[str, int, int]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._chance = random.Random(self.seed)

    def begin(self) -> Finding | None:
        """Runs the seeds, every truncation of each, and nothing at all."""
        for seed in (b"", *self.target.seeds):
            for data in (seed, *(seed[:end] for end in range(0, len(seed), max(1, len(seed) // 32)))):
                if (finding := self.run(data)) is not None:
                    return finding
            self.corpus.append(seed)
        return None

    def step(self) -> Finding | None:
        return self.run(self.mutate(self._chance.choice(self.corpus)))

    def run(self, data: bytes) -> Finding | None:
        edges: set[tuple[str, int, int]] = set()
        began = time.perf_counter()
        error = traced(lambda: self.target.run(data), edges)
        self.executions += 1
        if error is not None and not isinstance(error, self.target.allowed):
            return Finding(data, error)
        if time.perf_counter() - began > SLOW_SECONDS:
            return Finding(data, TimeoutError(f"took {time.perf_counter() - began:.1f} s"))
        if not edges <= self.edges:
            self.edges |= edges
            self.corpus.append(data)
        return None

    def mutate(self, data: bytes) -> bytes:
        """One to four changes."""
        out = bytearray(data)
        for _ in range(self._chance.randint(1, 4)):
            at = self._chance.randint(0, len(out))
            end = min(len(out), at + self._chance.choice((1, 1, 2, 4, 16, 64)))
            match self._chance.randrange(7):
                case 0 if at < len(out):
                    out[at] ^= 1 << self._chance.randrange(8)
                case 1 if at < len(out):
                    out[at] = self._chance.randrange(256)
                case 2:
                    out[at:end] = b""
                case 3:
                    out[at:at] = out[at:end] * self._chance.choice((1, 1, 8))
                case 4:
                    out[at:end] = self._chance.choice(INTERESTING)
                case 5:
                    other = self._chance.choice(self.corpus)
                    out[at:] = other[self._chance.randint(0, len(other)) :]
                case _:
                    out[at:at] = self._chance.randbytes(self._chance.randint(1, 8))
        return bytes(out[:MAX_INPUT])

    def shrink(self, finding: Finding) -> Finding:
        """The same error from fewer bytes, as far as leaving out pieces goes."""
        size = len(finding.data) // 2
        while size:
            at = 0
            while at < len(finding.data):
                shorter = self.run(finding.data[:at] + finding.data[at + size :])
                if shorter is not None and type(shorter.error) is type(finding.error):
                    finding = shorter
                else:
                    at += size
            size //= 2
        return finding


def traced(call: Callable[[], object], edges: set[tuple[str, int, int]]) -> BaseException | None:
    """Calls, collecting (file, line before, line) within the package; returns what it raised."""

    def local(previous: int) -> Callable[[FrameType, str, Any], Any]:
        last = previous

        def trace(frame: FrameType, event: str, argument: Any) -> Any:
            nonlocal last
            if event == "line":
                edges.add((frame.f_code.co_filename, last, frame.f_lineno))
                last = frame.f_lineno
            return trace

        return trace

    def enter(frame: FrameType, event: str, argument: Any) -> Any:
        return local(frame.f_lineno) if frame.f_code.co_filename.startswith(PACKAGE) else None

    before = sys.gettrace()
    sys.settrace(enter)
    try:
        call()
    except Exception as error:  # noqa: BLE001 - judged by the caller, which knows what is allowed
        return error
    finally:
        sys.settrace(before)
    return None
