"""An alkanes gateway's JSON-RPC over the alkane index, in three manners by path.

/alkanes        a gateway of today: `metashrew_view` with all 128 bits, JSON amounts cut to 64
/alkanes/json   the same without `metashrew_view`
/alkanes/old    the generation before: txids in internal byte order, lists of hexadecimal values
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from darkswap_browser.bitcoin.address import script_of
from darkswap_browser.bitcoin.transaction import OutPoint, Reader
from darkswap_browser.errors import InvalidArgument, MalformedMessage
from darkswap_browser.regtest.chain.node import RegtestNode
from darkswap_browser.regtest.indexes.alkanes import ALKANES_TAG, DECIMALS, SEEDS, AlkaneId, AlkaneIndex
from darkswap_browser.regtest.indexes.runestones import U64, leb128
from darkswap_browser.regtest.servers.requests import NETWORK, Request, RequestError, Response, json_answer, read_json

Json = dict[str, Any]
METHOD_NOT_FOUND, INVALID_PARAMS, FAILED = -32601, -32602, -32000
NAME, SYMBOL, TOTAL_SUPPLY = 99, 100, 101
"""Opcodes that contracts answer by convention."""


class _Failed(Exception):
    def __init__(self, code: int, message: str) -> None:
        self.code = code
        super().__init__(message)


class AlkanesServer:
    def __init__(self, node: RegtestNode, alkanes: AlkaneIndex) -> None:
        self._node = node
        self._index = alkanes
        self._asked = Request("GET", ())

    def answer(self, request: Request) -> Response:
        """Raises `RequestError`."""
        self._asked = request
        manner = request.path[0] if request.path else ""
        if request.method != "POST" or len(request.path) > 1 or manner not in ("", "json", "old"):
            raise RequestError(404, "POST JSON-RPC to /alkanes, /alkanes/json or /alkanes/old")
        call = read_json(request.body)
        if not isinstance(call, dict) or not isinstance(call.get("params", []), list):
            raise RequestError(400, "a JSON-RPC call with a list of params is needed")
        answer: Json = {"jsonrpc": "2.0", "id": call.get("id")}
        try:
            result = self._method(str(call.get("method")), manner)(call.get("params", []))
            return json_answer({**answer, "result": result})
        except _Failed as error:
            return json_answer({**answer, "error": {"code": error.code, "message": str(error)}})
        except (InvalidArgument, MalformedMessage, LookupError, OverflowError, TypeError, ValueError) as error:
            return json_answer({**answer, "error": {"code": INVALID_PARAMS, "message": f"invalid params: {error}"}})

    def _method(self, name: str, manner: str) -> Callable[[list[Any]], Any]:
        methods: dict[str, Callable[[list[Any]], Any]] = {
            "metashrew_height": lambda _: str(self._height),
            "alkanes_protorunesbyoutpoint": self._old_outpoint if manner == "old" else self._outpoint,
            "alkanes_protorunesbyaddress": self._old_address if manner == "old" else self._address,
            "alkanes_simulate": self._simulate,
            "alkanes_meta": self._meta,
        }
        if not manner:
            methods["metashrew_view"] = self._view
        if name not in methods:
            raise _Failed(METHOD_NOT_FOUND, f"Method not found: {name[:80]}")
        return methods[name]

    # --- balances

    @property
    def _height(self) -> int:
        return max(0, self._node.ledger.height - self._asked.behind)

    def _is_indexed(self, outpoint: OutPoint) -> bool:
        """Whether the index, which may be late, has read the block that made this output."""
        made = self._node.ledger.transactions.get(outpoint.txid)
        return made is not None and made.height <= self._height and outpoint.vout < len(made.transaction.outputs)

    def _held(self, outpoint: OutPoint) -> Mapping[AlkaneId, int]:
        """An index that is late knows no balance of what it has not read, and does not say so."""
        if outpoint not in self._index.balances or self._node.ledger.transactions[outpoint.txid].height > self._height:
            return {}
        return {each: atoms + self._asked.more for each, atoms in self._index.balances[outpoint].items()}

    def _view(self, params: list[Any]) -> str:
        if params[0] != "protorunesbyoutpoint":
            raise _Failed(FAILED, f"view {str(params[0])[:80]} is not exported")
        wanted = _fields(bytes.fromhex(str(params[1]).removeprefix("0x")))
        txid, vout, protocol = wanted.get(1), wanted.get(2, 0), wanted.get(3)
        if not isinstance(txid, bytes) or len(txid) != 32 or isinstance(vout, bytes) or not isinstance(protocol, bytes):
            raise _Failed(FAILED, "the indexer panicked: txid or protocol is missing")
        outpoint = OutPoint(txid[::-1].hex(), vout)
        if not self._is_indexed(outpoint):
            return "0x"
        entries = b""
        if _fields(protocol).get(1) == ALKANES_TAG:
            entries = b"".join(_field(1, self._entry(each, atoms)) for each, atoms in self._held(outpoint).items())
        output = self._node.ledger.output(outpoint)
        answer = _field(1, entries) + _field(2, _field(1, txid) + _number(2, vout))
        if output is not None:
            mined = self._node.ledger.transactions[outpoint.txid]
            answer += _field(3, _field(1, output.script) + _number(2, output.sats))
            answer += _number(4, mined.height) + _number(5, mined.position)
        return "0x" + answer.hex()

    def _entry(self, alkane: AlkaneId, atoms: int) -> bytes:
        identity = _field(1, _u128(alkane[0])) + _field(2, _u128(alkane[1]))
        seed = SEEDS[alkane]
        named = _field(2, seed.name.encode()) + _number(3, DECIMALS) + _field(5, seed.symbol.encode())
        return _field(1, _field(1, identity) + named) + _field(2, _u128(atoms))

    def _outpoint(self, params: list[Any]) -> Json:
        return self._sheet(_outpoint(params))

    def _sheet(self, outpoint: OutPoint) -> Json:
        output = self._node.ledger.output(outpoint)
        balances = [
            {"block": each[0], "tx": each[1], "amount": atoms & U64} for each, atoms in self._held(outpoint).items()
        ]
        return {
            "balance_sheet": {"cached": {"balances": balances}},
            "outpoint": {"txid": outpoint.txid, "vout": outpoint.vout},
            "output": {"value": output.sats if output else 0},
        }

    def _old_outpoint(self, params: list[Any]) -> list[Json]:
        asked = _outpoint(params)
        outpoint = OutPoint(bytes.fromhex(asked.txid)[::-1].hex(), asked.vout)
        return [
            {
                "token": {"id": _hex_id(each), "name": SEEDS[each].name, "symbol": SEEDS[each].symbol},
                "value": hex(atoms),
            }
            for each, atoms in self._held(outpoint).items()
        ]

    def _owned(self, params: list[Any]) -> list[OutPoint]:
        """Unspent outputs with alkanes of an address."""
        script = script_of(str(params[0]["address"]), NETWORK)
        coins = self._node.ledger.coins
        return [each for each in self._index.balances if each in coins and coins[each].output.script == script]

    def _address(self, params: list[Any]) -> Json:
        return {"outpoints": [self._sheet(each) for each in self._owned(params)]}

    def _old_address(self, params: list[Any]) -> Json:
        return {"outpoints": [self._old_outpoint_of_address(each) for each in self._owned(params)]}

    def _old_outpoint_of_address(self, outpoint: OutPoint) -> Json:
        mined = self._node.ledger.transactions[outpoint.txid]
        output = mined.transaction.outputs[outpoint.vout]
        runes = []
        for each, atoms in self._held(outpoint).items():
            seed = SEEDS[each]
            rune = {
                "id": _hex_id(each),
                "name": seed.name,
                "symbol": seed.symbol,
                "divisibility": DECIMALS,
                "spacers": 0,
            }
            runes.append({"rune": rune, "balance": hex(atoms)})
        return {
            "runes": runes,
            "outpoint": {"txid": bytes.fromhex(outpoint.txid)[::-1].hex(), "vout": outpoint.vout},
            "output": {"value": output.sats, "script": output.script.hex()},
            "height": mined.height,
            "txindex": mined.position,
        }

    # --- contracts

    def _simulate(self, params: list[Any]) -> Json:
        """The opcodes of the convention; every other one reverts."""
        target = params[0]["target"]
        seed = SEEDS.get((int(target["block"]), int(target["tx"])))
        answers = {}
        if seed is not None:
            supply = seed.supply.to_bytes(16, "little")
            answers = {NAME: seed.name.encode(), SYMBOL: seed.symbol.encode(), TOTAL_SUPPLY: supply}
        data = answers.get(int(params[0]["inputs"][0]))
        error = None if data is not None else "ALKANES: revert: unrecognized opcode"
        execution: Json = {"alkanes": [], "storage": [], "error": error, "data": "0x" + (data or b"").hex()}
        return {"status": 0 if data is not None else 1, "gasUsed": 0, "execution": execution}

    def _meta(self, params: list[Any]) -> str:
        target = params[0].get("target", params[0]) if isinstance(params[0], dict) else {}
        seed = SEEDS.get((int(target["block"]), int(target["tx"])))
        if seed is None:
            raise _Failed(FAILED, "no such contract")
        return "0x" + json.dumps({"contract": seed.name, "methods": []}).encode().hex()


def _outpoint(params: list[Any]) -> OutPoint:
    """Both forms of the parameters: `[txid, vout, …]` and `[{txid, vout, protocolTag}, …]`."""
    first = params[0]
    txid, vout = (first["txid"], first["vout"]) if isinstance(first, dict) else params[:2]
    return OutPoint.parse(f"{txid}:{vout}")


def _hex_id(alkane: AlkaneId) -> dict[str, str]:
    return {"block": hex(alkane[0]), "tx": hex(alkane[1])}


# --- protocol buffers, by hand: these few messages do not change


def _number(number: int, value: int) -> bytes:
    return leb128(number << 3) + leb128(value) if value else b""


def _field(number: int, data: bytes) -> bytes:
    return leb128(number << 3 | 2) + leb128(len(data)) + data


def _u128(value: int) -> bytes:
    return _number(1, value & U64) + _number(2, value >> 64)


def _fields(data: bytes) -> dict[int, int | bytes]:
    """The last value of each field: whole numbers and bytes. Raises `MalformedMessage`."""
    reader = Reader(data, "protobuf")
    found: dict[int, int | bytes] = {}
    while reader.remaining:
        key = _varint(reader)
        if key & 7 not in (0, 2):
            raise reader.fail("has a field of another kind")
        found[key >> 3] = _varint(reader) if key & 7 == 0 else reader.take(_varint(reader))
    return found


def _varint(reader: Reader) -> int:
    value = 0
    for at in range(10):
        byte = reader.integer(1)
        value |= (byte & 0x7F) << (7 * at)
        if not byte & 0x80:
            return value
    raise reader.fail("has a number of more than 64 bits")
