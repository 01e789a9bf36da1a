"""A chain server that speaks Esplora's REST (Blockstream/esplora API.md; mempool.space under /api)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from decimal import ROUND_CEILING
from hashlib import sha256

from darkswap_browser.bitcoin.transaction import MAX_SATS, OutPoint, Transaction
from darkswap_browser.chain.base import Spend, Tip, TxStatus, Utxo
from darkswap_browser.chain.json_text import JsonValue, parse
from darkswap_browser.chain.requests import Server
from darkswap_browser.chain.transaction_cache import TransactionCache, proves
from darkswap_browser.errors import (
    BroadcastRejected,
    ChainError,
    ChainInconsistent,
    InvalidArgument,
    MalformedMessage,
    NotOnChain,
)
from darkswap_browser.runtime.base.http import HttpResponse

MATURITY = 100
"""Blocks until a coinbase can be spent."""
MAX_HEIGHT = 500_000_000
"""From here on a locktime is a time: no height reaches it."""
MAX_VOUT = 2**32 - 1
MAX_ESTIMATE = 1_000_000
"""Sats per virtual byte; whatever is above is an error of the server."""
REFUSAL = "sendrawtransaction RPC error:"
KNOWN = ("already in mempool", "already-in-mempool", "already known", "already-known", "already in block chain",
         "already in utxo set")  # fmt: skip
"""What Bitcoin Core says of a transaction that it has, in the words of its versions."""


class EsploraClient:
    """Fulfils `ChainSource`."""

    def __init__(self, server: Server, kept: TransactionCache) -> None:
        self._server = server
        self._kept = kept

    @property
    def name(self) -> str:
        return self._server.name

    async def tip(self) -> Tip:
        height = (await self._json("/blocks/tip/height")).integer(MAX_HEIGHT)
        return Tip(height, await self.block_hash(height))

    async def block_hash(self, height: int) -> str:
        return JsonValue(self.name, "block hash", await self._text(f"/block-height/{height}")).hash()

    async def transaction(self, txid: str) -> bytes:
        kept = await self._kept.get(txid)
        if kept is not None:
            return kept
        raw = await self._fetch(txid)
        await self._kept.put(txid, raw)
        return raw

    async def _fetch(self, txid: str) -> bytes:
        text = await self._text(f"/tx/{txid}/hex")
        try:
            raw = bytes.fromhex(text)
        except ValueError:
            raise ChainInconsistent(self.name, f"transaction {txid} is not hex") from None
        if not proves(raw, txid):
            raise ChainInconsistent(self.name, f"gave other bytes for transaction {txid}")
        return raw

    async def status(self, txid: str) -> TxStatus | None:
        try:
            status = await self._json(f"/tx/{txid}/status")
            height = _height(status)
            if height is not None:
                return TxStatus(height, status.member("block_hash").hash())
            # Of a transaction that it never saw electrs says "not confirmed" as well.
            await self._fetch(txid)
        except NotOnChain:
            return None
        return TxStatus()

    async def spend(self, outpoint: OutPoint) -> Spend | None:
        """Of an output that it never saw electrs says "unspent" as well; `transaction` tells whether it exists."""
        answer = await self._json(f"/tx/{outpoint.txid}/outspend/{outpoint.vout}")
        if not answer.member("spent").boolean():
            return None
        status = answer.get("status")
        return Spend(answer.member("txid").hash(), None if status is None else _height(status))

    async def utxos(self, script: bytes) -> Sequence[Utxo]:
        """Coinbases are told from others only while they are immature: nobody asks for it later."""
        path = f"/scripthash/{sha256(script).hexdigest()}/utxo"
        listed, tip = await asyncio.gather(self._json(path), self._json("/blocks/tip/height"))
        found = [_utxo(node, script) for node in listed.items()]
        if len({utxo.outpoint for utxo in found}) < len(found):
            raise ChainInconsistent(self.name, "lists an output twice")
        oldest = tip.integer(MAX_HEIGHT) - MATURITY
        return list(await asyncio.gather(*(self._judged(utxo, oldest) for utxo in found)))

    async def _judged(self, utxo: Utxo, oldest: int) -> Utxo:
        """With `is_coinbase` found out when the block is above `oldest`."""
        if utxo.height is None or utxo.height < oldest:
            return utxo
        transaction = Transaction.parse(await self.transaction(utxo.outpoint.txid))
        first = transaction.inputs[0].outpoint
        is_coinbase = first.vout == MAX_VOUT and not int(first.txid, 16)
        return Utxo(utxo.outpoint, utxo.sats, utxo.script, utxo.height, is_coinbase)

    async def broadcast(self, raw: bytes) -> str:
        try:
            txid = Transaction.parse(raw).txid
        except MalformedMessage as error:
            raise InvalidArgument("transaction", error.reason) from error
        response = await self._server.post("/tx", raw.hex().encode(), headers={"Content-Type": "text/plain"})
        text = response.body[:2000].decode("utf-8", "replace").strip()
        if response.status == 200:
            if text != txid:
                raise ChainInconsistent(self.name, f"took transaction {txid} and calls it {text[:80]}")
            return txid
        reason = self._refusal(text)
        if any(word in reason.lower() for word in KNOWN):
            return txid
        raise BroadcastRejected(self.name, reason or f"answers {response.status}")

    def _refusal(self, text: str) -> str:
        """The node's own message out of `sendrawtransaction RPC error: {"code":…,"message":…}`."""
        before, mark, after = text.partition(REFUSAL)
        try:
            message = parse(after.strip().encode(), self.name, "refusal").get("message") if mark else None
            return text[:300] if message is None else message.text()
        except ChainError:
            return (after or before).strip()[:300]

    async def fee_rates(self) -> Mapping[int, int]:
        rates: dict[int, int] = {}
        for target, rate in (await self._json("/fee-estimates")).entries():
            blocks = JsonValue(self.name, "fee target", target).number(MAX_HEIGHT)
            sats = rate.fraction(MAX_ESTIMATE) * 1000
            rates[blocks] = int(sats.to_integral_value(ROUND_CEILING))
        return rates

    async def _json(self, path: str) -> JsonValue:
        return parse(self._good(await self._server.get(path), path).body, self.name, path)

    async def _text(self, path: str) -> str:
        body = self._good(await self._server.get(path), path).body
        if not body.isascii():
            raise ChainInconsistent(self.name, f"answers {path} with more than letters and digits")
        return body.decode("ascii").strip()

    def _good(self, response: HttpResponse, path: str) -> HttpResponse:
        if response.status == 200:
            return response
        reason = response.body[:200].decode("utf-8", "replace").strip()
        # electrs answers 400 for a height beyond the tip in some versions, 404 in others.
        if response.status == 404 or "not found" in reason.lower():
            raise NotOnChain(self.name, f"does not know {path}")
        raise ChainError(self.name, f"answers {path} with {response.status} {reason}".rstrip())


def _height(status: JsonValue) -> int | None:
    """None while unconfirmed."""
    return status.member("block_height").integer(MAX_HEIGHT) if status.member("confirmed").boolean() else None


def _utxo(node: JsonValue, script: bytes) -> Utxo:
    outpoint = OutPoint(node.member("txid").hash(), node.member("vout").integer(MAX_VOUT))
    return Utxo(outpoint, node.member("value").integer(MAX_SATS), script, _height(node.member("status")))
