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
# First byte of msgpack → bytes of a value whose first byte tells its size; 0: a container, or a length follows.
_MSGPACK_SIZES = [1] * 256
_MSGPACK_SIZES[0x81:0x90] = _MSGPACK_SIZES[0x91:0xA0] = [0] * 15
_MSGPACK_SIZES[0xA0:0xC0] = range(1, 33)
_MSGPACK_SIZES[0xC4:0xCA] = [0] * 6
_MSGPACK_SIZES[0xCA:0xD9] = [5, 9, 2, 3, 5, 9, 2, 3, 5, 9, 3, 4, 6, 10, 18]
_MSGPACK_SIZES[0xD9:0xE0] = [0] * 7
# First byte → values in the container, for those whose first byte tells it.
_MSGPACK_MEMBERS = [0] * 256
_MSGPACK_MEMBERS[0x81:0x90] = range(2, 32, 2)
_MSGPACK_MEMBERS[0x91:0xA0] = range(1, 16)
# First byte → bytes of the length that follows it, values in a container for each it counts, bytes for each otherwise,
# and bytes besides.
_MSGPACK_LENGTHS = {
    **{0xC4: (1, 0, 1, 0), 0xC5: (2, 0, 1, 0), 0xC6: (4, 0, 1, 0), 0xD9: (1, 0, 1, 0), 0xDA: (2, 0, 1, 0)},
    **{0xDB: (4, 0, 1, 0), 0xC7: (1, 0, 1, 1), 0xC8: (2, 0, 1, 1), 0xC9: (4, 0, 1, 1)},
    **{0xDC: (2, 1, 0, 0), 0xDD: (4, 1, 0, 0), 0xDE: (2, 2, 0, 0), 0xDF: (4, 2, 0, 0)},
}
_MSGPACK_CONTAINERS = bytes((*range(0x81, 0x90), *range(0x91, 0xA0), *range(0xDC, 0xE0)))


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
    # Too few bytes that could begin a container: most messages end here.
    if len(data) - len(data.translate(None, _MSGPACK_CONTAINERS)) <= enough:
        return 0
    # Values still to come in the container being read, and in each one around it.
    left, around = 1, list[int]()
    at, end = 0, len(data)
    sizes, counts, lengths = _MSGPACK_SIZES, _MSGPACK_MEMBERS, _MSGPACK_LENGTHS
    # Strangers choose the data: one turn for each value, without a call, since thousands of values may come.
    while at < end:
        first = data[at]
        size = sizes[first]
        left -= 1
        if size:
            at += size
        else:
            at += 1
            members = counts[first]
            if not members:
                width, values, unit, besides = lengths[first]
                length = data[at] if width == 1 and at < end else int.from_bytes(data[at : at + width], "big")
                at += width + unit * length + besides
                members = values * length
            if members:
                around.append(left)
                if len(around) > enough:
                    return len(around)
                left = members
        while not left:
            if not around:
                return 0
            left = around.pop()
    return 0
