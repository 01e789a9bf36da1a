"""What the chain says about the coins of a settlement, asked of as many servers as must agree."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace

from darkswap_browser.bitcoin.transaction import OutPoint
from darkswap_browser.chain.base import UNKNOWN, Chain, OutputAssets
from darkswap_browser.errors import IndexerLagging, NotOnChain
from darkswap_browser.settlement.chain_snapshot import ChainSnapshot, InputSnapshot


async def fetch_chain_snapshot(chain: Chain, outpoints: Sequence[OutPoint], now: float) -> ChainSnapshot:
    """Raises `ChainError` when servers are silent or contradict each other. What is not on chain, and what lagging
    indexes do not know, is a finding of its own.
    """
    genesis, (holdings, lag), facts = await asyncio.gather(
        chain.genesis(),
        _holdings(chain, outpoints),
        asyncio.gather(*(_facts(chain, each) for each in outpoints)),
    )
    # After the facts: a coin must not seem to be in a block that is still to come.
    tip = await chain.tip(verify=True)
    coins = {
        outpoint: found if found.raw is None else _holding(found, holdings.get(outpoint, UNKNOWN))
        for outpoint, found in zip(outpoints, facts, strict=True)
    }
    # The latest block may be a moment old; a coin that enough servers have in a later one tells of a newer.
    height = max([tip.height, *(each.height for each in facts if each.height is not None)])
    return ChainSnapshot(now=now, genesis=genesis, tip_height=height, index_lag=lag, coins=coins)


async def _holdings(chain: Chain, outpoints: Sequence[OutPoint]) -> tuple[Mapping[OutPoint, OutputAssets], int]:
    """And by how many blocks an index is behind, of which nothing is believed then."""
    try:
        return await chain.holdings(outpoints, verify=True), 0
    except IndexerLagging as error:
        return {}, max(error.tip - error.height, 1)


async def _facts(chain: Chain, outpoint: OutPoint) -> InputSnapshot:
    async def made() -> bytes | None:
        try:
            return await chain.transaction(outpoint.txid)
        except NotOnChain:
            return None

    raw, status, spend = await asyncio.gather(
        made(), chain.status(outpoint.txid, verify=True), chain.spend(outpoint, verify=True)
    )
    if raw is None:
        return InputSnapshot()
    return InputSnapshot(
        raw=raw,
        height=None if status is None else status.height,
        spent_by=None if spend is None else spend.txid,
    )


def _holding(facts: InputSnapshot, holdings: OutputAssets) -> InputSnapshot:
    inscriptions = None if holdings.inscriptions is None else tuple(holdings.inscriptions)
    return replace(facts, runes=holdings.runes, alkanes=holdings.alkanes, inscriptions=inscriptions)
