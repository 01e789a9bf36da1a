"""Records and errors as plain JSON values, for JavaScript and the command line."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass

from darkswap_browser.errors import DarkSwapError, DialFailed

MONEY = re.compile(r"(^|_)(atoms|sats)$")
"""Keys whose whole numbers may be larger than JavaScript's: they cross as texts and become bigints there."""


def to_json(value: object) -> str:
    """Of records and plain values; amounts as texts of digits."""
    return json.dumps(_exact(plain(value)))


def _exact(value: object) -> object:
    if isinstance(value, Mapping):
        return {key: str(part) if _is_amount(key, part) else _exact(part) for key, part in value.items()}
    return [_exact(part) for part in value] if isinstance(value, list) else value


def _is_amount(key: str, value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and MONEY.search(key) is not None


def error_to_dict(error: Exception) -> Mapping[str, object]:
    """What a DarkSwapError of JavaScript is made of."""
    if not isinstance(error, DarkSwapError):
        return {"code": "INTERNAL", "message": f"{type(error).__name__}: {error}", "retryable": False, "hint": ""}
    details: dict[str, object] = {
        key: value for key, value in vars(error).items() if isinstance(value, (str, int, float, bool)) and key != "hint"
    }
    shape: dict[str, object] = {
        "code": error.code,
        "message": str(error),
        "retryable": error.retryable,
        "hint": error.hint,
        "details": details,
    }
    below = error.attempts[-1][1] if isinstance(error, DialFailed) and error.attempts else error.__cause__
    if isinstance(below, Exception):
        shape["cause"] = error_to_dict(below)
    if isinstance(error, DialFailed):
        details["attempts"] = [{"address": address, "error": str(reason)} for address, reason in error.attempts]
    return shape


def plain(value: object) -> object:
    """Records as dicts without their absent fields, tuples as lists; everything else as it is."""
    if is_dataclass(value) and not isinstance(value, type):
        parts = ((each, getattr(value, each.name)) for each in fields(value))
        return {each.name: plain(part) for each, part in parts if part is not None or "null" in each.metadata}
    if isinstance(value, (tuple, list)):
        return [plain(part) for part in value]
    if isinstance(value, Mapping):
        return {str(key): plain(part) for key, part in value.items() if part is not None}
    return value
