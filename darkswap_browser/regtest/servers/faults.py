"""Servers that are slow, late, broken or lying, on request: what stands between a server and who asks it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from darkswap_browser.bitcoin.transaction import Transaction
from darkswap_browser.errors import InvalidArgument, MalformedMessage
from darkswap_browser.regtest.servers.requests import (
    JSON,
    TEXT,
    Request,
    RequestError,
    Response,
    json_answer,
    read_json,
    text,
)

MAX_AMOUNT = 600_000
MAX_FAULTS = 100
MAX_METHOD = 200
"""Bytes of a JSON-RPC call in which its method is looked for."""


class FaultKind(StrEnum):
    DELAY = "delay"
    """`amount` milliseconds late."""
    RATE_LIMIT = "429"
    BROKEN = "500"
    DROP = "drop"
    """The connection is broken off without an answer."""
    SWALLOW = "swallow"
    """A broadcast is answered with its txid and thrown away."""
    GARBAGE = "garbage"
    """The first half of the answer, as if it were whole."""
    LIE = "lie"
    """Amounts are `amount` higher; raw transactions and hashes differ in their last digit."""
    LAG = "lag"
    """An index is `amount` blocks behind, and knows no output of those blocks."""
    STALE_TIP = "stale_tip"
    """The same, by the name that suits Esplora, whose tip is old."""
    HIDE_SPEND = "hide_spend"
    """Spent outputs are said to be unspent."""
    NULL = "null"
    """ord's indexes of runes and inscriptions are switched off."""


DEFAULT_AMOUNT = {FaultKind.DELAY: 1_000, FaultKind.LIE: 1_000}
AMOUNTS = {"value", "amount", "balance", "funded_txo_sum", "sat_balance"}


@dataclass(frozen=True, slots=True)
class Fault:
    """`server`: "api", "ord", "alkanes", or "" for all. `path`: a part of the paths it is about, of JSON-RPC
    methods for an alkanes gateway. `left`: answers that
    it still spoils, None for all until it is taken away.
    """

    kind: FaultKind
    server: str = ""
    path: str = ""
    left: int | None = None
    amount: int = 1

    def concerns(self, server: str, path: str) -> bool:
        return self.server in ("", server) and self.path in path


class Faults:
    def __init__(self) -> None:
        self.active: list[Fault] = []

    def add(self, fault: Fault) -> None:
        if len(self.active) >= MAX_FAULTS:
            raise InvalidArgument("kind", f"{MAX_FAULTS} faults are active already; reset them first")
        self.active.append(fault)

    def reset(self) -> None:
        self.active.clear()

    async def answer(self, server: str, request: Request, honest: Callable[[Request], Response]) -> Response | None:
        """None: break off. Raises what `honest` raises."""
        method = request.body[:MAX_METHOD].decode("latin-1") if server == "alkanes" else ""
        faults = self._take(server, "/".join(request.path) + method)
        for fault in faults:
            match fault.kind:
                case FaultKind.DELAY:
                    await asyncio.sleep(fault.amount / 1000)
                case FaultKind.RATE_LIMIT:
                    return text("Too Many Requests", 429)
                case FaultKind.BROKEN:
                    return text("Internal Server Error", 500)
                case FaultKind.DROP:
                    return None
                case FaultKind.SWALLOW if request.method == "POST" and request.path == ("tx",):
                    return _swallowed(request.body)
                case FaultKind.LAG | FaultKind.STALE_TIP:
                    request = replace(request, behind=fault.amount)
                case FaultKind.LIE if server == "alkanes":
                    request = replace(request, more=fault.amount)
        answer = honest(request)
        for fault in faults:
            answer = _spoil(fault, answer) if server != "alkanes" or fault.kind is not FaultKind.LIE else answer
        return answer

    def _take(self, server: str, path: str) -> list[Fault]:
        taken = [fault for fault in self.active if fault.concerns(server, path)]
        spent = [
            fault if fault not in taken or fault.left is None else replace(fault, left=fault.left - 1)
            for fault in self.active
        ]
        self.active = [fault for fault in spent if fault.left is None or fault.left > 0]
        return taken


def _spoil(fault: Fault, answer: Response) -> Response:
    match fault.kind:
        case FaultKind.GARBAGE:
            return replace(answer, body=answer.body[: len(answer.body) // 2])
        case FaultKind.LIE if answer.content_type == TEXT:
            return _other_text(answer, fault.amount)
    if answer.content_type != JSON:
        return answer
    value = read_json(answer.body)
    match fault.kind:
        case FaultKind.LIE:
            return json_answer(_walk(value, lambda name, each: _more(name, each, fault.amount)), answer.status)
        case FaultKind.HIDE_SPEND:
            return json_answer(_walk(value, _unspent), answer.status)
        case FaultKind.NULL:
            return json_answer(_walk(value, _switched_off), answer.status)
    return answer


def _swallowed(body: bytes) -> Response:
    try:
        return text(Transaction.parse(bytes.fromhex(body.decode("ascii", "replace"))).txid)
    except (MalformedMessage, ValueError) as error:
        raise RequestError(400, "TX decode failed") from error


def _other_text(answer: Response, amount: int) -> Response:
    words = answer.body.decode()
    if words.isdigit():
        return text(int(words) + amount, answer.status)
    return text(words[:-1] + ("1" if words[-1:] == "0" else "0"), answer.status)


def _walk(value: Any, change: Callable[[str, Any], Any], name: str = "") -> Any:
    """The same JSON with every member changed, the inner ones first; what is no member has the name ""."""
    if isinstance(value, dict):
        value = {each: _walk(inner, change, each) for each, inner in value.items()}
        return change("", value)
    if isinstance(value, list):
        return [_walk(inner, change, name) for inner in value]
    return change(name, value)


def _more(name: str, value: Any, amount: int) -> Any:
    if name in AMOUNTS and isinstance(value, int):
        return value + amount
    if name in AMOUNTS and isinstance(value, str) and value.startswith("0x"):
        return hex(int(value, 16) + amount)
    return value


def _unspent(name: str, value: Any) -> Any:
    if name == "" and isinstance(value, dict) and value.get("spent") is True:
        return {"spent": False} if "vin" in value else {**value, "spent": False}
    return value


def _switched_off(name: str, value: Any) -> Any:
    if name == "" and isinstance(value, dict) and "indexed" in value:
        return {**value, "runes": None, "inscriptions": None}
    return value
