"""An index of alkanes: a JSON-RPC gateway before a metashrew indexer (kungfuflex/alkanes-rs).

Balances come from `metashrew_view`, whose protocol buffers carry all 128 bits. A gateway without it is asked
`alkanes_protorunesbyoutpoint`, of which two generations differ in the byte order of txids and in the answer; the newer
cuts amounts to 64 bits, so of it only "nothing" is believed. A *spent* output may still show what it carried.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Annotated, Any

from darkswap_browser.bitcoin.networks import FIRST_ALKANE
from darkswap_browser.bitcoin.transaction import OutPoint
from darkswap_browser.chain.base import UNKNOWN, OutputAssets
from darkswap_browser.chain.json_text import JsonValue, parse
from darkswap_browser.chain.requests import Server
from darkswap_browser.errors import ChainError, ChainInconsistent, InvalidArgument, MalformedMessage
from darkswap_browser.market.assets import Asset, AssetKind, AssetMetadata
from darkswap_browser.market.names import clean_text, safe_name
from darkswap_browser.wire.protobuf import ZERO, Field, Message, decode, encode, uint

MAX_HEIGHT = 500_000_000
MAX_VIEW = 256 * 1024
"""Bytes of a balance sheet: two thousand alkanes in one output."""
MAX_NAME = 64
DECIMALS = 8
"""Alkanes name none; every front end shows them with eight."""
ALKANES_TAG = 1
METHOD_NOT_FOUND = -32601
NAME, SYMBOL, TOTAL_SUPPLY = 99, 100, 101
"""Opcodes that contracts answer by convention."""


@dataclass(frozen=True)
class Uint128(Message):
    low: Annotated[uint, Field(1)] = ZERO
    high: Annotated[uint, Field(2)] = ZERO

    @property
    def value(self) -> int:
        return int(self.low) | int(self.high) << 64


@dataclass(frozen=True)
class OutpointRequest(Message):
    """`txid` in internal byte order; without `protocol` the indexer panics."""

    txid: Annotated[bytes, Field(1)] = b""
    vout: Annotated[uint, Field(2)] = ZERO
    protocol: Annotated[Uint128 | None, Field(3)] = None


@dataclass(frozen=True)
class RuneId(Message):
    height: Annotated[Uint128 | None, Field(1)] = None
    txindex: Annotated[Uint128 | None, Field(2)] = None


@dataclass(frozen=True)
class Rune(Message):
    rune_id: Annotated[RuneId | None, Field(1)] = None


@dataclass(frozen=True)
class Entry(Message):
    rune: Annotated[Rune | None, Field(1)] = None
    balance: Annotated[Uint128 | None, Field(2)] = None


@dataclass(frozen=True)
class BalanceSheet(Message):
    entries: Annotated[list[Entry], Field(1)] = field(default_factory=list)


@dataclass(frozen=True)
class Outpoint(Message):
    txid: Annotated[bytes, Field(1)] = b""
    vout: Annotated[uint, Field(2)] = ZERO


@dataclass(frozen=True)
class OutpointResponse(Message):
    balances: Annotated[BalanceSheet | None, Field(1)] = None
    outpoint: Annotated[Outpoint | None, Field(2)] = None


def view_request(outpoint: OutPoint) -> bytes:
    txid = bytes.fromhex(outpoint.txid)[::-1]
    return encode(OutpointRequest(txid, uint(outpoint.vout), Uint128(uint(ALKANES_TAG))))


def view_balances(data: bytes, outpoint: OutPoint) -> dict[Asset, int] | None:
    """Decode the answer of the view `protorunesbyoutpoint`.

    alkanes-rs answers a failed look-up with an empty message (src/lib.rs, `unwrap_or_else`), and names the outpoint
    in every other answer, also where the output holds nothing (crates/protorune/src/view.rs).

    Returns:
        Atoms by asset; None where the index does not know the output.
    Raises:
        MalformedMessage: The answer is not one, or is about another output.
    """
    response = decode(OutpointResponse, data, "alkanes balances", MAX_VIEW)
    about = response.outpoint
    if about is None or not about.txid:
        if response.balances is not None and response.balances.entries:
            raise MalformedMessage("alkanes balances", "name no output")
        return None
    txid = bytes.fromhex(outpoint.txid)
    if about.txid not in (txid, txid[::-1]) or about.vout != outpoint.vout:
        raise MalformedMessage("alkanes balances", "are of another output")
    atoms: dict[Asset, int] = {}
    for entry in response.balances.entries if response.balances is not None else ():
        rune_id = entry.rune.rune_id if entry.rune is not None else None
        if rune_id is None:
            raise MalformedMessage("alkanes balances", "an entry names no alkane")
        amount = entry.balance.value if entry.balance is not None else 0
        _add(
            atoms,
            rune_id.height.value if rune_id.height else 0,
            rune_id.txindex.value if rune_id.txindex else 0,
            amount,
        )
    return {asset: amount for asset, amount in atoms.items() if amount}


def _add(atoms: dict[Asset, int], block: int, tx: int, amount: int) -> None:
    try:
        asset = Asset.alkane(block, tx).checked("alkane")
    except InvalidArgument as error:
        raise MalformedMessage("alkanes balances", error.reason) from error
    if asset in atoms:
        raise MalformedMessage("alkanes balances", f"{asset} occurs twice")
    atoms[asset] = amount


def _text(data: bytes) -> str:
    return data[:MAX_NAME].decode("utf-8", "replace").strip("\0")


class _Refused(ChainError):
    """An error object of JSON-RPC."""

    def __init__(self, source: str, rpc_code: int, reason: str) -> None:
        super().__init__(source, reason)
        self.rpc_code = rpc_code


class _Form(Enum):
    """How a gateway is asked for balances."""

    VIEW = auto()
    JSON = auto()


class AlkanesClient:
    """Fulfils `AssetSource`. `network`: that it is of; it cannot be asked."""

    def __init__(self, server: Server, network: str = "") -> None:
        self._server = server
        self._network = network
        self._form = _Form.VIEW
        self._calls = 0

    @property
    def name(self) -> str:
        return self._server.name

    @property
    def covers(self) -> frozenset[AssetKind]:
        return frozenset({AssetKind.ALKANE})

    @property
    def first_height(self) -> int:
        return FIRST_ALKANE.get(self._network, 0)

    async def height(self) -> int:
        return (await self._call("metashrew_height", [])).number(MAX_HEIGHT)

    async def holdings(self, outpoints: Sequence[OutPoint]) -> Mapping[OutPoint, OutputAssets]:
        found = await asyncio.gather(*map(self._balances, outpoints))
        return {
            outpoint: UNKNOWN if atoms is None else OutputAssets(alkanes=atoms)
            for outpoint, atoms in zip(outpoints, found, strict=True)
        }

    async def _balances(self, outpoint: OutPoint) -> dict[Asset, int] | None:
        """None: this gateway cannot tell."""
        if self._form is _Form.VIEW:
            asked = ["protorunesbyoutpoint", "0x" + view_request(outpoint).hex(), "latest"]
            try:
                answer = await self._call("metashrew_view", asked)
                return None if answer.is_null else view_balances(answer.data(MAX_VIEW), outpoint)
            except _Refused as error:
                if error.rpc_code != METHOD_NOT_FOUND:
                    raise
                self._form = _Form.JSON
            except MalformedMessage as error:
                raise ChainInconsistent(self.name, str(error)) from error
        return await self._json_balances(outpoint)

    async def _json_balances(self, outpoint: OutPoint) -> dict[Asset, int] | None:
        """Asked in the newer way first: the older answers with a list, but of an output that does not exist."""
        answer = await self._by_outpoint(outpoint.txid, outpoint.vout)
        if answer.is_null:
            return None
        if answer.is_object:
            about = answer.get("outpoint")
            if about is None or about.member("txid").text() != outpoint.txid:
                return None
            listed = answer.member("balance_sheet").member("cached").member("balances")
            return None if listed.items() else {}
        answer = await self._by_outpoint(bytes.fromhex(outpoint.txid)[::-1].hex(), outpoint.vout)
        atoms: dict[Asset, int] = {}
        for node in answer.items():
            token = node.member("token").member("id")
            try:
                _add(atoms, token.member("block").number(), token.member("tx").number(), node.member("value").number())
            except MalformedMessage as error:
                raise ChainInconsistent(self.name, str(error)) from error
        # An output that the index does not know has the same answer as one that holds nothing: an empty list.
        return {asset: amount for asset, amount in atoms.items() if amount} or None

    async def _by_outpoint(self, txid: str, vout: int) -> JsonValue:
        asked = {"txid": txid, "vout": vout, "protocolTag": str(ALKANES_TAG)}
        return await self._call("alkanes_protorunesbyoutpoint", [asked, "latest"])

    async def info(self, asset: Asset) -> AssetMetadata | None:
        """Asks the contract; None when it does not answer by the convention. One without a name of its own is called
        by its id.
        """
        if asset.kind is not AssetKind.ALKANE:
            return None
        name, symbol, supply = await asyncio.gather(*(self._simulate(asset, op) for op in (NAME, SYMBOL, TOTAL_SUPPLY)))
        if name is None:
            return None
        return AssetMetadata(
            asset=asset,
            name=safe_name(_text(name), asset),
            symbol=clean_text(_text(symbol or b"")),
            decimals=DECIMALS,
            supply=int.from_bytes(supply[:16], "little") if supply else None,
        )

    async def find(self, name: str) -> AssetMetadata | None:
        """No gateway looks names up, and names are not unique: ids alone, as `2:0`."""
        try:
            asset = Asset.parse(f"ALKANE:{name.strip()}")
        except InvalidArgument:
            return None
        return await self.info(asset)

    async def _simulate(self, asset: Asset, opcode: int) -> bytes | None:
        target = {"block": str(asset.block), "tx": str(asset.tx)}
        call = {"target": target, "inputs": [str(opcode)], "alkanes": [], "transaction": "0x", "block": "0x"}
        try:
            answer = await self._call("alkanes_simulate", [{**call, "height": "20000", "txindex": 0, "vout": 0}])
        except _Refused:
            return None
        execution = answer.get("execution") if answer.is_object else None
        data = execution.get("data") if execution is not None and execution.get("error") is None else None
        return None if data is None else data.data(MAX_VIEW)

    async def _call(self, method: str, params: list[Any]) -> JsonValue:
        self._calls += 1
        body = {"jsonrpc": "2.0", "id": self._calls, "method": method, "params": params}
        headers = {"Content-Type": "application/json"}
        response = await self._server.post("", json.dumps(body).encode(), headers=headers)
        if response.status != 200:
            raise ChainError(self.name, f"answers {method} with {response.status}")
        answer = parse(response.body, self.name, method)
        error = answer.get("error")
        if error is None:
            return answer.member("result")
        code = error.value.get("code") if error.is_object else None
        message = error.get("message") if error.is_object else error
        reason = message.text() if message is not None else "refused"
        raise _Refused(self.name, code if isinstance(code, int) else 0, f"{method}: {reason[:300]}")
