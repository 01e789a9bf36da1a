"""TXT questions and answers of the DNS as bytes. https://www.rfc-editor.org/rfc/rfc1035"""

from __future__ import annotations

import struct
from collections.abc import Awaitable, Callable

from darkswap_browser.errors import InvalidArgument, MalformedMessage

LookupTxt = Callable[[str], Awaitable[tuple[str, ...]]]
"""The texts of a name's TXT records. Raises `InvalidArgument` for what is no name, else `ConnectionLost`."""
MAX_ANSWER = 4096
_TXT, _IN = 16, 1
_MAX_RECORDS = 64


def txt_question(name: str, number: int) -> bytes:
    """`number`: 16 bits, by chance over UDP. Raises `InvalidArgument`."""
    labels = name.rstrip(".").split(".")
    try:
        raw = [label.encode("ascii") for label in labels]
    except UnicodeEncodeError:
        raise InvalidArgument("name", f"{name!r} is not in ASCII", "Give it in its xn-- form.") from None
    if not all(0 < len(label) < 64 for label in raw) or sum(map(len, raw)) + len(raw) > 254:
        raise InvalidArgument("name", f"{name!r} cannot be a name of the DNS")
    head = struct.pack("!6H", number, 0x0100, 1, 0, 0, 0)
    return head + b"".join(bytes((len(label),)) + label for label in raw) + b"\0" + struct.pack("!2H", _TXT, _IN)


def parse_txt(data: bytes, question: bytes) -> tuple[str, ...]:
    """The texts in an answer to `question`. Raises `MalformedMessage`, also for an answer that was cut or refused."""
    if len(data) < 12 or len(data) > MAX_ANSWER:
        raise _bad(f"{len(data)} bytes")
    _, flags, questions, answers, _, _ = struct.unpack_from("!6H", data)
    code = flags & 15
    if code == 3:
        return ()  # no such name
    if not flags & 0x8000 or flags & 0x0200 or code or questions != 1 or not data[12:].startswith(question[12:]):
        raise _bad(f"flags {flags:#06x}")
    at, texts = len(question), []
    for _ in range(min(answers, _MAX_RECORDS)):
        at = _skip_name(data, at)
        if at + 10 > len(data):
            raise _bad("a record is cut")
        kind, group, _, size = struct.unpack_from("!HHIH", data, at)
        at += 10 + size
        if at > len(data):
            raise _bad("a record is cut")
        if (kind, group) == (_TXT, _IN):
            texts.append(_strings(data[at - size : at]))
    return tuple(texts)


def _skip_name(data: bytes, at: int) -> int:
    while at < len(data):
        length = data[at]
        if length & 0xC0:
            return at + 2  # a pointer ends a name
        at += 1 + length
        if not length:
            return at
    raise _bad("a name is cut")


def _strings(data: bytes) -> str:
    at, whole = 0, b""
    while at < len(data):
        whole += data[at + 1 : at + 1 + data[at]]
        at += 1 + data[at]
    return whole.decode("utf-8", "replace")


def _bad(reason: str) -> MalformedMessage:
    return MalformedMessage("DNS answer", reason)
