"""Rune names ⇄ numbers (bijective base 26), spacers, and the shortest name that each height allows."""

from __future__ import annotations

from darkswap_browser.errors import InvalidArgument

RESERVED = 6_402_364_363_415_443_603_228_541_259_936_211_926
"""Names from here on are given to etchings that name none; as a name: 27 letters A."""
UNLOCK = 17_500
"""Blocks in which names become one letter shorter."""
LONGEST_LOCKED = 12
BULLETS = "•."


def text_of(rune: int) -> str:
    letters = ""
    number = rune + 1
    while number:
        number, letter = divmod(number - 1, 26)
        letters = chr(65 + letter) + letters
    return letters


def number_of(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - 64
    return number - 1


def spaced(rune: int, spacers: int) -> str:
    letters = text_of(rune)
    marked = [letter + ("•" if spacers >> at & 1 else "") for at, letter in enumerate(letters[:-1])]
    return "".join(marked) + letters[-1]


def parse(text: str) -> tuple[int, int]:
    """(rune, spacers) of a name with or without spacers. Raises `InvalidArgument`."""
    letters, spacers = "", 0
    for character in text:
        if character in BULLETS and letters and not spacers >> (len(letters) - 1) & 1:
            spacers |= 1 << (len(letters) - 1)
        elif "A" <= character <= "Z" and len(letters) < 28:
            letters += character
        else:
            raise InvalidArgument("rune", f"{text[:80]!r} is not a name")
    if not letters or spacers >> (len(letters) - 1):
        raise InvalidArgument("rune", f"{text[:80]!r} is not a name")
    return number_of(letters), spacers


def reserved(height: int, tx: int) -> int:
    return RESERVED + (height << 32 | tx)


def commitment(rune: int) -> bytes:
    return rune.to_bytes(16, "little").rstrip(b"\0")


def minimum_at(height: int) -> int:
    """The smallest name that may be etched at a height of regtest, where runes begin with block 0."""
    step, within = divmod(height + 1, UNLOCK)
    length = LONGEST_LOCKED - step
    if length <= 0:
        return 0
    longer, shorter = number_of("A" * (length + 1)), number_of("A" * length)
    return longer - (longer - shorter) * within // UNLOCK
