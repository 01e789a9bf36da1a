"""Verbs under /regtest: mine, faucet, reorg, drop, fault, fault/reset, status."""

from __future__ import annotations

import dataclasses
from typing import Any

from darkswap_browser.bitcoin.address import script_of
from darkswap_browser.errors import DarkSwapError, InvalidArgument
from darkswap_browser.market.assets import Asset
from darkswap_browser.regtest.chain.node import BlockRejected, RegtestNode, TransactionRejected
from darkswap_browser.regtest.faucet import BITCOIN, Faucet
from darkswap_browser.regtest.servers.faults import DEFAULT_AMOUNT, MAX_AMOUNT, Fault, FaultKind, Faults
from darkswap_browser.regtest.servers.requests import NETWORK, Request, RequestError, Response, json_answer, read_json

Json = dict[str, Any]


class Control:
    def __init__(self, node: RegtestNode, faucet: Faucet, faults: Faults) -> None:
        self._node = node
        self._faucet = faucet
        self._faults = faults

    def answer(self, request: Request) -> Response:
        """Raises `RequestError`."""
        if request.path == ("status",) and request.method == "GET":
            return json_answer(self._status())
        if request.method != "POST":
            raise RequestError(405, "these verbs are POSTed")
        arguments = read_json(request.body or b"{}")
        if not isinstance(arguments, dict):
            raise RequestError(400, "a JSON object is needed")
        verbs = {
            "mine": self._mine,
            "faucet": self._give,
            "reorg": self._reorg,
            "drop": self._drop,
            "fault": self._fault,
            "fault/reset": self._honest,
        }
        verb = verbs.get("/".join(request.path))
        if verb is None:
            raise RequestError(404, f"the verbs are {', '.join(verbs)}")
        try:
            return json_answer(verb(arguments))
        except (TransactionRejected, BlockRejected, DarkSwapError) as error:
            raise RequestError(400, str(error)) from error

    def _status(self) -> Json:
        tip = self._node.ledger.tip
        return {
            "height": tip.height,
            "hash": tip.block_hash,
            "mempool": len(self._node.mempool.waiting),
            "rules": self._node.mempool.rules.name,
            "assets": assets_of(self._faucet),
            "faults": [dataclasses.asdict(each) for each in self._faults.active],
        }

    def _mine(self, arguments: Json) -> Json:
        address = _text(arguments, "address", "")
        script = script_of(address, NETWORK) if address else BITCOIN
        hashes = self._node.mine(_integer(arguments, "blocks", 1), script)
        return {"hashes": hashes, "height": self._node.ledger.height}

    def _give(self, arguments: Json) -> Json:
        script = script_of(_text(arguments, "address"), NETWORK)
        asset = Asset.parse(_text(arguments, "asset", "BTC"))
        atoms = _integer(arguments, "atoms", 0) if "atoms" in arguments else None
        txid = self._faucet.give(script, asset, atoms)
        if arguments.get("mine", True):
            self._node.mine(1, BITCOIN)
        return {"txid": txid}

    def _reorg(self, arguments: Json) -> Json:
        raw = arguments.get("transactions", [])
        if not isinstance(raw, list) or not all(isinstance(each, str) for each in raw):
            raise InvalidArgument("transactions", "must be a list of hex texts")
        try:
            instead = [bytes.fromhex(each) for each in raw]
        except ValueError as error:
            raise InvalidArgument("transactions", "must be hex") from error
        forget = arguments.get("forget", False) is True
        hashes = self._node.reorganise(_integer(arguments, "depth", 1), BITCOIN, instead, forget=forget)
        return {"hashes": hashes, "height": self._node.ledger.height}

    def _drop(self, arguments: Json) -> Json:
        self._node.forget(_text(arguments, "txid"))
        return {}

    def _fault(self, arguments: Json) -> Json:
        """`{kind, server?, path?, count?, amount?}`; without a count until it is reset."""
        kind, server = _text(arguments, "kind"), _text(arguments, "server", "")
        if kind not in set(FaultKind):
            raise InvalidArgument("kind", f"must be one of {', '.join(FaultKind)}")
        if server not in ("", "api", "ord", "alkanes"):
            raise InvalidArgument("server", "must be api, ord or alkanes, or left out for all")
        count = arguments.get("count")
        amount = _integer(arguments, "amount", DEFAULT_AMOUNT.get(FaultKind(kind), 1))
        if not 0 <= amount <= MAX_AMOUNT:
            raise InvalidArgument("amount", f"must be 0 to {MAX_AMOUNT}")
        left = None if count is None else max(1, _integer(arguments, "count", 1))
        self._faults.add(Fault(FaultKind(kind), server, _text(arguments, "path", ""), left, amount))
        return {"active": len(self._faults.active)}

    def _honest(self, _: Json) -> Json:
        self._faults.reset()
        return {"active": 0}


def assets_of(faucet: Faucet) -> list[Json]:
    """What the faucet gives, as the page's own configuration names it."""
    return [
        {"asset": str(each.asset), "name": each.name, "symbol": each.symbol, "decimals": each.decimals}
        for each in faucet.assets()
    ]


def _integer(arguments: Json, name: str, default: int) -> int:
    """A JSON number, or a decimal text for those above 2^53."""
    value = arguments.get(name, default)
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 40:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidArgument(name, "must be a whole number")
    return value


def _text(arguments: Json, name: str, default: str | None = None) -> str:
    value = arguments.get(name, default)
    if not isinstance(value, str):
        raise InvalidArgument(name, "must be a text")
    return value
