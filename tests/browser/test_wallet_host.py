"""Wallet extensions and locks in a real page: scripted extensions are the outside world, everything else is ours."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from darkswap_browser.testing.conformance import check_locks
from tests.support.chrome import Chrome, Page
from web.build.server import WebServer

pytestmark = pytest.mark.takes(30)

INSTALL = 'const { install } = await import(new URL("/tests/wallets.mjs", location.href));'
CALL = """
from darkswap_browser.errors import DarkSwapError
async def call(provider, method, params, wallets=wallets):
    try:
        return await wallets.call(provider, method, params)
    except DarkSwapError as error:
        return [error.code, str(error)]
"""

# The same wallets asked as those of another tab.
THERE = """
from darkswap_browser.bridge.tab_wallets import WalletTabs
tabs = WalletTabs(lambda tab, number, text: asker.ask(number, text))
asker = make_asker(create_proxy(tabs.told))
there = tabs.of("there")
"""
MAKE_ASKER = """await pyodide.loadPackage("darkswap_browser_trade", { messageCallback: () => {} });
const { TabWallets } = await import(new URL("/api/tab_wallets.mjs", location.href));
const make = (told) => new TabWallets((number, text) => told(number, text), () => {});
pyodide.globals.set("make_asker", make);
pyodide.globals.set("create_proxy", pyodide.pyimport("pyodide.ffi").create_proxy);"""


@pytest.fixture(scope="module")
def page(chrome: Chrome, site: WebServer) -> Iterator[Page]:
    page = chrome.new_page(site.url).open("/blank.html").load_python()
    page.run_python("from darkswap_browser.runtime.select import load; wallets = load().wallet_providers" + CALL)
    page.run_js(INSTALL + 'install(); await pyodide.loadPackage("embit", { messageCallback: () => {} });')
    page.run_js(MAKE_ASKER)
    page.run_python(THERE)
    for wallets in ("wallets", "there"):
        assert sorted(page.run_python(f"await {wallets}.discover()")) == [
            "leather",
            "okx",
            "okx-signet",
            "sats-connect:other.wallet",
            "standard:Page Wallet",
            "unisat",
            "xverse",
        ]
    yield page
    page.close()


@pytest.fixture(params=["wallets", "there"], ids=["here", "in another tab"])
def wallets(request: pytest.FixtureRequest) -> str:
    """Name of the `WalletProviders` in the page's Python."""
    return str(request.param)


def asked(page: Page, wallet: str) -> list[Any]:
    """What was asked of one wallet since the last question about it."""
    rows = page.run_js(
        """const rows = window.asked.filter(([name]) => name === args[0]);
        for (const row of rows) window.asked.splice(window.asked.indexOf(row), 1);
        return rows.map(([, ...rest]) => rest);""",
        wallet,
    )
    assert isinstance(rows, list)
    return rows


def call(page: Page, provider: str, method: str, params: str, wallets: str = "wallets") -> Any:
    return page.run_python(f"await call({provider!r}, {method!r}, {params}, {wallets})")


LATE = """
import asyncio
from darkswap_browser.runtime.select import load
wallets = load().wallet_providers
told, all_told = [], asyncio.Event()
def discovered(name):
    told.append(name)
    if {"unisat", "standard:Page Wallet"} <= set(told):
        all_told.set()
end = wallets.subscribe_discovered(discovered)
"""


def test_discover_answers_at_once_and_later_wallets_are_published(new_page: Callable[[], Page]) -> None:
    page = new_page().load_python()
    page.run_python(LATE)
    page.run_js(INSTALL + "setTimeout(install, 1200);")
    page.run_python("import time; before = time.monotonic(); found = await wallets.discover()")
    assert page.run_python("list(found)") == []
    assert page.run_python("time.monotonic() - before") < 1
    page.run_python("await asyncio.wait_for(all_told.wait(), 20)")
    told = page.run_python("list(told)")
    assert sorted(told) == page.run_python("sorted(await wallets.discover())")
    assert {"unisat", "xverse", "leather", "standard:Page Wallet"} <= set(told)
    page.run_python("wallets.close()")
    assert page.run_python("[t.get_name() for t in asyncio.all_tasks() if t.get_name() == 'wallet discovery']") == []


def test_wallet_that_is_there_is_returned_and_not_published(new_page: Callable[[], Page]) -> None:
    page = new_page().load_python()
    page.run_js(INSTALL + "install();")
    page.run_python(LATE + CALL)
    connected = call(page, "standard:Page Wallet", "bitcoin:connect.connect", '{"purposes": ["ordinals"]}')
    assert connected["accounts"][0]["address"] == "bcrt1first"
    assert "unisat" in page.run_python("list(await wallets.discover())")
    page.run_js("window.tokeo = { bitcoin: {} };")
    assert "tokeo" in page.run_python("list(await wallets.discover())")
    assert page.run_python("await asyncio.sleep(0); list(told)") == ["tokeo"]
    page.run_python("end(); end()")
    page.run_js("window.wizz = {};")
    assert "wizz" in page.run_python("list(await wallets.discover())")
    assert page.run_python("await asyncio.sleep(0); list(told)") == ["tokeo"]


def test_page_without_wallets_says_so_at_once(new_page: Callable[[], Page]) -> None:
    page = new_page().load_python()
    page.run_python("from darkswap_browser.runtime.select import load; wallets = load().wallet_providers" + CALL)
    assert page.run_python("import time; before = time.monotonic(); list(await wallets.discover())") == []
    assert page.run_python("time.monotonic() - before") < 1
    assert call(page, "unisat", "getAccounts", "[]")[0] == "UNSUPPORTED"
    assert call(page, "standard:X", "a.b", "{}")[0] == "UNSUPPORTED"


def test_options_arrive_as_plain_objects(page: Page, wallets: str) -> None:
    options = "{'autoFinalized': False, 'toSignInputs': [{'index': 1, 'address': 'a'}]}"
    assert call(page, "unisat", "signPsbt", f"['70', {options}]", wallets) == "aa70"
    assert asked(page, "unisat") == [
        ["signPsbt", ["70", {"autoFinalized": False, "toSignInputs": [{"index": 1, "address": "a"}]}]]
    ]
    assert call(page, "xverse", "signPsbt", "{'psbt': 'cA==', 'signInputs': {'a': [0, 2]}}", wallets) == {
        "psbt": "cA=="
    }
    assert asked(page, "xverse") == [["signPsbt", {"psbt": "cA==", "signInputs": {"a": [0, 2]}}]]
    assert call(page, "leather", "signPsbt", "{'hex': '70', 'signAtIndex': [1]}", wallets) == {"hex": "70"}
    assert asked(page, "leather") == [["signPsbt", {"hex": "70", "signAtIndex": [1]}]]
    assert call(page, "sats-connect:other.wallet", "signPsbt", "{'hex': '71'}", wallets) == {"hex": "71"}
    assert asked(page, "leather") == [["signPsbt", {"hex": "71"}]]


def test_answers_become_plain_values(page: Page, wallets: str) -> None:
    assert call(page, "unisat", "requestAccounts", "[]", wallets) == ["tb1pfirst"]
    assert call(page, "unisat", "getChain", "[]")["enum"] == "BITCOIN_SIGNET"
    assert call(page, "unisat", "nothing", "[]") is None
    assert page.run_python(f"type(await call('unisat', 'getChain', [], {wallets})).__name__") == "dict"
    asked(page, "unisat")


@pytest.mark.parametrize(
    ("provider", "method", "code"),
    [
        ("unisat", "signMessage", "USER_REJECTED"),
        ("unisat", "getInscriptions", "USER_REJECTED"),
        ("unisat", "getBalanceV2", "WALLET_FAILED"),
        ("unisat", "noSuchMethod", "UNSUPPORTED"),
        ("unisat", "getBitcoinUtxos", "WALLET_FAILED"),
        ("unisat", "getVersion", "WALLET_FAILED"),
        ("okx", "requestAccounts", "UNSUPPORTED"),
        ("xverse", "refuse", "USER_REJECTED"),
        ("xverse", "noSuchMethod", "UNSUPPORTED"),
        ("leather", "refuse", "USER_REJECTED"),
        ("standard:Page Wallet", "bitcoin:signMessage.signMessage", "UNSUPPORTED"),
        ("standard:Page Wallet", "bitcoin:connect.other", "UNSUPPORTED"),
        ("tokeo", "getAccounts", "UNSUPPORTED"),
        ("sats-connect:missing.wallet", "getAccounts", "UNSUPPORTED"),
        ("sats-connect:document", "getAccounts", "UNSUPPORTED"),
    ],
)
def test_errors_are_told_apart(page: Page, wallets: str, provider: str, method: str, code: str) -> None:
    params = "[]" if provider in ("unisat", "okx", "tokeo") else "{}"
    assert call(page, provider, method, params, wallets)[0] == code


def test_a_standard_wallet_gets_its_own_account_back(page: Page, wallets: str) -> None:
    name = "standard:Page Wallet"
    connected = page.run_python(
        f"""found = await call({name!r}, "bitcoin:connect.connect", {{"purposes": ["ordinals"]}}, {wallets})
account = found["accounts"][0]
account["address"], type(account["publicKey"]).__name__, len(account["publicKey"]), account["chains"]"""
    )
    assert connected == ["bcrt1first", "bytes", 33, ["bitcoin:regtest"]]
    signed = page.run_python(
        f"""found = await call({name!r}, "bitcoin:signTransaction.signTransaction",
    {{"psbt": b"psbt", "inputsToSign": [{{"account": "bcrt1first", "signingIndexes": [0]}}]}}, {wallets})
found == [{{"signedPsbt": b"psbt"}}]"""
    )
    assert signed is True
    assert asked(page, "standard") == [
        ["connect", {"purposes": ["ordinals"]}],
        [
            "signTransaction",
            {
                "psbt": "bytes 4",
                "inputsToSign": [{"account": "instance of StandardAccount", "signingIndexes": [0]}],
                "same": True,
            },
        ],
    ]


def test_changes_in_the_wallet_are_told_until_the_subscription_ends(page: Page, wallets: str) -> None:
    page.run_python(
        f"""told = []
ends = [{wallets}.subscribe(name, lambda word, name=name: told.append(name + " " + word))
        for name in ("unisat", "xverse", "leather", "standard:Page Wallet")]"""
    )
    tell = """unisat.tell("accountsChanged", ["tb1pother"]); unisat.tell("chainChanged", { enum: "X" });
    XverseProviders.BitcoinProvider.listeners.accountChange?.({ type: "accountChange" });
    XverseProviders.BitcoinProvider.listeners.disconnect?.();
    standardWallet.listeners.forEach((callback) => callback({ accounts: [] }));"""
    page.run_js(tell)
    expected = [
        "unisat accounts",
        "unisat network",
        "xverse accounts",
        "xverse disconnect",
        "standard:Page Wallet accounts",
    ]
    assert page.run_python("list(told)") == expected
    page.run_python("for end in ends: end(); end()")
    page.run_js(tell)
    assert page.run_python("list(told)") == expected
    assert all(removed for _, (_, removed) in asked(page, "unisat"))


def test_a_whole_wallet_in_the_page_connects_by_its_answers(page: Page) -> None:
    """The adapter over the page's objects: what it says of an address that is none."""
    assert page.run_python(
        """from darkswap_browser.wallets.connect import available, connect
try:
    await connect("unisat", "signet", wallets)
except DarkSwapError as error:
    found = error.code
found, "unisat" in await available(wallets)"""
    ) == ["WALLET_FAILED", True]


@pytest.fixture(scope="module")
def tabs(chrome: Chrome, site: WebServer) -> Iterator[tuple[Page, Page]]:
    one = chrome.new_page(site.url).open("/blank.html").load_python()
    two = chrome.new_page(site.url, share_with=one).open("/blank.html").load_python()
    for page in (one, two):
        page.run_js(
            "pyodide.FS.writeFile(args[0], args[1]);",
            "/home/pyodide/check_locks.py",
            Path(check_locks.__file__).read_text(),
        )
        page.run_python("import check_locks; from darkswap_browser.runtime.select import load; locks = load().locks")
    yield one, two
    two.close()
    one.close()


@pytest.mark.parametrize("check", [check.__name__ for check in check_locks.CHECKS])
def test_locks_of_a_page(tabs: tuple[Page, Page], check: str) -> None:
    tabs[0].run_python(f"await check_locks.{check}(locks, load().locks)")


def test_a_lock_is_one_for_all_tabs_and_free_when_its_tab_is_gone(tabs: tuple[Page, Page]) -> None:
    one, two = tabs
    one.run_python(
        """import asyncio
entered = asyncio.Event()
async def stay():
    async with locks.hold("tabs"):
        entered.set()
        await asyncio.Event().wait()
staying = asyncio.ensure_future(stay())
await entered.wait()"""
    )
    two.run_python(
        """import asyncio
state = "waiting"
async def wait():
    global state
    async with locks.hold("tabs"):
        state = "held"
waiting = asyncio.ensure_future(wait())
await asyncio.sleep(0.3)"""
    )
    assert two.run_python("state") == "waiting"
    one.open("/blank.html")
    assert two.run_python("await waiting; state") == "held"


def test_a_page_without_web_locks_locks_within_itself(page: Page) -> None:
    path = Path(check_locks.__file__)
    page.run_js("pyodide.FS.writeFile(args[0], args[1]);", f"/home/pyodide/{path.name}", path.read_text())
    page.run_js('Object.defineProperty(navigator, "locks", { value: undefined, configurable: true });')
    page.run_python(
        """import check_locks
own = load().locks
for check in check_locks.CHECKS:
    await check(own, own)"""
    )
    page.run_js("delete navigator.locks;")
