"""What the demo tells while it plays, and where its pictures go."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

from tests.interop.processes import ROOT
from tests.support.visitor import Visitor

PICTURES = ROOT / "artifacts" / "demo"


@dataclass
class DemoReport:
    """What is told on the terminal: one line a step, with the time it took."""

    act: str = ""
    step: str = "setting up"
    pictures: int = 0

    def begin(self, act: str, title: str) -> None:
        """`act`: the first word of its pictures' names."""
        self.act = act
        self.pictures = 0
        print(f"\n{title}", flush=True)

    def line(self, words: str) -> None:
        print(f"    {words}", flush=True)

    @contextlib.contextmanager
    def tell(self, step: str) -> Iterator[None]:
        self.step = step
        # A terminal sees what is being waited for; a log gets one line a step.
        print(f"  … {step}\r" if sys.stdout.isatty() else "", end="", flush=True)
        started = time.perf_counter()
        try:
            yield
        except BaseException:
            print(f"  ✗ {step}", flush=True)
            raise
        print(f"  ✓ {step}  ({time.perf_counter() - started:.1f} s)", flush=True)

    def picture(self, visitor: Visitor, what: str) -> None:
        self.pictures += 1
        visitor.picture(PICTURES / f"{self.act}-{self.pictures}-{visitor.name.lower()}-{what}.png")
