"""What servers agreed on of blocks is not asked again while the latest block stays, and never outlives it."""

from __future__ import annotations

import asyncio

from darkswap_browser.chain.block_cache import AGREED_SECONDS
from darkswap_browser.chain.quorum import SHOWN_SECONDS
from tests.chain.test_quorum import HELD, KNOWN, OUT, OUTSPEND, STATUS, Net, alkanes, opened, runes
from tests.support.chain_servers import ChainServer, block_hash, esplora, output


def table() -> tuple[Net, ChainServer, ChainServer]:
    chain, index = esplora(), runes()
    return opened(chain, ord=(index,), alkanes=(alkanes(),), quorum=1), chain, index


async def test_where_a_transaction_is_and_what_an_output_holds_is_asked_once_under_one_latest_block() -> None:
    net, chain, index = table()
    for _ in range(3):
        assert await net.chain.holdings([OUT], verify=True) == {OUT: HELD}
        assert (await net.chain.status(KNOWN.txid, verify=True)) is not None
        await net.chain.tip(verify=True)
        await asyncio.sleep(2 * AGREED_SECONDS)
    assert chain.asked.count(STATUS) == 1
    assert index.asked.count("POST /outputs") == 1
    assert chain.asked.count("GET /blocks/tip/height") == 3


async def test_another_latest_block_makes_everything_be_asked_anew() -> None:
    net, chain, index = table()
    await net.chain.holdings([OUT], verify=True)
    chain.routes["GET /block-height/800000"] = block_hash(800_000, 1)
    chain.routes[STATUS] = {"confirmed": False}
    await asyncio.sleep(AGREED_SECONDS)
    found = await net.chain.holdings([OUT], verify=True)
    assert not found[OUT].complete
    assert index.asked.count("POST /outputs") == 2


async def test_who_spends_an_output_is_asked_every_time() -> None:
    net, chain, _ = table()
    await net.chain.spend(OUT, verify=True)
    await net.chain.spend(OUT, verify=True)
    assert chain.asked.count(OUTSPEND) == 2


async def test_what_is_in_no_block_yet_is_asked_every_time() -> None:
    net, chain, index = table()
    chain.routes[STATUS] = {"confirmed": False}
    for _ in range(2):
        assert not (await net.chain.holdings([OUT], verify=True))[OUT].complete
    assert chain.asked.count(STATUS) == 2
    assert index.asked.count("POST /outputs") == 2


async def test_the_same_question_by_many_at_once_is_one() -> None:
    net, chain, _ = table()
    tips = await asyncio.gather(*(net.chain.tip(verify=True) for _ in range(5)))
    assert len(set(tips)) == 1
    assert chain.asked.count("GET /blocks/tip/height") == 1


async def test_whoever_gives_up_waiting_leaves_the_question_to_the_others() -> None:
    net, _, _ = table()
    impatient, patient = (asyncio.ensure_future(net.chain.tip(verify=True)) for _ in range(2))
    await asyncio.sleep(0)
    impatient.cancel()
    assert (await patient).height == 800_000


async def test_what_a_coin_carries_is_shown_without_asking_again_under_one_latest_block() -> None:
    net, chain, index = table()
    for _ in range(3):
        assert await net.chain.holdings([OUT]) == {OUT: HELD}
    assert index.asked.count("POST /outputs") == 1
    chain.routes["GET /blocks/tip/height"] = "800001"
    chain.routes["GET /block-height/800001"] = block_hash(800_001)
    await asyncio.sleep(SHOWN_SECONDS)
    await net.chain.holdings([OUT])
    assert index.asked.count("POST /outputs") == 2


async def test_of_an_output_in_no_block_nothing_is_remembered() -> None:
    net, _, index = table()
    index.routes["POST /outputs"] = [output(OUT)]
    for _ in range(2):
        assert (await net.chain.holdings([OUT]))[OUT].runes == {}
    assert index.asked.count("POST /outputs") == 2
