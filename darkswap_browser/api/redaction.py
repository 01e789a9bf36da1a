"""What a report must not tell: addresses, keys, and whose they are."""

from __future__ import annotations

import re
from collections.abc import Mapping

_REPLACED = (
    (re.compile(r"\b(?:https?|wss?|stuns?|turns?):[^\s,;\"'<>]+"), "<address>"),
    (re.compile(r"/(?:ip4|ip6|dns|dns4|dns6|dnsaddr)/[^\s,;\"'<>]+"), "<address>"),
    (re.compile(r"\b[xyztuv](?:prv|pub)[1-9A-HJ-NP-Za-km-z]{20,}"), "<key>"),
    (re.compile(r"\b(?:12D3Koo|16Uiu2|Qm)[1-9A-HJ-NP-Za-km-z]{30,}"), "<peer>"),
    (re.compile(r"\b(?:bafz|k[25])[a-z0-9]{30,}"), "<peer>"),
    (re.compile(r"\b(?:bc|tb|bcrt)1[a-z0-9]{8,}", re.IGNORECASE), "<bitcoin address>"),
    (re.compile(r"\b[1-9A-HJ-NP-Za-km-z]{26,}\b"), "<key or address>"),
    (re.compile(r"\b[0-9a-fA-F]{16,}\b"), "<hex>"),
    (re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}(?::\d{1,5})?\b"), "<ip>"),
    (re.compile(r"\[?(?<![\w:])(?:[0-9a-fA-F]{0,4}:){2,7}[0-9a-fA-F]{0,4}(?![\w:])\]?"), "<ip>"),
    # A server's name, before its port or standing alone; file names and versions of ours have no such end.
    (re.compile(r"\b(?:[a-z0-9-]{1,63}\.)+[a-z]{2,24}(?::\d{1,5})?\b", re.IGNORECASE), "<host>"),
)


def redacted(value: object) -> object:
    """Plain values, with such parts of their texts replaced by what they are; keys of mappings stay."""
    if isinstance(value, str):
        for pattern, name in _REPLACED:
            value = pattern.sub(name, value)
        return value
    if isinstance(value, Mapping):
        return {key: redacted(part) for key, part in value.items()}
    return [redacted(part) for part in value] if isinstance(value, (list, tuple)) else value
