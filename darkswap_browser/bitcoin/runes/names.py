"""Rune names: bijective base 26, with spacers that are for the eye only: DOG•X and DO•GX are the same rune."""

from __future__ import annotations

from darkswap_browser.bitcoin.runes.ids import MAX_U128
from darkswap_browser.errors import InvalidArgument

SPACER = "•"
RESERVED = 6402364363415443603228541259936211926
"""From here on (27 letters) names are given by the protocol to runes etched without one."""
MAX_NAME = 28
"""Letters of the largest 128-bit number."""


def name_of(number: int) -> str:
    """0 is A, 25 is Z, 26 is AA. `number` has at most 128 bits."""
    letters = []
    number += 1
    while number:
        number, letter = divmod(number - 1, 26)
        letters.append(chr(ord("A") + letter))
    return "".join(reversed(letters))


def number_of(name: str) -> int:
    """The other way round, without spacers. Raises `InvalidArgument`."""
    if not 0 < len(name) <= MAX_NAME or any(not "A" <= letter <= "Z" for letter in name):
        raise InvalidArgument("rune", f"{name[:40]!r} is not a name of letters A to Z")
    number = 0
    for letter in name:
        number = number * 26 + ord(letter) - ord("A") + 1
    if number - 1 > MAX_U128:
        raise InvalidArgument("rune", f"{name} is larger than any rune")
    return number - 1


def with_spacers(name: str, spacers: int) -> str:
    """Bit i: a spacer after letter i, unless it is the last."""
    last = len(name) - 1
    return "".join(
        letter + (SPACER if spacers >> index & 1 and index < last else "") for index, letter in enumerate(name)
    )


def parse_spaced(text: str) -> tuple[str, int]:
    """(name, spacers) of a text with "•" or "." between letters. Raises `InvalidArgument`."""
    if len(text) > 2 * MAX_NAME:
        raise InvalidArgument("rune", "is longer than any name")
    name = ""
    spacers = 0
    for character in text:
        if "A" <= character <= "Z":
            name += character
        elif character in (SPACER, "."):
            if not name or spacers >> (len(name) - 1) & 1:
                raise InvalidArgument("rune", f"{text!r} has a spacer that stands after no letter")
            spacers |= 1 << (len(name) - 1)
        else:
            raise InvalidArgument("rune", f"{text!r} is not a name of letters A to Z")
    if not name or spacers >> (len(name) - 1):
        raise InvalidArgument("rune", f"{text!r} does not end in a letter")
    number_of(name)
    return name, spacers
