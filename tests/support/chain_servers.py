"""Chain servers of the simulated world that answer from a table, in the shapes that the real ones document."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable
from typing import Any

from darkswap_browser.bitcoin.transaction import OutPoint, Transaction, TxInput, TxOutput
from darkswap_browser.runtime.base.host import Runtime
from darkswap_browser.runtime.base.http import HttpResponse
from darkswap_browser.testing.http import HttpRequest
from darkswap_browser.testing.world import SimulatedWorld
from tests.support.native_identity import CRYPTO

SCRIPT = bytes.fromhex("5120") + bytes(range(32))
NOT_FOUND = HttpResponse(404, {}, b"not found")


def transaction(number: int, *, coinbase: bool = False) -> Transaction:
    source = OutPoint("00" * 32, 0xFFFFFFFF) if coinbase else OutPoint(f"{number:064x}", number)
    return Transaction((TxInput(source, witness=(b"w",)),), (TxOutput(1000 + number, SCRIPT),))


def block_hash(height: int, branch: int = 0) -> str:
    return f"{height:060x}{branch:04x}"


class ChainServer:
    """`routes`: "GET /path", "POST /path" or "rpc method" → what is answered: bytes and texts as they are, an
    `HttpResponse` whole, what a function of the request's body says, anything else as JSON. `faults` are answered
    first, in their order. `silent`: waits for ever."""

    def __init__(self, **routes: Any) -> None:
        self.routes: dict[str, Any] = routes
        self.faults: deque[HttpResponse] = deque()
        self.asked: list[str] = []
        self.bodies: list[bytes] = []
        self.times: list[float] = []
        self.silent = False
        self.busiest = 0
        self._busy = 0

    async def answer(self, request: HttpRequest) -> HttpResponse:
        self.asked.append(f"{request.method} {request.path}")
        self.bodies.append(request.body)
        self.times.append(asyncio.get_running_loop().time())
        self._busy += 1
        self.busiest = max(self.busiest, self._busy)
        try:
            await asyncio.sleep(1e9 if self.silent else 0.01)
        finally:
            self._busy -= 1
        if self.faults:
            return self.faults.popleft()
        if request.path == "" and request.method == "POST":
            return self._rpc(json.loads(request.body))
        return _response(self.routes.get(f"{request.method} {request.path}", NOT_FOUND), request.body)

    def _rpc(self, call: dict[str, Any]) -> HttpResponse:
        route = self.routes.get(f"rpc {call['method']}")
        envelope = {"jsonrpc": "2.0", "id": call["id"]}
        if route is None:
            return _response({**envelope, "error": {"code": -32601, "message": "Method not found"}}, b"")
        if isinstance(route, HttpResponse):
            return route
        result = route(call["params"]) if callable(route) else route
        return _response({**envelope, "result": result}, b"")


def _response(value: Any, body: bytes) -> HttpResponse:
    if isinstance(value, Callable):  # type: ignore[arg-type]
        value = value(body)
    if isinstance(value, HttpResponse):
        return value
    if isinstance(value, str | bytes):
        return HttpResponse(200, {}, value.encode() if isinstance(value, str) else value)
    return HttpResponse(200, {}, json.dumps(value).encode())


def esplora(tip: int = 800_000, branch: int = 0, **routes: Any) -> ChainServer:
    """A quiet chain at `tip`, with one confirmed transaction (number 1) whose only output is unspent."""
    server = ChainServer(**routes)
    known = transaction(1)
    status = {
        "confirmed": True,
        "block_height": 790_000,
        "block_hash": block_hash(790_000),
        "block_time": 1_700_000_000,
    }
    server.routes |= {
        "GET /blocks/tip/height": str(tip),
        "GET /block-height/0": block_hash(0),
        f"GET /block-height/{tip}": block_hash(tip, branch),
        f"GET /tx/{known.txid}/hex": known.serialize().hex(),
        f"GET /tx/{known.txid}/status": status,
        f"GET /tx/{known.txid}/outspend/0": {"spent": False},
        "GET /fee-estimates": {"1": 12.5, "6": 3.001, "144": 1},
    }
    return server


def ord_server(height: int = 800_000) -> ChainServer:
    """ord's JSON (§5.3 of the facts): one rune, UNCOMMON•GOODS, and no outputs yet; `output` makes them."""
    server = ChainServer()
    rune = {
        "entry": {
            "block": 1, "burned": 3, "divisibility": 2, "etching": "00" * 32, "mints": 10, "number": 0,
            "premine": 5, "spaced_rune": "UNCOMMON•GOODS", "symbol": "⧉", "timestamp": 0, "turbo": True,
            "terms": {"amount": 7, "cap": 340282366920938463463374607431768211455,
                      "height": [840000, 1050000], "offset": [None, None]},
        },
        "id": "1:0", "mintable": True, "parent": None,
    }  # fmt: skip
    status = {"height": height, "chain": "mainnet", "rune_index": True, "inscription_index": True}
    server.routes |= {"GET /status": status,
                      "GET /rune/UNCOMMONGOODS": rune, "GET /rune/1:0": rune, "POST /outputs": NOT_FOUND}  # fmt: skip
    return server


def output(outpoint: OutPoint, **fields: Any) -> dict[str, Any]:
    return {"address": None, "confirmations": 9, "indexed": True, "inscriptions": [], "outpoint": str(outpoint),
            "runes": {}, "sat_ranges": None, "script_pubkey": "", "spent": False, "value": 546, **fields}  # fmt: skip


class Hosts:
    """A page named "page" and servers under https://<name>/api in one simulated world."""

    def __init__(self) -> None:
        self.world = SimulatedWorld(crypto=CRYPTO)
        self.page: Runtime = self.world.runtime("page")

    def serve(self, name: str, server: ChainServer) -> str:
        base = f"https://{name}/api"
        self.world.serve_http(name, base, server.answer)
        return base
