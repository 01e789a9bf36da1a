"""Esplora's REST interface (Blockstream's API.md, as mempool.space serves it too) over the node."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import Any

from darkswap_browser.bitcoin.address import address_of, script_of
from darkswap_browser.bitcoin.transaction import OutPoint, Transaction, TxOutput
from darkswap_browser.errors import InvalidArgument, MalformedMessage
from darkswap_browser.regtest.chain.block import merkle_branch
from darkswap_browser.regtest.chain.ledger import ConnectedBlock
from darkswap_browser.regtest.chain.node import RegtestNode, TransactionRejected
from darkswap_browser.regtest.chain.policy import script_type
from darkswap_browser.regtest.servers.requests import (
    BYTES,
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
PAGE = 25
MEMPOOL_PAGE = 50
MAX_UTXOS = 500
"""electrs' own default of what it lists for one script."""
FEE_TARGETS = (*range(1, 26), 144, 504, 1008)
MAX_PACKAGE = 25


class EsploraServer:
    def __init__(self, node: RegtestNode) -> None:
        self._node = node

    def answer(self, request: Request) -> Response:
        """Raises `RequestError`."""
        if request.method == "POST":
            return self._post(request)
        match request.path:
            case ("tx", txid, *rest):
                return self._tx(self._known(txid), tuple(rest))
            case ("address", address, *rest):
                return self._script(_script(address), {"address": address}, tuple(rest))
            case ("scripthash", digest, *rest):
                return self._script(self._hashed(digest), {"scripthash": digest}, tuple(rest))
            case ("block", digest, *rest):
                return self._block(self._connected(digest), tuple(rest))
            case ("block-height", height):
                return text(self._at(whole(height, "height")).block_hash)
            case ("blocks", "tip", "height"):
                return text(self._tip(request).height)
            case ("blocks", "tip", "hash"):
                return text(self._tip(request).block_hash)
            case ("blocks", *start):
                top = whole(start[0], "height") if start else self._node.ledger.height
                return json_answer([self._block_json(self._at(at)) for at in range(top, max(-1, top - 10), -1)])
            case ("fee-estimates",):
                rate = self._node.mempool.rules.min_rate / 1000
                return json_answer({str(target): rate for target in FEE_TARGETS})
            case ("v1", "fees", "recommended"):
                names = ("fastestFee", "halfHourFee", "hourFee", "economyFee", "minimumFee")
                return json_answer(dict.fromkeys(names, max(1, self._node.mempool.rules.min_rate // 1000)))
            case ("mempool", *rest):
                return self._mempool(tuple(rest))
        raise RequestError(404, "endpoint does not exist")

    def _tip(self, request: Request) -> ConnectedBlock:
        return self._node.ledger.blocks[max(0, self._node.ledger.height - request.behind)]

    # --- sending

    def _post(self, request: Request) -> Response:
        match request.path:
            case ("tx",):
                return self._send(_raw(request.body.decode("ascii", "replace").strip()))
            case ("txs", "test"):
                return json_answer([self._test(_raw(each)) for each in _package(request.body)])
            case ("txs", "package"):
                return json_answer(self._package([_raw(each) for each in _package(request.body)]))
        raise RequestError(404, "endpoint does not exist")

    def _send(self, raw: bytes) -> Response:
        try:
            return text(self._node.submit(raw).txid)
        except TransactionRejected as refusal:
            said = json.dumps({"code": refusal.code, "message": refusal.reason}, separators=(",", ":"))
            raise RequestError(400, f"sendrawtransaction RPC error: {said}") from refusal

    def _test(self, raw: bytes) -> Json:
        try:
            entry = self._node.test(raw)
        except TransactionRejected as refusal:
            return {"allowed": False, "reject-reason": refusal.reason, **_ids(raw)}
        return {"allowed": True, "vsize": entry.vsize, "fees": {"base": entry.fee / 1e8}, **_ids(raw)}

    def _package(self, package: Sequence[bytes]) -> Json:
        """Core's submitpackage, each transaction on its own merits, parents first."""
        results: Json = {}
        reason = "success"
        for raw in package:
            try:
                entry = self._node.submit(raw)
                result: Json = {"txid": entry.txid, "vsize": entry.vsize, "fees": {"base": entry.fee / 1e8}}
            except TransactionRejected as refusal:
                reason, result = "transaction failed", {"error": refusal.reason, **_ids(raw)}
            results[_ids(raw).get("wtxid", sha256(raw).hexdigest())] = result
        return {"package_msg": reason, "tx-results": results, "replaced-transactions": []}

    # --- transactions

    def _known(self, txid: str) -> str:
        if len(txid) != 64 or set(txid) - set("0123456789abcdef"):
            raise RequestError(400, "Invalid hex string")
        if txid not in self._node.ledger.transactions and txid not in self._node.mempool.waiting:
            raise RequestError(404, "Transaction not found")
        return txid

    def transaction(self, txid: str) -> Transaction:
        waiting = self._node.mempool.waiting.get(txid)
        return waiting.transaction if waiting else self._node.ledger.transactions[txid].transaction

    def _tx(self, txid: str, rest: tuple[str, ...]) -> Response:
        transaction = self.transaction(txid)
        match rest:
            case ():
                return json_answer(self._tx_json(txid))
            case ("hex",):
                return text(transaction.serialize().hex())
            case ("raw",):
                return Response(transaction.serialize(), content_type=BYTES)
            case ("status",):
                return json_answer(self._status(txid))
            case ("outspend", vout):
                return json_answer(self._outspend(OutPoint(txid, whole(vout, "vout"))))
            case ("outspends",):
                return json_answer([self._outspend(OutPoint(txid, at)) for at in range(len(transaction.outputs))])
            case ("merkle-proof",):
                mined = self._node.ledger.transactions.get(txid)
                if mined is None:
                    raise RequestError(404, "Transaction not found or is unconfirmed")
                branch = merkle_branch(self._node.ledger.blocks[mined.height].txids, mined.position)
                return json_answer({"block_height": mined.height, "merkle": branch, "pos": mined.position})
        raise RequestError(404, "endpoint does not exist")

    def _status(self, txid: str) -> Json:
        mined = self._node.ledger.transactions.get(txid)
        if mined is None:
            return {"confirmed": False}
        block = self._node.ledger.blocks[mined.height]
        return {
            "confirmed": True,
            "block_height": block.height,
            "block_hash": block.block_hash,
            "block_time": block.block.header.time,
        }

    def _outspend(self, outpoint: OutPoint) -> Json:
        spender = self._node.mempool.spent.get(outpoint) or self._node.ledger.spent.get(outpoint)
        if spender is None:
            return {"spent": False}
        txid, vin = spender
        return {"spent": True, "txid": txid, "vin": vin, "status": self._status(txid)}

    def _tx_json(self, txid: str) -> Json:
        transaction = self.transaction(txid)
        is_coinbase = int(transaction.inputs[0].outpoint.txid, 16) == 0
        prevouts = [] if is_coinbase else [self._output(each.outpoint) for each in transaction.inputs]
        spent = sum(each.sats for each in prevouts)
        vin = [
            {
                "txid": each.outpoint.txid,
                "vout": each.outpoint.vout,
                "prevout": None if is_coinbase else _output_json(prevouts[at]),
                "scriptsig": each.script_sig.hex(),
                "witness": [item.hex() for item in each.witness],
                "is_coinbase": is_coinbase,
                "sequence": each.sequence,
            }
            for at, each in enumerate(transaction.inputs)
        ]
        return {
            "txid": txid,
            "version": transaction.version,
            "locktime": transaction.locktime,
            "vin": vin,
            "vout": [_output_json(each) for each in transaction.outputs],
            "size": len(transaction.serialize()),
            "weight": transaction.weight,
            "fee": 0 if is_coinbase else spent - sum(each.sats for each in transaction.outputs),
            "status": self._status(txid),
        }

    def _output(self, outpoint: OutPoint) -> TxOutput:
        output = self._node.mempool.output(outpoint)
        if output is None:
            raise LookupError(f"{outpoint} is spent and unknown")
        return output

    # --- scripts

    def _hashed(self, digest: str) -> bytes:
        if len(digest) != 64:
            raise RequestError(400, "Invalid hex string")
        for script in (*self._node.ledger.by_script, *(each for each, _ in self._mempool_touches())):
            if sha256(script).hexdigest() == digest:
                return script
        return b""

    def _mempool_touches(self) -> Iterator[tuple[bytes, str]]:
        for txid, entry in self._node.mempool.waiting.items():
            for output in (*entry.prevouts, *entry.transaction.outputs):
                yield output.script, txid

    def _script(self, script: bytes, name: Json, rest: tuple[str, ...]) -> Response:
        confirmed = list(reversed(self._node.ledger.by_script.get(script, {})))
        waiting = list(dict.fromkeys(txid for each, txid in self._mempool_touches() if each == script))[::-1]
        match rest:
            case ():
                stats = {"chain_stats": self._stats(script, confirmed), "mempool_stats": self._stats(script, waiting)}
                return json_answer({**name, **stats})
            case ("utxo",):
                return json_answer(self._utxos(script, [*waiting, *confirmed]))
            case ("txs",):
                chosen = [*waiting[:MEMPOOL_PAGE], *confirmed[:PAGE]]
            case ("txs", "mempool"):
                chosen = waiting[:MEMPOOL_PAGE]
            case ("txs", "chain", *last):
                start = confirmed.index(last[0]) + 1 if last and last[0] in confirmed else 0
                chosen = confirmed[start : start + PAGE]
            case _:
                raise RequestError(404, "endpoint does not exist")
        return json_answer([self._tx_json(txid) for txid in chosen])

    def _stats(self, script: bytes, txids: Sequence[str]) -> Json:
        funded, spent = [], []
        for txid in txids:
            transaction = self.transaction(txid)
            funded += [each.sats for each in transaction.outputs if each.script == script]
            if int(transaction.inputs[0].outpoint.txid, 16):
                outputs = [self._output(each.outpoint) for each in transaction.inputs]
                spent += [each.sats for each in outputs if each.script == script]
        return {
            "tx_count": len(txids),
            "funded_txo_count": len(funded),
            "funded_txo_sum": sum(funded),
            "spent_txo_count": len(spent),
            "spent_txo_sum": sum(spent),
        }

    def _utxos(self, script: bytes, txids: Sequence[str]) -> list[Json]:
        found = []
        for txid in txids:
            status = self._status(txid)
            for vout, output in enumerate(self.transaction(txid).outputs):
                outpoint = OutPoint(txid, vout)
                if output.script == script and not self._outspend(outpoint)["spent"]:
                    found.append({"txid": txid, "vout": vout, "status": status, "value": output.sats})
            if len(found) > MAX_UTXOS:
                raise RequestError(400, "Too many unspent transaction outputs. Contact support to raise limits.")
        return found

    # --- blocks

    def _at(self, height: int) -> ConnectedBlock:
        if height > self._node.ledger.height:
            raise RequestError(404, "Block not found")
        return self._node.ledger.blocks[height]

    def _connected(self, digest: str) -> ConnectedBlock:
        height = self._node.ledger.heights.get(digest)
        if height is None:
            raise RequestError(404, "Block not found")
        return self._node.ledger.blocks[height]

    def _block(self, connected: ConnectedBlock, rest: tuple[str, ...]) -> Response:
        match rest:
            case ():
                return json_answer(self._block_json(connected))
            case ("header",):
                return text(connected.block.header.serialize().hex())
            case ("raw",):
                return Response(connected.block.serialize(), content_type=BYTES)
            case ("txids",):
                return json_answer(connected.txids)
            case ("txs", *start):
                first = whole(start[0], "start index") if start else 0
                return json_answer([self._tx_json(txid) for txid in connected.txids[first : first + PAGE]])
            case ("status",):
                blocks = self._node.ledger.blocks[connected.height + 1 : connected.height + 2]
                best = {"next_best": blocks[0].block_hash if blocks else None}
                return json_answer({"in_best_chain": True, "height": connected.height, **best})
        raise RequestError(404, "endpoint does not exist")

    def _block_json(self, connected: ConnectedBlock) -> Json:
        header = connected.block.header
        transactions = connected.block.transactions
        return {
            "id": connected.block_hash,
            "height": connected.height,
            "version": header.version,
            "timestamp": header.time,
            "tx_count": len(transactions),
            "size": len(connected.block.serialize()),
            "weight": sum(each.weight for each in transactions) + 4 * 81,
            "merkle_root": header.merkle_root,
            "previousblockhash": header.previous if connected.height else None,
            "mediantime": self._node.ledger.median_time(connected.height),
            "nonce": header.nonce,
            "bits": header.bits,
            "difficulty": 0,
        }

    def _mempool(self, rest: tuple[str, ...]) -> Response:
        waiting = self._node.mempool.waiting
        match rest:
            case ():
                size, fees = sum(each.vsize for each in waiting.values()), sum(each.fee for each in waiting.values())
                return json_answer({"count": len(waiting), "vsize": size, "total_fee": fees, "fee_histogram": []})
            case ("txids",):
                return json_answer(list(waiting))
            case ("recent",):
                newest = list(waiting.values())[:-11:-1]
                totals = [sum(output.sats for output in each.transaction.outputs) for each in newest]
                return json_answer(
                    [
                        {"txid": each.txid, "fee": each.fee, "vsize": each.vsize, "value": total}
                        for each, total in zip(newest, totals, strict=True)
                    ]
                )
        raise RequestError(404, "endpoint does not exist")


def _output_json(output: TxOutput) -> Json:
    address = address_of(output.script, NETWORK)
    return {
        "scriptpubkey": output.script.hex(),
        "scriptpubkey_type": script_type(output.script),
        **({"scriptpubkey_address": address} if address else {}),
        "value": output.sats,
    }


def _script(address: str) -> bytes:
    try:
        return script_of(address, NETWORK)
    except InvalidArgument as error:
        raise RequestError(400, "Invalid Bitcoin address") from error


def _raw(words: object) -> bytes:
    try:
        return bytes.fromhex(words if isinstance(words, str) else "?")
    except ValueError as error:
        raise RequestError(400, "Invalid hex string") from error


def _package(body: bytes) -> list[object]:
    package = read_json(body)
    if not isinstance(package, list) or not 1 <= len(package) <= MAX_PACKAGE:
        raise RequestError(400, f"a JSON array of 1 to {MAX_PACKAGE} transactions is needed")
    return package


def _ids(raw: bytes) -> Json:
    try:
        transaction = Transaction.parse(raw)
    except MalformedMessage:
        return {}
    return {"txid": transaction.txid, "wtxid": transaction.wtxid}
