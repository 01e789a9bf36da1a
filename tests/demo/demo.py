"""Two people meet and trade: `build.py demo` plays it in headless Chromium, tells each step, and keeps pictures of it.

They talk three times over: through our relay, through js-libp2p's, and with direct links switched off, so that the
relay carries the ciphertext. Then they trade: bitcoin for a rune, a rune for a rune, bitcoin for an alkane. Alice and
Bob have a browser process and a profile each.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import random
import sys
import tempfile
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from selenium.common.exceptions import WebDriverException

from tests.demo.report import PICTURES, DemoReport
from tests.demo.trades import play_trades
from tests.interop.processes import NODE, ROOT, js_relay, our_relay
from tests.support.chrome import Chrome
from tests.support.trading_visitor import TradingVisitor, square
from tests.support.visitor import Visitor
from web.build import dist
from web.build.server import Site, WebServer

RELAY_LOG = PICTURES / "relay.log"
FILE_SIZE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Act:
    name: str
    title: str
    relay: AbstractContextManager[str]
    path: str
    badge: str


def play(act: Act, server: WebServer, alice: Visitor, bob: Visitor, report: DemoReport, letter: Path) -> None:
    report.begin(act.name, act.title)
    with report.tell("Alice opens the page over a line of 4 MB/s; it draws at once and tells how far Python is"):
        alice.network(bytes_per_second=4_000_000)
        alice.open(act.path)
        alice.wait_for("h1", "Talk to another browser")
    report.picture(alice, "loading")
    alice.network()
    with report.tell("Python runs, and the relay holds a place for Alice"):
        alice.ready()
    report.picture(alice, "ready")
    with report.tell("Bob opens Alice's link; his page connects by itself"):
        bob.open(alice.link())
        bob.wait_for("#badge", act.badge, timeout=90)
    with report.tell(f"Both see a {act.badge.lower()} link"):
        alice.wait_for("#badge", act.badge)
    with report.tell("Bob says hello, and sees that it was delivered"):
        bob.say("Hello Alice, it is Bob.")
        alice.hears("Hello Alice, it is Bob.")
        bob.wait_for(".mine .state", "delivered")
    with report.tell("Alice answers"):
        alice.say("Hello Bob! No server reads this.")
        bob.hears("Hello Bob! No server reads this.")
    with report.tell(f"Bob sends a file of {letter.stat().st_size // 1024} KiB; Alice receives it, byte for byte"):
        bob.send_file(letter)
        saved = letter.parent / act.name
        saved.mkdir()
        received = alice.saves_file(letter.name, FILE_SIZE, saved)
        if hashlib.sha256(received).digest() != hashlib.sha256(letter.read_bytes()).digest():
            raise AssertionError("the file that arrived is not the one that was sent")
    with report.tell("Live figures appear beside the conversation"):
        bob.wait_for("#rtt", "ms")
    report.picture(alice, "talk")
    report.picture(bob, "talk")
    report.line(f"Bob's steps: {steps(bob)}")
    with report.tell("Alice disconnects; Bob's page says so"):
        alice.click("#disconnect")
        bob.wait_for("#reconnect")
    report.picture(bob, "gone")


def steps(visitor: Visitor) -> str:
    """The dial as the page told it, on one line."""
    words = visitor.page.run_js(
        """return [...document.querySelectorAll(".figures .steps li")].map((one) => {
            const step = one.querySelector(".what").cloneNode(true);
            step.querySelector("code")?.remove();
            const time = one.querySelector(".figure").textContent;
            return `${step.textContent.trim().replace(/\\s+/g, " ")} ${time}`; });"""
    )
    return " → ".join(words)


def acts() -> list[Act]:
    return [
        Act(
            "our-relay",
            "Through our own relay (python -m darkswap_browser.relayd)",
            our_relay(log=RELAY_LOG),
            "/",
            "Direct",
        ),
        Act("js-relay", "Through js-libp2p's relay", js_relay(), "/", "Direct"),
        Act(
            "relayed",
            "Direct links switched off: our relay carries the ciphertext",
            our_relay(log=RELAY_LOG),
            "/?direct=off",
            "Relayed",
        ),
    ]


def main() -> int:
    argparse.ArgumentParser(prog="build.py demo", description=__doc__).parse_args()
    dist.build(NODE)
    PICTURES.mkdir(parents=True, exist_ok=True)
    for old in (*PICTURES.glob("*.png"), *PICTURES.glob("*.log")):
        old.unlink()
    report = DemoReport()
    with contextlib.ExitStack() as stack:
        server = WebServer(Site({"/": dist.DIST}))
        stack.callback(server.close)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="darkswap-demo-")))
        letter = folder / "picture.bin"
        letter.write_bytes(random.Random(1).randbytes(FILE_SIZE))
        pages = []
        for _ in range(2):
            chrome = Chrome()
            stack.callback(chrome.quit)
            pages.append(chrome.new_page(server.url))
        alice, bob = visitors = [Visitor(name, page) for name, page in zip(("Alice", "Bob"), pages, strict=True)]
        alice.theme("dark")
        bob.theme("light")
        try:
            for act in acts():
                with act.relay as relay:
                    server.site.configure({"relays": [relay]})
                    play(act, server, alice, bob, report, letter)
            with our_relay(log=RELAY_LOG) as relay, square(server, relay, folder / "chain") as place:
                traders = [TradingVisitor(each.name, each.page, place.chain) for each in visitors]
                play_trades(place, *traders, report)
        except (WebDriverException, AssertionError, RuntimeError, TimeoutError) as error:
            print(f"\nThe demo stopped at: {report.step}\n{error}", file=sys.stderr)
            for visitor in visitors:
                report.picture(visitor, "failed")
            return 1
    print(f"\nDone. Pictures: {PICTURES.relative_to(ROOT)}/", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
