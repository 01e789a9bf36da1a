"""Tabs with a wallet extension that really signs: its keys are this process's, which answers what the tab was asked."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from tests.browser.face import OpenPage
from tests.support.chrome import Chrome
from tests.support.scripted_page import ScriptJob
from tests.support.scripted_wallet import Keys, StandardExtension, accounts_of
from web.build.server import WebServer

KIND = "standard:Tab Wallet"
# Features of wallet-standard; each question waits in `questions` until it is answered.
INSTALL = """
globalThis.questions = [];
const ask = (method) => (params) => new Promise((resolve) => { questions.push([method, params, resolve]); });
const feature = (name, method) => [`bitcoin:${name}`, { version: "1.0.0", [method]: ask(`bitcoin:${name}.${method}`) }];
const features = Object.fromEntries([
  feature("connect", "connect"), feature("signTransaction", "signTransaction"), feature("signMessage", "signMessage"),
]);
const register = (api) => api.register({ name: "Tab Wallet", version: "1.0.0", features });
addEventListener("wallet-standard:app-ready", ({ detail }) => register(detail));
"""
ASKED = """await until(() => questions.length > 0);
const plain = (key, value) => {
  // It gets back the account objects that it gave.
  if (key === "account") return value.address;
  return value instanceof Uint8Array ? { $bytes: [...value] } : value;
};
return JSON.parse(JSON.stringify(questions[0].slice(0, 2), plain));"""
ANSWER = """const bytes = (hex) => Uint8Array.from(hex.match(/../g), (pair) => parseInt(pair, 16));
const revive = (key, value) => (value?.$hex === undefined ? value : bytes(value.$hex));
questions.shift()[2](JSON.parse(args[0], revive));"""
OPEN = """globalThis.node = new lib.DarkSwapWasm({ identity: { name: "node" } });
globalThis.told = [];
node.on_event((event) => told.push(event));
if (pyodide !== null) throw new Error("no tab but the first loads Python");"""
UNTIL = """globalThis.until = async (condition, limit = 20000) => {
  for (const end = Date.now() + limit; !condition();) {
    if (Date.now() > end) throw new Error(`never: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
};
"""


class TabWallet:
    """Of one tab: `serve` answers its questions until a job of the tab has ended."""

    def __init__(self, tab: OpenPage) -> None:
        self.tab = tab
        accounts = accounts_of("regtest")
        self.addresses = (accounts[0].address, accounts[1].address)
        self.extension = StandardExtension(Keys("regtest"), self.addresses)
        tab.run(UNTIL + INSTALL)

    def question(self) -> tuple[str, Any]:
        """What it is asked next: feature and function, and the parameters."""
        method, params = self.tab.run(ASKED)
        return str(method), params

    def answer(self) -> str:
        """Answers one question; returns what was asked."""
        method, params = self.question()
        answer = asyncio.run(self.extension(method, params))
        self.tab.run(ANSWER, _json(answer))
        return method

    def answer_all(self, job: ScriptJob, *expected: str) -> Any:
        """The value of `job`, in the middle of which the wallet is asked for `expected`."""
        for method in expected:
            assert self.answer().endswith(method)
        return job.wait()

    def connect(self) -> dict[str, Any]:
        job = self.tab.page.start("return await node.connect_wallet({ type: args[0] })", KIND)
        return dict(self.answer_all(job, "connect"))


def _json(value: Any) -> str:
    return json.dumps(value, default=lambda each: {"$hex": bytes(each).hex()})


class WalletTabs:
    """Tabs beside `first`, which runs the node that they use; each has an extension of its own."""

    def __init__(self, chrome: Chrome, site: WebServer, first: OpenPage, config: dict[str, Any]) -> None:
        self._chrome = chrome
        self._site = site
        self._first = first
        self._config = config
        self._open: list[TabWallet] = []

    def add(self) -> TabWallet:
        page = self._chrome.new_page(self._site.url, share_with=self._first.page).open("/blank.html")
        wallet = TabWallet(OpenPage(page).loaded(**self._config))
        wallet.tab.run(OPEN)
        self._open.append(wallet)
        return wallet

    def drop(self, wallet: TabWallet) -> None:
        self._open.remove(wallet)
        wallet.tab.page.close()

    def close(self) -> None:
        for wallet in list(self._open):
            self.drop(wallet)
