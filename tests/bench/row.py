"""One line of the benchmark: what we measured, beside whom, and what was aimed at."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    name: str
    unit: str
    ours: float
    against: dict[str, float] = field(default_factory=dict)
    """Figures of the same run, by peer, in the same unit."""
    aims: dict[str, float] = field(default_factory=dict)
    """Wanted ratio ours/peer, by peer; a key "absolute" is a bound on our own figure."""
    more_is_better: bool = True
    note: str = ""

    def ratio(self, peer: str) -> float:
        return self.ours / self.against[peer] if self.against[peer] else float("inf")

    def reached(self, peer: str) -> bool:
        value = self.ours if peer == "absolute" else self.ratio(peer)
        return value >= self.aims[peer] if self.more_is_better else value <= self.aims[peer]

    def lines(self) -> list[tuple[str, str, str, str, str]]:
        """Table cells (row, ours, peer, ratio, verdict), one tuple a peer."""
        sign = "≥" if self.more_is_better else "≤"
        found = []
        for peer in dict.fromkeys([*self.against, *(["absolute"] if "absolute" in self.aims else [])]):
            beside = "" if peer == "absolute" else f"{peer} {_number(self.against[peer])}"
            ratio = "" if peer == "absolute" else f"{self.ratio(peer):.2f}×"
            verdict = ""
            if peer in self.aims:
                bound = f"{self.aims[peer]:g}" + (f" {self.unit}" if peer == "absolute" else "×")
                verdict = f"{'ok' if self.reached(peer) else 'SHORT'} (aim {sign} {bound})"
            found.append((self.name, f"{_number(self.ours)} {self.unit}", beside, ratio, verdict))
        return found or [(self.name, f"{_number(self.ours)} {self.unit}", "", "", "")]

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {
            "ratios": {peer: self.ratio(peer) for peer in self.against},
            "reached": {peer: self.reached(peer) for peer in self.aims},
        }


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def table(rows: list[Row]) -> str:
    cells = [("row", "ours", "beside us", "ratio", "verdict")]
    for row in rows:
        cells.extend(row.lines())
    widths = [max(len(line[column]) for line in cells) for column in range(5)]
    lines = ["  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip() for line in cells]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(lines)
