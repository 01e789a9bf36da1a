"""Tags, flags and flaws of runestones, as ord numbers and names them."""

from __future__ import annotations

from enum import StrEnum


class Tag:
    """Who does not know an odd tag may ignore it; an even one that is not understood makes a cenotaph.

    Plain numbers, since each field of each transaction in a block is looked up by one.
    """

    BODY = 0
    DIVISIBILITY = 1
    FLAGS = 2
    SPACERS = 3
    RUNE = 4
    SYMBOL = 5
    PREMINE = 6
    CAP = 8
    AMOUNT = 10
    HEIGHT_START = 12
    HEIGHT_END = 14
    OFFSET_START = 16
    OFFSET_END = 18
    MINT = 20
    POINTER = 22
    PROTOCOL = 16383
    """Protostones (alkanes); odd, so ord passes over it."""


class Flag:
    """Bits of the FLAGS field."""

    ETCHING = 0
    TERMS = 1
    TURBO = 2


class Flaw(StrEnum):
    """Why a runestone is a cenotaph."""

    EDICT_OUTPUT = "edict-output"
    EDICT_RUNE_ID = "edict-rune-id"
    INVALID_SCRIPT = "invalid-script"
    OPCODE = "opcode"
    SUPPLY_OVERFLOW = "supply-overflow"
    TRAILING_INTEGERS = "trailing-integers"
    TRUNCATED_FIELD = "truncated-field"
    UNRECOGNIZED_EVEN_TAG = "unrecognized-even-tag"
    UNRECOGNIZED_FLAG = "unrecognized-flag"
    VARINT = "varint"
