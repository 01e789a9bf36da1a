"""What a report must not tell: addresses, keys, and whose they are."""

from __future__ import annotations

import re
from collections.abc import Mapping

# Hints name them; they look like names of servers.
_SETTINGS = r"(?:network\.(?:relays|ice_servers)|identity\.persist|chain\.(?:esplora|ord|alkanes))\b(?![.:-])"
_BASE58 = "[1-9A-HJ-NP-Za-km-z]"

_REPLACED = (
    # A recovery phrase has at least 12 words, of 3 to 8 letters each; sentences have shorter ones between.
    (re.compile(r"\b(?:[a-z]{3,8}[\s,]+){11,}[a-z]{3,8}\b", re.IGNORECASE), "<words>"),
    (re.compile(r"\b(?:https?|wss?|stuns?|turns?):[^\s,;\"'<>]+"), "<address>"),
    (re.compile(r"/(?:ip4|ip6|dns|dns4|dns6|dnsaddr)/[^\s,;\"'<>]+"), "<address>"),
    # Folders tell who uses the computer. A quoted path may hold spaces.
    (re.compile(r"(?<=')(?:/|[A-Za-z]:\\)[^'\n]*(?=')"), "<path>"),
    (re.compile(r"(?<![\w/<])(?:/[^\s/,;:\"'<>]+){2,}/?|\b[A-Za-z]:\\[^\n,;:\"'<>]*"), "<path>"),
    (re.compile(r"[^\s/@\"'<>]+@(?=[\w\[])"), "<user>@"),
    (re.compile(rf"\b(?:12D3Koo|16Uiu2|Qm){_BASE58}*(?:…|\.\.\.){_BASE58}+"), "<peer>"),
    (re.compile(r"\b[xyztuv](?:prv|pub)[1-9A-HJ-NP-Za-km-z]{20,}"), "<key>"),
    (re.compile(r"\b(?:12D3Koo|16Uiu2|Qm)[1-9A-HJ-NP-Za-km-z]{30,}"), "<peer>"),
    (re.compile(r"\b(?:bafz|k[25])[a-z0-9]{30,}"), "<peer>"),
    (re.compile(r"\b(?:bc|tb|bcrt)1[a-z0-9]{8,}", re.IGNORECASE), "<bitcoin address>"),
    (re.compile(r"\b[1-9A-HJ-NP-Za-km-z]{26,}\b"), "<key or address>"),
    (re.compile(r"(?<![0-9a-zA-Z])(?:0x)?[0-9a-fA-F]{16,}(?![0-9a-zA-Z])"), "<hex>"),
    # Base64 of 24 bytes and more, of either alphabet: what has a digit and both cases is no word of ours.
    (re.compile(r"(?<![\w+/-])(?=[\w+/-]*\d)(?=[\w+/-]*[a-z])(?=[\w+/-]*[A-Z])[A-Za-z0-9+/_-]{32,}={0,2}"), "<key>"),
    (re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}(?::\d{1,5})?\b"), "<ip>"),
    (re.compile(r"\[?(?<![\w:])(?:[0-9a-fA-F]{0,4}:){2,7}[0-9a-fA-F]{0,4}(?![\w:])(?:%[\w.-]+)?\]?"), "<ip>"),
    # A server's name, before its port or standing alone; file names and versions of ours have no such end.
    (
        re.compile(
            rf"(?<![\w.-])(?!{_SETTINGS})(?:[\w-]{{1,63}}\.)+(?:xn--[a-z0-9-]{{2,59}}|[^\W\d_]{{2,24}})(?::\d{{1,5}})?\b",
            re.IGNORECASE,
        ),
        "<host>",
    ),
)


def redacted(value: object) -> object:
    """Plain values, with such parts of their texts replaced by what they are, in keys of mappings too."""
    if isinstance(value, str):
        for pattern, name in _REPLACED:
            value = pattern.sub(name, value)
        return value
    if isinstance(value, Mapping):
        return {redacted(key): redacted(part) for key, part in value.items()}
    return [redacted(part) for part in value] if isinstance(value, (list, tuple)) else value
