"""What the chain says about the coins of a settlement, asked of as many servers as must agree."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from darkswap_browser.bitcoin.transaction import OutPoint
from darkswap_browser.chain.base import UNKNOWN, Chain, Holdings
from darkswap_browser.errors import Lagging, NotOnChain
from darkswap_browser.market.trade.evidence import CoinFacts, Evidence


async def gather(chain: Chain, outpoints: Sequence[OutPoint], now: float) -> Evidence:
    """Raises `ChainError` when servers are silent or contradict each other. What is not on chain, and what lagging
    indexes do not know, is evidence of its own.
    """
    tip, genesis = await asyncio.gather(chain.tip(verify=True), chain.genesis())
    holdings: Mapping[OutPoint, Holdings] = {}
    lag = 0
    try:
        holdings = await chain.holdings(outpoints, verify=True)
    except Lagging as error:
        lag = max(error.tip - error.height, 1)
    facts = await asyncio.gather(*(_facts(chain, each, holdings.get(each, UNKNOWN)) for each in outpoints))
    return Evidence(
        now=now,
        genesis=genesis,
        tip_height=tip.height,
        index_lag=lag,
        coins=dict(zip(outpoints, facts, strict=True)),
    )


async def _facts(chain: Chain, outpoint: OutPoint, holdings: Holdings) -> CoinFacts:
    try:
        raw = await chain.transaction(outpoint.txid)
    except NotOnChain:
        return CoinFacts()
    status, spend = await asyncio.gather(chain.status(outpoint.txid, verify=True), chain.spend(outpoint, verify=True))
    return CoinFacts(
        raw=raw,
        height=None if status is None else status.height,
        spent_by=None if spend is None else spend.txid,
        runes=holdings.runes,
        alkanes=holdings.alkanes,
        inscriptions=None if holdings.inscriptions is None else tuple(holdings.inscriptions),
    )
