"""Calls to chain servers that several callers share, given up at any moment by one of them or by all."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from itertools import count
from typing import Any

import pytest

from darkswap_browser.chain.base import Chain
from tests.chain.test_quorum import KNOWN, OUT, opened
from tests.support.cancelling import cancel_on_turn, tasks_left
from tests.support.chain_servers import esplora

MOST = 120
"""Turns tried at most: a call of three servers takes fewer."""
CALLS: dict[str, Callable[[Chain], Coroutine[Any, Any, object]]] = {
    "tip": lambda chain: chain.tip(),
    "tip verified": lambda chain: chain.tip(verify=True),
    "genesis": lambda chain: chain.genesis(),
    "transaction": lambda chain: chain.transaction(KNOWN.txid),
    "status": lambda chain: chain.status(KNOWN.txid, verify=True),
    "spend": lambda chain: chain.spend(OUT, verify=True),
    "fee_rate": lambda chain: chain.fee_rate(1),
}


@pytest.mark.parametrize("name", CALLS)
async def test_shared_call_given_up_by_one_caller_answers_the_other(name: str) -> None:
    for turn in count(0):
        net = opened(esplora(), esplora(), esplora())
        before = asyncio.all_tasks()
        other = asyncio.create_task(CALLS[name](net.chain))
        outcome = await cancel_on_turn(CALLS[name](net.chain), turn)
        async with asyncio.timeout(60):
            told = await other
            assert await CALLS[name](net.chain) == told
        await asyncio.sleep(60)
        assert tasks_left(before) == [], turn
        if not outcome.was_cancelled or turn == MOST:
            break
    assert 0 < turn < MOST


@pytest.mark.parametrize("name", CALLS)
async def test_shared_call_given_up_by_all_leaves_nothing_and_is_asked_anew(name: str) -> None:
    for turn in count(0):
        net = opened(esplora(), esplora(), esplora())
        before = asyncio.all_tasks()
        outcomes = await asyncio.gather(*(cancel_on_turn(CALLS[name](net.chain), turn) for _ in range(2)))
        await asyncio.sleep(60)
        assert tasks_left(before) == [], turn
        async with asyncio.timeout(60):
            assert (await CALLS[name](net.chain) is None) == (name == "spend")
        if not any(outcome.was_cancelled for outcome in outcomes) or turn == MOST:
            break
    assert 0 < turn < MOST
