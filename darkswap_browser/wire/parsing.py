"""JSON and msgpack texts of peers, servers, stores and users, read with their nesting checked first.

Both parsers follow nesting by recursion or keep a level each. In a page the engine's stack ends before Python's own
limit does, and that ends the whole interpreter: 3,000 levels pass in Pyodide 314, 10,000 do not. So nothing in the
package calls `json.loads` or `msgpack.unpackb` but this file.
"""

from __future__ import annotations

import json
import re
from typing import Any

import msgpack

from darkswap_browser.errors import MalformedMessage

# A JSON string (also one that is cut off), or a bracket.
_JSON_TOKENS = re.compile(r'"(?:[^"\\]+|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)
# Values of msgpack that are one byte: small numbers, empty containers and texts, nil, the unused byte, false, true.
_MSGPACK_SINGLES = re.compile(rb"[\x00-\x80\x90\xa0\xc0-\xc3\xe0-\xff]+")
# First byte → bytes of the length that follows it.
_MSGPACK_TEXTS = {0xC4: 1, 0xC5: 2, 0xC6: 4, 0xD9: 1, 0xDA: 2, 0xDB: 4}
_MSGPACK_EXTENSIONS = {0xC7: 1, 0xC8: 2, 0xC9: 4}
_MSGPACK_FIXED = {
    **{0xCA: 4, 0xCB: 8, 0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8, 0xD0: 1, 0xD1: 2, 0xD2: 4, 0xD3: 8},
    **{0xD4: 2, 0xD5: 3, 0xD6: 5, 0xD7: 9, 0xD8: 17},
}
_MSGPACK_ARRAYS = {0xDC: 2, 0xDD: 4}
_MSGPACK_MAPS = {0xDE: 2, 0xDF: 4}


def parse_json(what: str, text: str | bytes, max_depth: int, **hooks: Any) -> Any:
    """Parse a JSON text.

    Args:
        what: Names the text in errors.
        text: Characters, or bytes of UTF-8.
        max_depth: Arrays and objects that may stand within each other.
        hooks: Handed to `json.loads`: `parse_int`, `object_pairs_hook` and the like.
    Raises:
        MalformedMessage: It is not JSON, not UTF-8 or nested deeper. What a hook raises passes, but for ValueError.
    """
    try:
        characters = text.decode() if isinstance(text, bytes) else text
        if _json_depth(characters, max_depth) > max_depth:
            raise MalformedMessage(what, f"is nested more than {max_depth} deep")
        return json.loads(characters, **hooks)
    except ValueError as error:
        raise MalformedMessage(what, f"is not JSON: {error}") from None


def unpack_msgpack(what: str, data: bytes, max_depth: int, **options: Any) -> Any:
    """Decode one msgpack value.

    Args:
        what: Names the value in errors.
        data: All of its bytes and no others.
        max_depth: Arrays and maps that may stand within each other.
        options: Handed to `msgpack.unpackb`.
    Raises:
        MalformedMessage: It is not msgpack, not all of it, or nested deeper.
    """
    if _msgpack_depth(data, max_depth) > max_depth:
        raise MalformedMessage(what, f"is nested more than {max_depth} deep")
    try:
        return msgpack.unpackb(data, **options)
    # Most of msgpack's errors are ValueErrors; the one for a key that cannot be hashed is not.
    except (ValueError, TypeError, msgpack.UnpackException) as error:
        raise MalformedMessage(what, "is not msgpack") from error


def _json_depth(text: str, enough: int) -> int:
    """Levels of nesting; counting stops above `enough`."""
    if text.count("[") + text.count("{") <= enough:
        return 0
    depth = 0
    for token in _JSON_TOKENS.finditer(text):
        first = token[0][0]
        if first in "[{":
            depth += 1
            if depth > enough:
                return depth
        elif first != '"':
            depth -= 1
    return 0


def _msgpack_depth(data: bytes, enough: int) -> int:
    """Levels of nesting; counting stops above `enough`. Bytes that are cut off or wrong are left to the parser."""
    waiting = [1]
    at = 0
    while at < len(data):
        while waiting and not waiting[-1]:
            waiting.pop()
        if not waiting:
            return 0
        singles = _MSGPACK_SINGLES.match(data, at)
        if singles is not None:
            # Zero and one-byte values may end several levels at once; how many values are left is all that counts.
            taken = min(singles.end() - at, waiting[-1])
            waiting[-1] -= taken
            at += taken
            continue
        waiting[-1] -= 1
        at, members = _msgpack_header(data, at)
        if members:
            waiting.append(members)
            if len(waiting) - 1 > enough:
                return len(waiting) - 1
    return 0


def _msgpack_header(data: bytes, at: int) -> tuple[int, int]:
    """Where the next value begins after the one at `at`, and how many values it holds if it is a container."""
    first = data[at]
    if 0x81 <= first <= 0x8F:
        return at + 1, 2 * (first - 0x80)
    if 0x91 <= first <= 0x9F:
        return at + 1, first - 0x90
    if 0xA1 <= first <= 0xBF:
        return at + 1 + first - 0xA0, 0
    for sizes, factor in ((_MSGPACK_ARRAYS, 1), (_MSGPACK_MAPS, 2)):
        if first in sizes:
            start = at + 1 + sizes[first]
            return start, factor * int.from_bytes(data[at + 1 : start], "big")
    for sizes, extra in ((_MSGPACK_TEXTS, 0), (_MSGPACK_EXTENSIONS, 1)):
        if first in sizes:
            start = at + 1 + sizes[first]
            return start + extra + int.from_bytes(data[at + 1 : start], "big"), 0
    return at + 1 + _MSGPACK_FIXED.get(first, 0), 0
