"""ord's JSON over the node and the rune index (`--index-runes --index-addresses`; no inscriptions exist here)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from darkswap_browser.bitcoin.address import address_of, script_of
from darkswap_browser.bitcoin.transaction import OutPoint
from darkswap_browser.errors import InvalidArgument
from darkswap_browser.regtest.chain.node import RegtestNode
from darkswap_browser.regtest.indexes import rune_names
from darkswap_browser.regtest.indexes.runes import RuneEntry, RuneIndex
from darkswap_browser.regtest.indexes.runestones import ParsedRunestone, RuneId, decipher
from darkswap_browser.regtest.servers.requests import (
    NETWORK,
    Request,
    RequestError,
    Response,
    json_answer,
    read_json,
    text,
    whole,
)

Json = dict[str, Any]
PAGE = 100
MAX_OUTPUTS = 5_000
"""Outpoints in one question: a wallet's, many times over."""
SYMBOL = "¤"


class OrdServer:
    def __init__(self, node: RegtestNode, runes: RuneIndex) -> None:
        self._node = node
        self._runes = runes
        self._asked = Request("GET", ())

    def answer(self, request: Request) -> Response:
        """Raises `RequestError`."""
        self._asked = request
        if request.method == "POST":
            if request.path == ("outputs",):
                return json_answer([self._output(each) for each in _outpoints(read_json(request.body))])
            raise RequestError(404, "not found")
        match request.path:
            case ("status",):
                return json_answer(self._status())
            case ("output", outpoint):
                return json_answer(self._output(_outpoint(outpoint)))
            case ("outputs", address):
                return json_answer(self._outputs(_script(address), request.query.get("type", "any")))
            case ("address", address):
                return json_answer(self._address(_script(address)))
            case ("rune", name):
                return json_answer(self._rune(self._entry(name)))
            case ("runes", *page):
                return json_answer(self._directory(whole(page[0], "page") if page else 0))
            case ("decode", txid):
                return json_answer(self._decode(txid))
            case ("tx", txid):
                return json_answer(self._transaction(txid))
            case ("blockheight",) | ("r", "blockheight"):
                return text(self._height)
            case ("blockhash", *height):
                at = whole(height[0], "height") if height else self._node.ledger.height
                if at > self._node.ledger.height:
                    raise RequestError(404, f"blockhash {at} not found")
                return text(self._node.ledger.blocks[at].block_hash)
            case ("r", "utxo", outpoint):
                found = self._output(_outpoint(outpoint))
                return json_answer({name: found[name] for name in ("inscriptions", "runes", "sat_ranges", "value")})
        raise RequestError(404, "not found")

    @property
    def _height(self) -> int:
        return max(0, self._node.ledger.height - self._asked.behind)

    def _status(self) -> Json:
        height = self._height
        return {
            "address_index": True,
            "blessed_inscriptions": 0,
            "chain": "regtest",
            "cursed_inscriptions": 0,
            "height": height,
            "inscription_index": True,
            "inscriptions": 0,
            "json_api": True,
            "lost_sats": 0,
            "minimum_rune_for_next_block": rune_names.text_of(rune_names.minimum_at(height + 1)),
            "rune_index": True,
            "runes": len(self._runes.entries),
            "sat_index": False,
            "transaction_index": True,
            "unrecoverably_reorged": False,
        }

    # --- outputs

    def _output(self, outpoint: OutPoint) -> Json:
        """ord knows blocks and, through its node, the mempool; what neither knows is not found."""
        output = self._node.mempool.output(outpoint)
        if output is None:
            raise RequestError(404, f"output {outpoint} not found")
        mined = self._node.ledger.transactions.get(outpoint.txid)
        confirmations = self._node.ledger.height - mined.height + 1 if mined else 0
        indexed = mined is not None and mined.height <= self._height
        runes = self._runes.balances.get(outpoint, {}) if indexed else {}
        return {
            "address": address_of(output.script, NETWORK),
            "confirmations": confirmations,
            "indexed": indexed,
            "inscriptions": [],
            "outpoint": str(outpoint),
            "runes": {self._runes.entries[each].name: self._pile(each, atoms) for each, atoms in runes.items()},
            "sat_ranges": None,
            "script_pubkey": output.script.hex(),
            "spent": outpoint in self._node.ledger.spent,
            "transaction": outpoint.txid,
            "value": output.sats,
        }

    def _pile(self, rune_id: RuneId, atoms: int) -> Json:
        entry = self._runes.entries[rune_id]
        return {"amount": atoms, "divisibility": entry.divisibility, "symbol": entry.symbol or SYMBOL}

    def _unspent(self, script: bytes) -> Iterable[OutPoint]:
        ledger = self._node.ledger
        for txid in ledger.by_script.get(script, {}):
            for vout, output in enumerate(ledger.transactions[txid].transaction.outputs):
                outpoint = OutPoint(txid, vout)
                if output.script == script and outpoint in ledger.coins:
                    yield outpoint

    def _outputs(self, script: bytes, kind: str) -> list[Json]:
        if kind not in ("any", "cardinal", "inscribed", "runic"):
            raise RequestError(400, "type must be any, cardinal, inscribed or runic")
        found = [] if kind == "inscribed" else list(self._unspent(script))
        if kind != "any":
            found = [each for each in found if (each in self._runes.balances) == (kind == "runic")]
        return [self._output(each) for each in found]

    def _address(self, script: bytes) -> Json:
        found = list(self._unspent(script))
        totals: Counter[RuneId] = Counter()
        for outpoint in found:
            totals.update(self._runes.balances.get(outpoint, {}))
        balances = []
        for rune_id, atoms in sorted(totals.items()):
            entry = self._runes.entries[rune_id]
            balances.append([entry.name, _decimal(atoms, entry.divisibility), entry.symbol or SYMBOL])
        sats = sum(self._node.ledger.coins[each].output.sats for each in found)
        outputs = [str(each) for each in found]
        return {"outputs": outputs, "inscriptions": [], "sat_balance": sats, "runes_balances": balances}

    # --- runes

    def _entry(self, name: str) -> RuneEntry:
        """By id, by number in the directory, or by name with or without spacers."""
        block, colon, tx = name.partition(":")
        if colon:
            entry = self._runes.entries.get((whole(block, "rune id"), whole(tx, "rune id")))
        elif name.isascii() and name.isdigit():
            entry = next((each for each in self._runes.entries.values() if each.number == whole(name, "number")), None)
        else:
            try:
                entry = self._runes.entries.get(self._runes.by_name.get(rune_names.parse(name)[0], (0, 0)))
            except InvalidArgument as error:
                raise RequestError(400, str(error)) from error
        if entry is None:
            raise RequestError(404, f"rune {name[:80]} not found")
        return entry

    def _rune(self, entry: RuneEntry) -> Json:
        """`mintable` tells of the next block."""
        mintable = entry.mintable(self._node.ledger.height + 1) is not None
        return {"entry": _entry_json(entry), "id": _id(entry.id), "mintable": mintable, "parent": None}

    def _directory(self, page: int) -> Json:
        newest = sorted(self._runes.entries.values(), key=lambda each: -each.number)
        shown = newest[page * PAGE : (page + 1) * PAGE]
        more = len(newest) > (page + 1) * PAGE
        return {
            "entries": [[_id(each.id), _entry_json(each)] for each in shown],
            "more": more,
            "next": page + 1 if more else None,
            "prev": page - 1 if page else None,
        }

    def _decode(self, txid: str) -> Json:
        waiting, mined = self._node.mempool.waiting.get(txid), self._node.ledger.transactions.get(txid)
        if waiting is None and mined is None:
            raise RequestError(404, f"transaction {txid[:64]} not found")
        transaction = waiting.transaction if waiting else mined.transaction if mined else None
        assert transaction is not None
        stone = decipher(transaction)
        return {"inscriptions": [], "runestone": None if stone is None else _artifact(stone)}

    def _transaction(self, txid: str) -> Json:
        mined = self._node.ledger.transactions.get(txid)
        if mined is None:
            raise RequestError(404, f"transaction {txid[:64]} not found")
        etched = next((each.name for each in self._runes.entries.values() if each.etching == txid), None)
        return {"chain": "regtest", "etching": etched, "inscription_count": 0, "txid": txid}


def _entry_json(entry: RuneEntry) -> Json:
    terms = entry.terms
    return {
        "block": entry.id[0],
        "burned": entry.burned,
        "divisibility": entry.divisibility,
        "etching": entry.etching,
        "mints": entry.mints,
        "number": entry.number,
        "premine": entry.premine,
        "spaced_rune": entry.name,
        "symbol": entry.symbol,
        "terms": terms
        and {"amount": terms.amount, "cap": terms.cap, "height": list(terms.height), "offset": list(terms.offset)},
        "timestamp": entry.time,
        "turbo": entry.turbo,
    }


def _artifact(stone: ParsedRunestone) -> Json:
    etching = stone.etching
    mint = _id(stone.mint) if stone.mint else None
    if stone.flaw:
        rune = None if etching is None or etching.rune is None else rune_names.text_of(etching.rune)
        return {"Cenotaph": {"etching": rune, "flaw": stone.flaw, "mint": mint}}
    edicts = [{"id": _id((each[0], each[1])), "amount": each[2], "output": each[3]} for each in stone.edicts]
    named = etching and {
        "divisibility": etching.divisibility or None,
        "premine": etching.premine or None,
        "rune": None if etching.rune is None else rune_names.text_of(etching.rune),
        "spacers": etching.spacers or None,
        "symbol": etching.symbol,
        "terms": etching.terms
        and {
            "amount": etching.terms.amount,
            "cap": etching.terms.cap,
            "height": list(etching.terms.height),
            "offset": list(etching.terms.offset),
        },
        "turbo": etching.turbo,
    }
    return {"Runestone": {"edicts": edicts, "etching": named, "mint": mint, "pointer": stone.pointer}}


def _id(rune_id: RuneId) -> str:
    return f"{rune_id[0]}:{rune_id[1]}"


def _decimal(atoms: int, divisibility: int) -> str:
    unit, part = divmod(atoms, 10**divisibility)
    return f"{unit}.{part:0{divisibility}d}".rstrip("0") if part else str(unit)


def _outpoint(words: object) -> OutPoint:
    try:
        return OutPoint.parse(words if isinstance(words, str) else "")
    except InvalidArgument as error:
        raise RequestError(400, f"error parsing outpoint: {error}") from error


def _outpoints(value: object) -> Sequence[OutPoint]:
    if not isinstance(value, list) or len(value) > MAX_OUTPUTS:
        raise RequestError(400, f"a JSON array of at most {MAX_OUTPUTS} outpoints is needed")
    return [_outpoint(each) for each in value]


def _script(address: str) -> bytes:
    try:
        return script_of(address, NETWORK)
    except InvalidArgument as error:
        raise RequestError(400, str(error)) from error
