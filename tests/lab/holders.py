"""The tab that runs the node dies, or stands still, in the middle of a trade: at each phase, as taker and as maker.

The wallet extension is in the second tab, which goes on with the node; it counts what it is asked to sign. The peer
runs on CPython. Every trade must end alike on both sides, with no other transaction signed than its own.
"""

from __future__ import annotations

import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from darkswap_browser.bitcoin.psbt import Psbt
from tests.browser.face import OpenPage
from tests.browser.tab_wallet import OPEN, TabWallet, WalletTabs
from tests.interop.processes import our_relay
from tests.lab.client import BLANK
from tests.lab.lab import OUT, Lab
from tests.support.chrome import Chrome
from tests.support.headless import Headless, headless
from tests.support.regtest import RegtestProcess
from web.build.dist import DIST
from web.build.server import Site, WebServer

PATIENCE = 90.0
BUSY_MS = 30_000
TRADES = "return (await node.get_trades()).map(({ id, phase, status }) => ({ id, phase, status }))"
BUSY = """setTimeout(() => {
  for (const end = performance.now() + args[0]; performance.now() < end;);
}, 50);"""
# What is held back so that the trade stays in a phase.
PEER, CHAIN, WALLET, REVIEW, BLOCKS = "the peer", "the chain", "the wallet", "the review", "blocks"
PHASES: dict[tuple[str, str], str] = {
    ("taker", "requesting"): PEER,
    ("taker", "verifying"): CHAIN,
    ("taker", "reviewing"): REVIEW,
    ("taker", "signing"): WALLET,
    ("taker", "signatures_out"): PEER,
    ("taker", "pending"): BLOCKS,
    ("maker", "validating"): CHAIN,
    ("maker", "offered"): REVIEW,
    ("maker", "countersigning"): WALLET,
    ("maker", "pending"): BLOCKS,
}


@dataclass
class Place:
    """The tabs `holder` and `heir` of one profile, and a peer on CPython."""

    chain: RegtestProcess
    other: Headless
    tabs: WalletTabs
    holder: OpenPage
    heir: TabWallet
    asset: str
    signed: set[str] = field(default_factory=set)
    gate: threading.Event = field(default_factory=threading.Event)

    # --- what is held back

    def hold(self, what: str) -> None:
        if what == PEER:
            self.gate.clear()
            self.other.pause(self.gate)
        elif what == CHAIN:
            self.chain.signal(signal.SIGSTOP)

    def let_go(self) -> None:
        self.gate.set()
        self.chain.signal(signal.SIGCONT)

    # --- trades

    def trade(self, trade_id: str) -> dict[str, Any]:
        """Of one that this side does not know yet, an empty phase."""
        unknown = {"phase": "", "status": ""}
        return next((each for each in self.heir.tab.run(TRADES) if each["id"] == trade_id), unknown)

    def answers(self) -> None:
        """What the wallet is asked, as long as it is asked something."""
        while self.heir.tab.run("return questions.length"):
            _, params = self.heir.question()
            if "psbt" in params:
                self.signed.add(Psbt.parse(params["psbt"]).unsigned.txid)
            self.heir.answer()

    def reaches(self, trade_id: str, phase: str, *, answers: bool) -> None:
        end = time.monotonic() + PATIENCE
        while (found := self.trade(trade_id)["phase"]) != phase:
            assert time.monotonic() < end, f"{found} in place of {phase}"
            if answers:
                self.answers()

    def takes(self) -> str:
        """As taker, from the second tab."""
        draft = {"base_asset": self.asset, "quote_asset": "BTC", "side": "sell", "amount": "10", "price": "0.000005"}
        text = self.other.do(self.other.node.create_order(draft)).text
        take = """const order = await node.import_order(args[0]);
        return (await node.take_order(order.id, null, { review: true, fee_rate: 2 })).id;"""
        job = self.heir.tab.page.start(take, text)
        self.heir.answer()
        return str(job.wait())

    def makes(self, *, review: bool) -> str:
        """As maker, whose order the peer takes."""
        draft = {"base_asset": self.asset, "quote_asset": "BTC", "side": "sell", "amount": "10", "price": "0.000005"}
        job = self.heir.tab.page.start("return (await node.create_order(args[0])).text", draft)
        time.sleep(0.5)
        self.answers()
        order = self.other.do(self.other.node.import_order(job.wait()))
        return self.other.do(self.other.node.take_order(order.id, review=review, fee_rate=2)).id


@contextmanager
def place(chrome: Chrome, site: WebServer) -> Iterator[Place]:
    with ExitStack() as stack:
        relay = stack.enter_context(our_relay(log=OUT / "relay-of-tabs.log"))
        chain = stack.enter_context(RegtestProcess(Path(stack.enter_context(tempfile.TemporaryDirectory()))))
        other = stack.enter_context(headless(chain, relay))
        config = {"identity": {"name": "node"}, "network": {"relays": [relay]}, **chain.config}
        holder = OpenPage(chrome.new_page(site.url).open("/blank.html")).loaded(**config)
        holder.run(OPEN.replace("if (pyodide", "if (false && pyodide"))
        tabs = WalletTabs(chrome, site, holder, config)
        heir = tabs.add()
        asset = next(str(each["asset"]) for each in chain.assets if each["name"] == "DARK•TEST•COINS")
        heir.connect()
        heir.tab.run("await node.make_webrtc_relay_reservation(args[0])", relay)
        for purpose, wanted in (("payment", "BTC"), ("payment", "BTC"), ("assets", asset)):
            chain.faucet(heir.tab.run("return await node.get_address(args[0])", purpose), wanted)
            chain.faucet(other.do(other.node.get_address(purpose)), wanted)
        found = Place(chain, other, tabs, holder, heir, asset)
        yield found
        found.let_go()
        tabs.close()


@dataclass
class Outcome:
    name: str
    ours: str
    theirs: str
    signed: int
    seconds: float
    is_same: bool
    """Whether the tab that goes on is the same peer."""
    faults: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        line = (
            f"{self.name:52} we {self.ours:10} peer {self.theirs:10} transactions signed {self.signed}  "
            f"over after {self.seconds:5.1f} s"
        )
        return line + ("  FAILED: " + ", ".join(self.faults) if self.faults else "")


def crash(at: Place) -> None:
    at.holder.page.crash()


def close(at: Place) -> None:
    at.holder.page.close()


def stand_still(at: Place) -> None:
    at.holder.run(BUSY, BUSY_MS)


def begin(at: Place, role: str, phase: str) -> str:
    """A trade in that phase; its id."""
    held = PHASES[role, phase]
    if role == "maker":
        trade_id = at.makes(review=held == REVIEW)
        at.hold(held)
        at.reaches(trade_id, phase, answers=held == BLOCKS)
        return trade_id
    trade_id = at.takes()
    if phase == "requesting":
        at.hold(held)
    elif phase == "verifying":
        # The peer asks the chain as well, before it.
        while (there := at.other.do(at.other.node.get_trade(trade_id))) is None or there.phase != "offered":
            time.sleep(0.001)
        at.hold(held)
    else:
        at.reaches(trade_id, "reviewing", answers=False)
        if held != REVIEW:
            at.heir.tab.run("await node.confirm_trade(args[0])", trade_id)
            at.reaches(trade_id, "signing", answers=False)
            at.heir.question()
        if phase == "signatures_out":
            at.hold(held)
        if phase in ("signatures_out", "pending"):
            at.answers()
    at.reaches(trade_id, phase, answers=False)
    return trade_id


def go_on(at: Place, trade_id: str) -> tuple[str, str]:
    """Answers, confirms and mines until the trade is over on both sides; how it ended on each."""
    over = ("completed", "failed", "canceled", "expired")
    end = time.monotonic() + PATIENCE
    ours = theirs = ""
    # A request that the maker had not answered is refused while no wallet is there, and leaves nothing behind.
    while time.monotonic() < end and not (ours in (*over, "") and theirs in over):
        at.answers()
        found = at.trade(trade_id)
        ours = found["status"]
        if found["phase"] == "reviewing":
            at.heir.tab.run("await node.confirm_trade(args[0]).catch(() => {})", trade_id)
        there = at.other.do(at.other.node.get_trade(trade_id))
        theirs = "none" if there is None else there.status
        if there is not None and there.phase == "reviewing":
            at.other.do(at.other.node.confirm_trade(trade_id))
        if at.chain.get("/api/mempool/txids"):
            at.chain.mine()
        time.sleep(0.3)
    return ours, theirs


def suffer(role: str, phase: str, how: str, strike: Callable[[Place], None]) -> list[Outcome]:
    chrome = Chrome(())
    site = WebServer(Site({"/": DIST}, {"/blank.html": BLANK}))
    try:
        with place(chrome, site) as at:
            trade_id = begin(at, role, phase)
            peer = at.heir.tab.run("return await node.local_peer_id()")
            strike(at)
            began = time.monotonic()
            at.heir.tab.run(
                'await until(() => told.some(({ type, here }) => type === "node:moved" && here))', timeout=60
            )
            at.let_go()
            ours, theirs = go_on(at, trade_id)
            seconds = time.monotonic() - began
            is_same = at.heir.tab.run("return await node.local_peer_id()") == peer
            name = f"{role} at {phase}: the holder {how}"
            return [judge(Outcome(name, ours, theirs, len(at.signed), seconds, is_same))]
    finally:
        chrome.quit()
        site.close()


LOCKED = "a seed wallet with a passphrase: the holder dies"


def lock(lab: Lab) -> list[Outcome]:
    """Nobody but its user has the passphrase: the tab that goes on says so, and opens it when told."""
    chrome = Chrome(())
    site = WebServer(Site({"/": DIST}, {"/blank.html": BLANK}))
    try:
        with place(chrome, site) as at:
            tab = at.heir.tab
            connect = 'return (await node.connect_wallet({ type: "seed", name: "locked", passphrase: "p" })).address'
            before = tab.run(connect)
            peer = tab.run("return await node.local_peer_id()")
            tab.run("told.length = 0")
            crash(at)
            began = time.monotonic()
            gone = 'told.find(({ type }) => type === "wallet_disconnected")'
            reason = tab.run(f"await until(() => {gone}); return {gone}.reason", timeout=60)
            seconds = time.monotonic() - began
            is_same = tab.run("return await node.local_peer_id()") == peer and tab.run(connect) == before
            found = Outcome(LOCKED, reason, "-", 0, seconds, is_same)
            if reason != "locked":
                found.faults.append("nobody was told that it is locked")
            return [found]
    finally:
        chrome.quit()
        site.close()


def judge(found: Outcome) -> Outcome:
    if not found.is_same:
        found.faults.append("another peer goes on")
    if found.signed > 1:
        found.faults.append("two transactions of one trade were signed")
    if (found.ours == "completed") is not (found.theirs == "completed"):
        found.faults.append("it ended differently on the two sides")
    if found.ours not in ("", "completed", "failed", "canceled", "expired"):
        found.faults.append("it did not end")
    return found


def rows(names: list[str], *, full: bool) -> list[Callable[[Lab], list[Outcome]]]:
    hows = (("dies", crash), ("is closed", close), ("is busy for 30 s", stand_still))
    every = [(role, phase, how, strike) for role, phase in PHASES for how, strike in hows]
    chosen = [each for each in every if (_is_named(names, *each[:3]) if names else full)]
    trades = [lambda lab, each=each: suffer(*each) for each in chosen]
    return [*trades, *([lock] if any(name in LOCKED for name in names) or (full and not names) else [])]


def _is_named(names: list[str], role: str, phase: str, how: str) -> bool:
    return any(name in f"{role} at {phase}: the holder {how}" for name in names)
