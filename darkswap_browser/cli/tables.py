"""Text for eyes: aligned columns, and nothing in it that a terminal would obey."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

GAP = "  "


def plain_text(text: str) -> str:
    """Names come from strangers: whatever moves the cursor, colours or turns the line becomes a question mark."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def width(text: str) -> int:
    """Columns of a terminal."""
    return sum(
        0 if unicodedata.combining(letter) else 2 if unicodedata.east_asian_width(letter) in "WF" else 1
        for letter in text
    )


def cut(text: str, most: int) -> str:
    """Not wider than `most`, with a mark where something is missing."""
    if width(text) <= most:
        return text
    while width(text) > most - 1:
        text = text[:-1]
    return text + "…"


def table(titles: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[str] = ()) -> list[str]:
    """Lines under their titles; columns named in `right` end flush."""
    cells = [[*titles], *([plain_text(cell) for cell in row] for row in rows)]
    widths = [max(width(row[at]) for row in cells) for at in range(len(titles))]

    def padded(text: str, at: int) -> str:
        space = " " * (widths[at] - width(text))
        return space + text if titles[at] in right else text + space

    return [GAP.join(padded(cell, at) for at, cell in enumerate(row)).rstrip() for row in cells]


def pairs(entries: Sequence[tuple[str, str]]) -> list[str]:
    """A name and what belongs to it on each line; entries without a value are left out."""
    shown = [(name, plain_text(value)) for name, value in entries if value]
    longest = max((width(name) for name, _ in shown), default=0)
    return [f"{name}{' ' * (longest - width(name))}{GAP}{value}" for name, value in shown]
