"""Questions to the wallet extensions of other tabs, and what becomes of them when a tab is gone."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from darkswap_browser.bridge.tab_wallets import BYTES, WalletTabs
from darkswap_browser.errors import WalletFailed, WalletNotConnected

pytestmark = pytest.mark.native


class Tabs:
    """What was asked of which tab."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, int, dict[str, Any]]] = []
        self.wallets = WalletTabs(lambda tab, number, text: self.asked.append((tab, number, json.loads(text))))

    def answer(self, answer: dict[str, Any]) -> None:
        self.wallets.told(self.asked[-1][1], json.dumps(answer))


async def test_bytes_cross_both_ways_and_the_answer_goes_to_who_asked() -> None:
    tabs = Tabs()
    calling = asyncio.ensure_future(tabs.wallets.of("a").call("standard:x", "f.g", {"psbt": b"\x01\xff"}))
    await asyncio.sleep(0)
    tab, _, asked = tabs.asked[-1]
    assert (tab, asked["provider"], asked["method"], asked["params"]) == (
        "a",
        "standard:x",
        "f.g",
        {"psbt": {BYTES: "01ff"}},
    )
    tabs.wallets.told(999, json.dumps({"value": 1}))
    tabs.answer({"value": [{BYTES: "02"}]})
    assert await calling == [b"\x02"]


async def test_tab_that_is_gone_fails_its_questions_after_its_listeners_heard_it() -> None:
    tabs = Tabs()
    told: list[str] = []
    tabs.wallets.of("a").subscribe("unisat", told.append)
    tabs.answer({"word": "accounts"})
    tabs.wallets.of("b").subscribe("unisat", lambda word: told.append("b " + word))
    calling = asyncio.ensure_future(tabs.wallets.of("a").call("unisat", "getAccounts", []))
    others = asyncio.ensure_future(tabs.wallets.of("b").call("unisat", "getAccounts", []))
    calling.add_done_callback(lambda _: told.append("failed"))
    await asyncio.sleep(0)
    tabs.wallets.tab_gone("a")
    with pytest.raises(WalletNotConnected):
        await calling
    assert told == ["accounts", "tab", "failed"]
    tabs.answer({"value": []})
    assert await others == []


async def test_tab_that_is_gone_already_fails_the_question_at_once() -> None:
    tabs = WalletTabs(lambda tab, number, text: tabs.tab_gone(tab))
    with pytest.raises(WalletNotConnected):
        await tabs.of("a").discover()
    told: list[str] = []
    tabs.of("a").subscribe("unisat", told.append)
    assert told == ["tab"]


async def test_subscription_that_ended_hears_nothing() -> None:
    tabs = Tabs()
    told: list[str] = []
    end = tabs.wallets.of("a").subscribe("unisat", told.append)
    number = tabs.asked[-1][1]
    end()
    end()
    assert [asked["what"] for _, _, asked in tabs.asked] == ["subscribe", "unsubscribe"]
    assert tabs.asked[-1][2]["params"] == number
    tabs.wallets.told(number, json.dumps({"word": "accounts"}))
    tabs.wallets.tab_gone("a")
    assert told == []


async def test_question_that_was_cancelled_ignores_its_answer() -> None:
    tabs = Tabs()
    calling = asyncio.ensure_future(tabs.wallets.of("a").call("unisat", "getAccounts", []))
    await asyncio.sleep(0)
    calling.cancel()
    await asyncio.sleep(0)
    tabs.answer({"value": []})
    tabs.wallets.tab_gone("a")
    assert calling.cancelled()


async def test_answer_that_is_too_large_is_a_failure_of_the_wallet() -> None:
    tabs = Tabs()
    calling = asyncio.ensure_future(tabs.wallets.of("a").call("unisat", "getAccounts", []))
    await asyncio.sleep(0)
    tabs.answer({"large": True})
    with pytest.raises(WalletFailed):
        await calling
