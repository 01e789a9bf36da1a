"""Trading through DarkSwapWasm without our page: two blank pages, and a peer on CPython, trade with each other."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.browser.face import OpenPage, Relay
from tests.browser.tab_wallet import KIND, UNTIL, TabWallet, WalletTabs
from tests.interop.processes import our_relay
from tests.support.chrome import Chrome
from tests.support.headless import Headless, headless
from tests.support.regtest import RegtestProcess
from web.build.server import WebServer

pytestmark = pytest.mark.takes(30)

TYPES = Path(__file__).resolve().parents[2] / "web" / "src" / "api" / "darkswap.d.ts"
ALKANE = "ALKANE:2:0"
# What a page does to be told when a trade is somewhere.
REACHES = """const reaches = (id, phase) => new Promise((resolve, reject) => {
  const look = async () => {
    const trade = await node.get_trade(id);
    if (trade.phase === phase) { end(); resolve(trade); }
    else if (["failed", "canceled"].includes(trade.status)) { end(); reject(new Error(JSON.stringify(trade.reason))); }
  };
  const end = node.on_event((event) => { if (event.trade_id === id) look(); });
  look();
});
"""


@dataclass
class Floor:
    chain: RegtestProcess
    relay: Relay
    maker: OpenPage
    taker: OpenPage
    dark: str
    """A rune that the maker has 1000 of, with two decimals."""

    def give(self, page: OpenPage, *assets: str) -> None:
        for asset in assets:
            purpose = "payment" if asset == "BTC" else "assets"
            self.chain.faucet(page.run("return await node.get_address(args[0])", purpose), asset)

    def order(self, amount: str = "10") -> str:
        """Its text."""
        draft = {"base_asset": self.dark, "quote_asset": "BTC", "side": "sell", "amount": amount, "price": "0.000005"}
        return str(self.maker.run("return (await node.create_order(args[0])).text", draft))


@pytest.fixture(scope="module")
def floor(chrome: Chrome, site: WebServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Floor]:
    with our_relay() as address, RegtestProcess(tmp_path_factory.mktemp("chain")) as chain:
        relay = Relay(address)
        pages = [OpenPage(chrome.new_page(site.url).open("/blank.html")) for _ in range(2)]
        for page in pages:
            page.loaded(network={"relays": [address]}, **chain.config).node(relay)
            page.run("globalThis.told = []; node.on_event((event) => told.push(event));")
            page.run('await node.connect_wallet({ type: "seed" })', timeout=60)
        dark = next(str(each["asset"]) for each in chain.assets if each["name"] == "DARK•TEST•COINS")
        found = Floor(chain, relay, *pages, dark)
        found.give(pages[0], "BTC", dark, ALKANE)
        found.give(pages[1], "BTC")
        yield found
        for page in pages:
            page.page.close()


@pytest.fixture(scope="module")
def other(floor: Floor) -> Iterator[Headless]:
    with headless(floor.chain, floor.relay.address) as peer:
        yield peer


def test_a_wallet_tells_itself_in_plain_values(floor: Floor) -> None:
    told = floor.maker.run(
        """const words = await node.export_mnemonic();
        if (words !== (await node.export_mnemonic(""))) throw new Error("the same empty passphrase");
        const [bitcoin, ...others] = await node.get_balances();
        const types = (object) => Object.fromEntries(Object.entries(object).map(([key, value]) => [key, typeof value]));
        return {
          kinds: await node.get_available_wallets({ timeout_ms: 5000 }), info: await node.get_wallet_info(),
          connected: await node.is_wallet_connected(), words: words.split(" ").length,
          addresses: [await node.get_address(), await node.get_address("payment", { timeout_ms: 5000 })],
          proof: await node.sign_message("mine"), bitcoin, types: types(bitcoin),
          assets: others.map(({ asset, available, available_atoms }) => [asset, available, available_atoms]),
          event: told.find((event) => event.type === "wallet_connected")?.wallet.address,
        };"""
    )
    assert told["kinds"] == ["seed"] and told["connected"] is True and told["words"] == 12
    assert told["addresses"] == [told["info"]["address"], told["info"]["payment_address"]]
    assert told["event"] == told["info"]["address"]
    assert len(told["proof"]) > 80
    assert (told["bitcoin"]["asset"], told["bitcoin"]["available"]) == ("BTC", "0.001")
    assert told["bitcoin"]["available_atoms"] == 100_000
    wanted = {name: "bigint" for name in told["types"] if name.endswith("atoms")}
    assert wanted.items() <= told["types"].items() and len(wanted) == 5
    assert [floor.dark, "1000", 100_000] in told["assets"]


def test_a_coin_is_kept_and_let_go(floor: Floor) -> None:
    states = floor.maker.run(
        """const coin = (await node.get_coins()).find((one) => one.assets.some(({ asset }) => asset === args[0]));
        const now = async () => (await node.get_coins()).find((one) => one.outpoint === coin.outpoint);
        await node.freeze_coin(coin.outpoint, true);
        const kept = await now();
        await node.freeze_coin(coin.outpoint, false);
        return [typeof coin.sats, coin.assets[0].atoms, kept.state, kept.reserved_by, (await now()).state];""",
        floor.dark,
    )
    assert states == ["bigint", 100_000, "reserved", "frozen", "confirmed"]


def test_assets_are_found_by_id_and_by_name(floor: Floor) -> None:
    found = floor.taker.run(
        """const rune = await node.get_rune_info(args[0].slice(5));
        return [rune, (await node.get_rune_info("DARKTESTCOINS")).asset, (await node.get_alkane_info("2:0")).name,
          await node.get_rune_info("840000:1"), typeof rune.supply_atoms];""",
        floor.dark,
    )
    rune, by_name, alkane, nothing, kind = found
    assert (rune["name"], rune["decimals"], by_name, alkane) == ("DARK•TEST•COINS", 2, floor.dark, "TEST DIESEL")
    assert nothing is None and kind == "bigint"


def test_an_order_is_judged_made_changed_and_cancelled(floor: Floor) -> None:
    told = floor.maker.run(
        """const [rune] = args;
        const draft = { base_asset: rune, quote_asset: "BTC", side: "sell", amount: "100.5", price: "0.000005" };
        const check = await node.check_order(draft);
        const poor = await node.check_order({ ...draft, amount: "1000000" });
        const id = rune.slice(5);
        const positional = ["rune", id, "btc", "", "sell", "100.5", "0.000005", 600];
        const old = await node.create_order(...positional, { timeout_ms: 20000 });
        const dearer = await node.update_order(old.id, { price: "0.00001" });
        const paused = await node.update_order(old.id, { paused: true }, { timeout_ms: 20000 });
        const known = (await node.get_orders()).some((one) => one.id === old.id);
        const same = await node.get_order(old.id);
        const gone = await node.cancel_order(old.id);
        const kinds = () => told.filter((event) => event.order_id === old.id).map((event) => event.type);
        while (kinds().at(-1) !== "order_canceled") await new Promise((resolve) => setTimeout(resolve));
        const life = old.expires_at - old.created_at;
        return { check, poor, old, dearer, paused, known, same, gone, kinds: kinds(), life };""",
        floor.dark,
        timeout=60,
    )
    assert told["check"]["ok"] and told["check"]["total"] == "0.0005025"
    assert told["check"]["quote_atoms"] == 50_250 and told["check"]["fee_sats"] > 0
    assert [each["field"] for each in told["poor"]["problems"]] == ["amount"]
    assert (told["old"]["base_atoms"], told["old"]["quote_atoms"]) == (10_050, 50_250)
    assert told["old"]["text"].startswith("darkswap:1") and told["old"]["is_local"] and told["life"] == 600
    assert told["old"]["max_fee_sats"] >= 5_025 and told["old"]["signing_seconds"] == 60
    assert told["dearer"]["total"] == "0.001005"
    assert told["old"]["created_at"] == told["old"]["seq"] < told["dearer"]["seq"] < told["same"]["seq"]
    assert (told["paused"]["status"], told["known"]) == ("paused", True)
    assert told["gone"]["status"] == "canceled" and not told["gone"]["is_active"]
    assert told["kinds"] == ["order_created", "order_updated", "order_updated", "order_canceled"]


def test_two_pages_settle_a_trade(floor: Floor) -> None:
    text = floor.order()
    sent = floor.taker.run(
        REACHES
        + """const order = await node.import_order(`https://example.org/#order=${args[0]}`);
        const trade = await node.take_order(order.id, null, { review: true, fee_rate: 2, timeout_ms: 30000 });
        const seen = await reaches(trade.id, "reviewing");
        await node.confirm_trade(trade.id, { timeout_ms: 20000 });
        return { order, trade, effect: seen.effect, txid: (await reaches(trade.id, "pending")).txid };""",
        text,
        timeout=60,
    )
    floor.chain.mine_with(sent["txid"])
    ended, kinds, count = floor.taker.run(
        """const ended = await node.wait_for_trade(args[0]);
        const isTold = (event) => event.trade_id === ended.id && event.type === "trade_completed";
        // The reply may come before the event, whose record is made of what the chain tells.
        while (!told.some(isTold)) await new Promise((resolve) => setTimeout(resolve, 20));
        const kinds = told.filter((event) => event.trade_id === ended.id).map((event) => event.type);
        return [ended, kinds, (await node.get_trades()).length];""",
        sent["trade"]["id"],
    )
    assert sent["order"]["funded"] is True and not sent["order"]["is_local"]
    assert (sent["trade"]["role"], sent["trade"]["status"], sent["trade"]["base_atoms"]) == (
        "taker",
        "pending",
        1000,
    )
    gets, gives = sent["effect"]["gets"], sent["effect"]["gives"]
    assert [(each["asset"], each["amount"], each["atoms"]) for each in gets] == [(floor.dark, "10", 1000)]
    assert [(each["asset"], each["amount"], each["atoms"]) for each in gives] == [("BTC", "0.00005", 5000)]
    assert sent["effect"]["fee_sats"] > 200
    assert (ended["status"], ended["state"]) == ("completed", "Completed")
    assert kinds[0] == "trade_created" and kinds[-1] == "trade_completed"
    assert count == 1
    assert floor.chain.get(f"/api/tx/{ended['txid']}/status")["confirmed"]
    made = floor.maker.run("return await node.wait_for_trade(args[0], { timeout_ms: 20000 })", sent["trade"]["id"])
    assert (made["role"], made["status"], made["txid"]) == ("maker", "completed", ended["txid"])


def test_every_record_has_the_fields_that_are_declared(floor: Floor) -> None:
    """After a trade: each kind of record is there by then."""
    declared = TYPES.read_text()
    records = floor.taker.run(
        """const { text, ...order } = (await node.get_orders())[0];
        const [base_asset, quote_asset] = [order.base_asset, order.quote_asset];
        const draft = { base_asset, quote_asset, side: "buy", amount: "1", price: "0.00001" };
        return {
          WalletInfo: await node.get_wallet_info(), Balance: (await node.get_balances())[0],
          Coin: (await node.get_coins())[0], Order: { text, ...order }, AssetInfo: order.base,
          OrderCheck: await node.check_order(draft), Trade: (await node.get_trades()).at(-1),
        };"""
    )
    for name, record in records.items():
        body = re.search(rf"^export interface {name} \{{$(.*?)^\}}", declared, re.S | re.M)
        assert body, name
        fields = re.findall(r"^  (\w+)(\??):", body.group(1), re.M)
        needed = {field for field, optional in fields if not optional}
        assert needed <= set(record) <= {field for field, _ in fields}, name


def test_a_trade_is_cancelled_with_a_word(floor: Floor) -> None:
    trade = floor.taker.run(
        REACHES
        + """const order = await node.import_order(args[0]);
        const trade = await node.take_order(order.id, { review: true });
        await reaches(trade.id, "reviewing");
        return await node.cancel_trade(trade.id, "I changed my mind");""",
        floor.order(),
    )
    assert (trade["status"], trade["reason"]["code"]) == ("canceled", "USER_REJECTED")
    heard = floor.maker.run("return await node.wait_for_trade(args[0])", trade["id"])
    assert heard["status"] == "canceled" and "I changed my mind" in heard["reason"]["message"]


@pytest.mark.parametrize(
    ("call", "code"),
    [
        ('node.connect_wallet({ type: "seed", colour: "red" })', "INVALID_ARGUMENT"),
        ('node.connect_wallet("seed")', "INVALID_ARGUMENT"),
        ('node.connect_wallet({ type: "unisat" })', "UNSUPPORTED"),
        ("node.get_balances({ timeout_ms: -1 })", "INVALID_ARGUMENT"),
        ("node.get_balances({ signal: AbortSignal.abort() })", "ABORTED"),
        ("node.get_coins({ timeout_ms: 1 })", "TIMEOUT"),
        ('node.freeze_coin("nothing", true)', "INVALID_ARGUMENT"),
        ('node.freeze_coin(`${"0".repeat(64)}:0`, "yes")', "INVALID_ARGUMENT"),
        ('node.get_address("somewhere")', "INVALID_ARGUMENT"),
        ('node.get_address("")', "INVALID_ARGUMENT"),
        ('node.create_order({ base_asset: "BTC" })', "INVALID_ARGUMENT"),
        ('node.create_order("rune", "1:1", "btc", "", "sell", 5, "1")', "INVALID_ARGUMENT"),
        ('node.update_order("00", { paused: true })', "ORDER_NOT_FOUND"),
        ('node.cancel_order("00")', "ORDER_NOT_FOUND"),
        ('node.import_order("no order at all")', "INVALID_ORDER"),
        ('node.take_order("00")', "ORDER_NOT_FOUND"),
        ('node.take_order("00", "1", { review: "yes" })', "INVALID_ARGUMENT"),
        ('node.confirm_trade("00")', "TRADE_NOT_FOUND"),
        ('node.cancel_trade("00")', "TRADE_NOT_FOUND"),
        ('node.revoke_trade("00")', "TRADE_NOT_FOUND"),
        ('node.wait_for_trade("00", { timeout_ms: 500 })', "TRADE_NOT_FOUND"),
        ('node.get_rune_info("")', "INVALID_ARGUMENT"),
    ],
)
def test_a_bad_call_fails_with_its_code(floor: Floor, call: str, code: str) -> None:
    error = floor.taker.run(
        f"""try {{ await {call}; return null; }}
        catch (error) {{ return [error instanceof lib.DarkSwapError, error.code, error.message, error.hint]; }}"""
    )
    assert error is not None and error[:2] == [True, code], error
    assert error[2] and error[3] and "Traceback" not in error[2]


def test_what_is_not_known_is_null_and_a_closed_wallet_says_so(floor: Floor) -> None:
    told = floor.taker.run(
        """const code = (error) => error.code;
        const unknown = [await node.get_order("00"), await node.get_trade("00"), await node.get_rune_info("1:1"),
          await node.get_alkane_info("9:9")].map((one) => one === null);
        await node.disconnect_wallet();
        const closed = [
          await node.is_wallet_connected(), await node.get_wallet_info(), await node.get_balances().catch(code),
          await node.sign_message("x").catch(code), await node.export_mnemonic().catch(code)];
        await node.connect_wallet({ type: "seed" });
        return [unknown, closed, told.some((event) => event.type === "wallet_disconnected")];"""
    )
    assert told == [[True] * 4, [False, None, *["WALLET_NOT_CONNECTED"] * 3], True]


def test_a_page_buys_from_a_peer_on_cpython(floor: Floor, other: Headless) -> None:
    node = other.node
    for purpose, asset in (("payment", "BTC"), ("assets", ALKANE)):
        floor.chain.faucet(other.do(node.get_address(purpose)), asset)
    draft = {"base_asset": ALKANE, "quote_asset": "BTC", "side": "sell", "amount": "2", "total": "0.0002"}
    order = other.do(node.create_order(draft))
    trade = floor.taker.run(
        REACHES
        + """const order = await node.import_order(args[0]);
        const trade = await node.take_order(order.id);
        return await reaches(trade.id, "pending");""",
        order.text,
    )
    floor.chain.mine_with(trade["txid"])
    ended = floor.taker.run("return await node.wait_for_trade(args[0])", trade["id"])
    sold = other.do(node.wait_for_trade(trade["id"]))
    assert (ended["status"], sold.status, sold.txid) == ("completed", "completed", ended["txid"])


def test_a_peer_on_cpython_buys_from_a_page(floor: Floor, other: Headless) -> None:
    node = other.node
    floor.chain.faucet(other.do(node.get_address("payment")), "BTC")
    order = other.do(node.import_order(floor.order("5")))
    trade = other.do(node.take_order(order.id))
    txid = floor.maker.run(REACHES + 'return (await reaches(args[0], "pending")).txid', trade.id)
    floor.chain.mine_with(txid)
    bought = other.do(node.wait_for_trade(trade.id))
    assert (bought.status, bought.txid) == ("completed", txid)
    assert floor.maker.run("return (await node.wait_for_trade(args[0])).status", trade.id) == "completed"
    assert next(each.atoms for each in other.do(node.get_balances()) if each.asset == floor.dark) == 500


# --- wallets of other tabs


@pytest.fixture
def tabs(chrome: Chrome, site: WebServer, floor: Floor) -> Iterator[WalletTabs]:
    config = {"identity": {"name": "node"}, "network": {"relays": [floor.relay.address]}, **floor.chain.config}
    found = WalletTabs(chrome, site, floor.taker, config)
    yield found
    found.close()


TAKE = """const order = await node.import_order(args[0]);
return await node.take_order(order.id, null, { review: true, fee_rate: 2, timeout_ms: 30000 });"""
CONFIRM = REACHES + 'await reaches(args[0], "reviewing"); await node.confirm_trade(args[0]);'


def _take(wallet: TabWallet, floor: Floor) -> str:
    """Takes an order and confirms; the wallet has proved its coins, and will be asked to sign. The trade's id."""
    trade = wallet.answer_all(wallet.tab.page.start(TAKE, floor.order()), "signMessage")
    wallet.tab.run(CONFIRM, trade["id"])
    return str(trade["id"])


def _settles(floor: Floor, trade_id: str) -> None:
    txid = floor.taker.run(REACHES + 'return (await reaches(args[0], "pending")).txid', trade_id)
    floor.chain.mine_with(txid)
    for page in (floor.taker, floor.maker):
        assert page.run("return (await node.wait_for_trade(args[0])).status", trade_id) == "completed"


def test_extension_of_another_tab_trades_there(floor: Floor, tabs: WalletTabs) -> None:
    wallet = tabs.add()
    kinds = "return await node.get_available_wallets()"
    assert (wallet.tab.run(kinds), floor.taker.run(kinds)) == (["seed", KIND], ["seed"])
    assert (
        floor.taker.run("return await node.connect_wallet({ type: args[0] }).catch(({ code }) => code)", KIND)
        == "UNSUPPORTED"
    )
    info = wallet.connect()
    assert (info["type"], info["address"], info["payment_address"]) == (KIND, *wallet.addresses)
    floor.chain.faucet(info["payment_address"], "BTC")
    floor.chain.faucet(info["payment_address"], "BTC")
    trade_id = _take(wallet, floor)
    assert wallet.answer().endswith("signTransaction")
    _settles(floor, trade_id)
    floor.taker.run("await node.disconnect_wallet()")
    wallet.tab.run('await until(() => told.some(({ type }) => type === "wallet_disconnected"))')


def test_trade_waits_while_the_tab_with_the_wallet_is_gone(floor: Floor, tabs: WalletTabs) -> None:
    wallet = tabs.add()
    wallet.connect()
    floor.taker.run("told.length = 0")
    trade_id = _take(wallet, floor)
    method, asked = wallet.question()
    tabs.drop(wallet)
    gone = floor.taker.run(
        UNTIL
        + """const gone = () => told.find(({ type }) => type === "wallet_disconnected");
        await until(gone);
        return [gone().reason, await node.is_wallet_connected(), (await node.get_trade(args[0])).phase];""",
        trade_id,
    )
    assert gone == ["The tab with the wallet is gone.", False, "signing"]
    wallet = tabs.add()
    wallet.connect()
    again, the_same = wallet.question()
    assert (again, the_same["psbt"]) == (method, asked["psbt"])
    wallet.answer()
    _settles(floor, trade_id)
