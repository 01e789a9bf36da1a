"""`darkswap` as processes: a maker without a page, takers, and what happens when one of them is ended."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import tomllib
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from darkswap_browser.cli.command import main
from tests.cli.programs import ROOT, Event, Person, command, environment
from tests.interop.processes import our_relay
from tests.support.regtest import RegtestProcess

pytestmark = [pytest.mark.native, pytest.mark.takes(45)]
WORDS = "abandon " * 11 + "about"
PAGE = "https://example.org/"


class Table:
    """A chain, a relay, a maker who has a rune, and a taker who has bitcoin."""

    def __init__(self, folder: Path, chain: RegtestProcess, relay: str) -> None:
        self.chain = chain
        self.relay = relay
        config = folder / "config.json"
        # The form in which a page is told of them.
        config.write_text(json.dumps({"relays": [relay], "network": {}, **chain.page_config}))
        self.maker, self.taker = Person(folder / "maker", config), Person(folder / "taker", config)
        made, took = self.maker.ask("wallet", "create"), self.taker.ask("wallet", "create")
        rune = self.maker.ask("wallet", "faucet", "DARK•TEST•COINS")["asset"]
        assert rune.startswith("RUNE:")
        chain.faucet(made["payment_address"])
        chain.faucet(took["payment_address"])

    def held(self, who: Person, asset: str) -> str:
        balances = {each["name"]: each for each in who.ask("wallet", "show")["balances"]}
        return str(balances[asset]["available"])


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Table]:
    folder = tmp_path_factory.mktemp("cli")
    with ExitStack() as stack:
        chain = stack.enter_context(RegtestProcess(folder / "chain"))
        yield Table(folder, chain, stack.enter_context(our_relay()))


def sell(amount: str) -> list[str]:
    return ["order", "sell", amount, "DARKTESTCOINS", "for", "BTC", "--price", "0.000005", "--page", PAGE]


def test_a_maker_and_takers_trade_part_by_part_and_the_maker_may_come_back(table: Table) -> None:
    maker, taker, chain = table.maker, table.taker, table.chain
    with maker.start(*sell("100.5"), "--min", "10") as making:
        offered = making.event("order")
        order_id, link = offered["order"]["id"], offered["link"]
        assert link == f"{PAGE}#order={offered['order']['text']}" and offered["order"]["base_atoms"] == "10050"
        making.event("ready")
        with (
            maker.start("order", "cancel", order_id) as other,
            taker.start("take", link, "--amount", "50.25", "--yes") as taking,
        ):
            effect = taking.event("review")["trade"]["effect"]
            assert [each["amount"] for each in effect["gets"]] == ["50.25"] and int(effect["fee_sats"]) > 0
            chain.mine_with(taking.sent()["trade"]["txid"])
            ended = taking.event("ended")["trade"]
            assert (ended["status"], ended["role"], taking.ends()) == ("completed", "taker", 0)
            done = making.events("trade_completed", "order_filled")
            assert done["trade_completed"]["trade"]["txid"] == ended["txid"]
            # The coin that stood behind it is spent: it is renewed with another.
            making.until(lambda event: event["event"] == "order_updated" and event["order"]["seq"] > 0)
            assert other.event("error")["code"] == "IDENTITY_IN_USE" and other.ends() == 1
        assert making.end(signal.SIGTERM) == 0
        assert making.event("stopped")
    (kept,) = maker.ask("order", "list")
    assert (kept["id"], kept["remaining_amount"], kept["status"]) == (order_id, "50.25", "open")
    assert table.held(taker, "DARK•TEST•COINS") == "50.25"

    with maker.start("order", "serve") as serving:
        assert [each["id"] for each in serving.event("ready")["orders"]] == [order_id]
        # The first link is still good.
        with taker.start("take", link, "--amount", "20", "--yes", "--no-wait") as taking:
            trade = taking.event("ended")["trade"]
            assert (trade["status"], taking.ends()) == ("confirming", 0)
        chain.mine_with(trade["txid"])
        with taker.start("trades", "resume") as resuming:
            assert resuming.event("ready")["trades"] == [trade["id"]]
            assert (resuming.event("ended")["trade"]["status"], resuming.ends()) == ("completed", 0)
        serving.event("order_filled")
        assert serving.end(signal.SIGINT) == 0
    assert maker.ask("order", "show", order_id[:8])["remaining_amount"] == "30.25"
    assert [each["status"] for each in maker.ask("trades")] == ["completed", "completed"]
    assert maker.ask("order", "cancel", order_id[:8])["status"] == "canceled"

    gone = taker.run("take", link, "--amount", "20")
    assert gone.returncode == 1 and gone.stderr.startswith("darkswap: ") and "Traceback" not in gone.stderr


def test_whoever_says_no_or_leaves_takes_nothing(table: Table) -> None:
    maker, taker = table.maker, table.taker

    def free_again(event: Event) -> bool:
        return bool(event["event"] == "order_updated" and event["order"]["remaining_amount"] == "40")

    with maker.start(*sell("40")) as making:
        link = making.event("order")["link"]
        making.event("ready")
        declined = taker.run("take", link, answer="n\n")
        assert declined.returncode == 1 and "Sign it? [y/N]" in declined.stderr
        assert "You give  0.0002 BTC" in declined.stdout and "Nothing was signed." in declined.stdout
        making.until(free_again)
        with taker.start("take", link) as leaving:
            leaving.event("review")
            assert leaving.end(signal.SIGINT) == 130
            assert "Interrupted" in leaving.errors()
        making.until(free_again)
    assert table.held(taker, "Bitcoin") == table.taker.ask("wallet", "show")["balances"][0]["amount"]


def test_coins_are_frozen_by_the_beginning_of_their_names(table: Table) -> None:
    (coin,) = (each for each in table.taker.ask("wallet", "coins") if not each["assets"] and each["sats"] != "546")
    txid, _, vout = coin["outpoint"].partition(":")
    assert table.taker.ask("wallet", "freeze", f"{txid[:10]}:{vout}") == {"outpoint": coin["outpoint"], "frozen": True}
    assert table.held(table.taker, "Bitcoin") == "0"
    assert table.taker.ask("wallet", "unfreeze", coin["outpoint"])["frozen"] is False


def test_a_maker_waits_for_its_relay_but_makes_no_order_without_one(table: Table, tmp_path: Path) -> None:
    asleep = f"/ip4/127.0.0.1/tcp/1/ws/p2p/{table.relay.rpartition('/')[2]}"
    refused = table.maker.run(*sell("1"), "--relay", asleep)
    assert refused.returncode == 1 and refused.stderr.startswith("darkswap: could not reach ")
    with table.maker.start("order", "serve", "--relay", asleep) as serving:
        assert serving.event("ready")["relays"] == []
        assert serving.end() == 0
        assert "It is asked again." in serving.errors()


# --- without a chain


def run(folder: Path, *arguments: str, typed: str = "", **around: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command("--data", str(folder), *arguments),
        cwd=ROOT,
        env=environment(**around),
        input=typed,
        capture_output=True,
        text=True,
        timeout=30,
    )


def test_a_wallet_is_restored_from_piped_words_and_tells_them_again(tmp_path: Path) -> None:
    around = {"DARKSWAP_PASSPHRASE": "a long one"}
    made = run(tmp_path / "deep" / "store", "wallet", "restore", "--json", typed=WORDS + "\n", **around)
    # m/86'/0'/0'/0/0 of these words, from BIP86.
    assert json.loads(made.stdout)["address"] == "bc1p5cyxnuxmeuwuvkwfem96lqzszd02n6xdcjrs20cac6yqjjwudpxqkedrcr"
    assert "small sums" in made.stderr
    assert (tmp_path / "deep" / "store").stat().st_mode & 0o077 == 0
    told = run(tmp_path / "deep" / "store", "wallet", "words", **around)
    assert told.stdout.split() == WORDS.split()
    wrong = run(tmp_path / "deep" / "store", "wallet", "words", DARKSWAP_PASSPHRASE="another one")
    assert (wrong.returncode, wrong.stdout) == (1, "") and "the passphrase is wrong" in wrong.stderr


def test_doctor_says_what_works_and_what_to_do_about_the_rest(table: Table, tmp_path: Path) -> None:
    # Somebody without a wallet.
    config = {**table.chain.page_config, "network": {"relays": [table.relay]}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    somebody = Person(tmp_path / "data", tmp_path / "config.json")
    done = somebody.run("doctor", "--json")
    found = {check["name"]: check for check in map(json.loads, done.stdout.splitlines())}
    assert done.returncode == 0, done.stdout
    good = ("storage", "node", "relays", "reservations", "echo", "clock", "chain_servers")
    assert {name: found[name]["status"] for name in good} == dict.fromkeys(good, "passed")
    dead = f"/ip4/127.0.0.1/tcp/9/ws/p2p/{table.relay.rpartition('/')[2]}"
    alone = somebody.run("--relay", dead, "doctor")
    assert alone.returncode == 1
    (relays,) = (line for line in alone.stdout.splitlines() if line.startswith("no  relays"))
    assert "0 of 1 answer" in relays
    report = json.loads(somebody.run("doctor", "--report").stdout)
    assert "127.0.0.1" not in json.dumps(report) and report["checks"][0]["name"] == "storage"


@pytest.mark.parametrize(
    ("line", "status", "said"),
    [
        ("wallet show", 1, "darkswap wallet create"),
        ("wallet create", 1, "DARKSWAP_PASSPHRASE"),
        ("order cancel abcdef", 1, "none that is kept here"),
        ("order serve", 1, "--relay"),
        ("wallet faucet BTC", 1, "is not named by the configuration"),
        ("--config none.json trades", 2, "No such file"),
        ("--relay nowhere trades", 2, "network.relays[0]"),
        ("trades", 0, ""),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(
    line: str, status: int, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--data", str(tmp_path), "--network", "regtest", *line.split()]) == status
    assert said in capsys.readouterr().err


class Typing:
    """A program at a terminal of its own; its prompts come on standard error."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self._master, slave = pty.openpty()
        self.process = subprocess.Popen(
            command("--data", str(folder), *arguments),
            cwd=ROOT,
            env=environment(),
            stdin=slave,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        os.close(slave)

    def reads(self, prompt: str) -> None:
        assert self.process.stderr is not None
        told = b""
        while not told.endswith(prompt.encode()):
            letter = self.process.stderr.read(1)
            assert letter, told
            told += letter

    def types(self, line: str) -> None:
        os.write(self._master, line.encode() + b"\n")

    def __enter__(self) -> Typing:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()
        os.close(self._master)


def test_at_a_terminal_the_passphrase_is_asked_for_and_ctrl_c_leaves(tmp_path: Path) -> None:
    create = ("--network", "regtest", "wallet", "create")
    with Typing(tmp_path, *create) as leaving:
        leaving.reads("wallet: ")
        leaving.process.send_signal(signal.SIGINT)
        assert leaving.process.wait(10) == 130
    with Typing(tmp_path, *create) as typing:
        for prompt in ("wallet: ", "again: "):
            typing.reads(prompt)
            typing.types("typed")
        assert typing.process.wait(10) == 0
    told = run(tmp_path, "--network", "regtest", "wallet", "words", DARKSWAP_PASSPHRASE="typed")
    assert len(told.stdout.split()) == 12


def test_the_console_script_is_the_module() -> None:
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    assert scripts["darkswap"] == f"{main.__module__}:{main.__name__}"
