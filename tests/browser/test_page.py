"""The page as visitors meet it: two tabs find each other, every state says what to do, keyboard and ears suffice."""

from __future__ import annotations

import contextlib
import gzip
import json
import random
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from selenium.webdriver.common.keys import Keys

from tests.browser.looks import WIDTHS, looks_right
from tests.interop.processes import our_relay
from tests.support.chrome import Chrome
from tests.support.visitor import Visitor
from web.build.server import Answer, WebServer

pytestmark = pytest.mark.takes(155)

NOBODY = "12D3KooWHHzSeKaY8xuZVzkLbKFfvNgPPeKhFBGrMbNzbm5akpqu"
DEAD_RELAY = f"/ip4/127.0.0.1/tcp/9/ws/p2p/{NOBODY}"

Seat = Callable[..., Visitor]


@pytest.fixture(scope="module")
def relay(site: WebServer) -> Iterator[str]:
    with our_relay() as address:
        yield address


@contextlib.contextmanager
def seats(chrome: Chrome, site: WebServer, relay: str) -> Iterator[Seat]:
    """Seats visitors in front of tabs, each of their own or of a profile shared with another's."""
    taken: list[Visitor] = []

    def sit(name: str, beside: Visitor | None = None) -> Visitor:
        site.site.configure({"relays": [relay]})
        visitor = Visitor(name, chrome.new_page(site.url, beside.page if beside else None))
        taken.append(visitor)
        return visitor

    try:
        yield sit
    finally:
        for visitor in taken:
            visitor.page.close()


@pytest.fixture
def seat(chrome: Chrome, site: WebServer, relay: str) -> Iterator[Seat]:
    with seats(chrome, site, relay) as sit:
        yield sit


@pytest.fixture(scope="module")
def pair(chrome: Chrome, site: WebServer, relay: str) -> Iterator[tuple[Visitor, Visitor]]:
    """Two tabs of one profile; the second opened the first one's link as somebody else."""
    with seats(chrome, site, relay) as sit:
        alice = sit("Alice").open().ready()
        bob = sit("Bob", alice).open(alice.link().replace("/#", "/?as=2#"))
        bob.wait_for("#badge", "Direct", timeout=60)
        alice.wait_for("#badge", "Direct")
        yield alice, bob


@pytest.fixture(scope="module")
def alone(chrome: Chrome, site: WebServer, relay: str) -> Iterator[Visitor]:
    """A tab that is ready and talks to nobody."""
    with seats(chrome, site, relay) as sit:
        visitor = sit("Dora")
        visitor.page.console()
        yield visitor.open().ready()


@pytest.fixture(scope="module")
def slow(chrome: Chrome, site: WebServer, relay: str) -> Iterator[Visitor]:
    """A tab that loads at 400 kB a second."""
    with seats(chrome, site, relay) as sit:
        visitor = sit("Hanna")
        visitor.network(bytes_per_second=400_000)
        yield visitor.open()


def test_tabs_of_one_profile_are_two_peers(pair: tuple[Visitor, Visitor]) -> None:
    alice, bob = pair
    assert alice.peer_id() != bob.peer_id()


def test_a_message_is_delivered_and_answered(pair: tuple[Visitor, Visitor]) -> None:
    alice, bob = pair
    bob.say("Hello <b>Alice</b> 👋")
    alice.hears("Hello <b>Alice</b> 👋")
    bob.wait_for(".mine .state", "delivered")
    alice.say("Hello Bob")
    bob.hears("Hello Bob")


def test_a_file_of_one_mebibyte_arrives_byte_for_byte(pair: tuple[Visitor, Visitor], tmp_path: Path) -> None:
    alice, bob = pair
    content = random.Random(7).randbytes(1024 * 1024)
    file = tmp_path / "holiday picture.jpg"
    file.write_bytes(content)
    (tmp_path / "saved").mkdir()
    alice.send_file(file)
    assert bob.saves_file(file.name, len(content), tmp_path / "saved") == content
    alice.wait_for(".mine:has(.file) .state", "delivered")


def test_a_file_over_the_limit_is_refused_in_words(pair: tuple[Visitor, Visitor], tmp_path: Path) -> None:
    alice, _ = pair
    file = tmp_path / "film.mkv"
    with file.open("wb") as sparse:
        sparse.truncate(16 * 1024 * 1024 + 1)
    alice.send_file(file)
    alice.hears("Files may have up to 16 MiB")


def test_a_file_is_cancelled_on_its_way(pair: tuple[Visitor, Visitor], tmp_path: Path) -> None:
    alice, bob = pair
    file = tmp_path / "long film.mkv"
    with file.open("wb") as sparse:
        sparse.truncate(16 * 1024 * 1024)
    alice.send_file(file)
    cancel = '[aria-label="Cancel long film.mkv"]'
    bob.wait_for(cancel)
    bob.click(cancel)
    alice.wait_for(".mine:last-of-type .filefacts", "cancelled")
    bob.wait_for(".theirs:last-of-type .filefacts", "cancelled")


def test_the_figures_of_the_link_are_told_in_words_and_in_a_table(pair: tuple[Visitor, Visitor]) -> None:
    _, bob = pair
    bob.wait_for("#rtt", "ms")
    bob.wait_for(".facts", "webrtc")
    assert "Round trip: now" in str(
        bob.page.run_js('return document.querySelector(".chart").getAttribute("aria-label")')
    )
    bob.click(".charts summary")
    bob.wait_for(".charts tbody", "ms")


def test_another_tab_shows_the_figures_at_once(pair: tuple[Visitor, Visitor], seat: Seat) -> None:
    alice, _ = pair
    second = seat("Alice's second tab", alice).open()
    ms = second.page.run_js(
        """const until = async (condition) => {
          while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
        };
        await until(() => document.querySelector(".facts"));
        const began = performance.now();
        await until(() => document.querySelector(".facts").innerText.includes("webrtc"));
        return performance.now() - began;"""
    )
    assert ms < 500


def test_the_way_to_the_peer_is_told_step_by_step(pair: tuple[Visitor, Visitor]) -> None:
    _, bob = pair
    bob.wait_for(".figures .steps", "webrtc:connection")
    assert "Direct link to" in bob.text(".figures .dial")


def test_a_conversation_looks_right(pair: tuple[Visitor, Visitor]) -> None:
    looks_right(pair[1])


def test_a_conversation_that_ended_says_so_and_is_taken_up_again(pair: tuple[Visitor, Visitor]) -> None:
    alice, bob = pair
    alice.click("#disconnect")
    bob.wait_for("#reconnect")
    bob.hears("The other side disconnected")
    looks_right(bob)
    bob.click("#reconnect")
    bob.wait_for("#badge", "Direct", timeout=60)
    bob.say("There you are again")
    alice.hears("There you are again")


def test_all_tabs_are_one_peer_and_one_opened_as_another_is_its_own(seat: Seat) -> None:
    tab = seat("Carol").open().ready()
    known = tab.peer_id()
    tab.page.driver.refresh()
    tab.ready()
    assert tab.peer_id() == known
    second = seat("Carol's second tab", tab).open().ready()
    assert second.peer_id() == known
    other = seat("Carol as somebody else", tab).open("/?as=2").ready()
    assert other.peer_id() != known
    assert "as=" not in other.link()


def test_the_keyboard_alone_connects_and_talks(seat: Seat) -> None:
    alice = seat("Alice").open().ready()
    bob = seat("Bob").open().ready()
    bob.tab_to("#target")
    bob.keys(alice.link(), Keys.ENTER)
    bob.wait_for("#badge", "Direct", timeout=60)
    bob.keys("Typed without a mouse", Keys.ENTER)
    alice.hears("Typed without a mouse")
    bob.keys("The focus has stayed", Keys.ENTER)
    alice.hears("The focus has stayed")
    bob.tab_to("#disconnect")
    bob.keys(Keys.ENTER)
    alice.wait_for("#reconnect")


def test_two_pages_meet_by_hand_without_any_relay(seat: Seat, site: WebServer) -> None:
    alice = seat("Alice")
    bob = seat("Bob")
    site.site.configure({"relays": []})
    for visitor in (alice, bob):
        visitor.open().wait_for(".startup", "Now a relay is needed", timeout=60)
        visitor.click(".by-hand summary")
    alice.click("#hand-invite")
    alice.wait_for("#hand-out")
    looks_right(alice)
    bob.paste("#hand-in", alice.value("#hand-out"))
    bob.wait_for("#hand-out")
    alice.paste("#hand-in", bob.value("#hand-out"))
    for visitor in (alice, bob):
        visitor.wait_for("#badge", "Direct")
    alice.say("No relay knew of this")
    bob.hears("No relay knew of this")
    alice.wait_for(".mine .state", "delivered")
    alice.click("#disconnect")
    bob.hears("The connection ended")


def test_without_direct_links_the_relay_carries_the_conversation(seat: Seat) -> None:
    alice = seat("Alice").open("/?direct=off").ready()
    bob = seat("Bob").open(alice.link())
    bob.wait_for("#badge", "Relayed", timeout=60)
    bob.say("Through the relay")
    alice.hears("Through the relay")
    looks_right(bob)


def judge_jumps(visitor: Visitor) -> None:
    """Web Vitals calls a shift of up to 0.1 good."""
    shift, moved = visitor.page.run_js(
        """const entries = await new Promise((resolve) => {
             const seen = new PerformanceObserver((list) => resolve(list.getEntries()));
             seen.observe({ type: "layout-shift", buffered: true });
             setTimeout(resolve, 500, []);
           });
           const moved = entries.flatMap((one) => one.sources.map(({ node }) => node?.outerHTML?.slice(0, 80) ?? ""));
           return [entries.reduce((sum, one) => sum + one.value, 0), moved];"""
    )
    assert shift < 0.05, moved


def test_nothing_jumps_from_first_paint_until_ready(alone: Visitor) -> None:
    judge_jumps(alone)


def test_no_policy_is_violated_and_nothing_is_thrown(alone: Visitor) -> None:
    assert alone.page.faults() == []


def test_a_tab_that_waits_for_somebody_looks_right(alone: Visitor) -> None:
    looks_right(alone)


def test_the_browser_is_checked_on_request(alone: Visitor) -> None:
    alone.click("#run-checks")
    alone.wait_until(
        lambda: bool(alone.page.run_js('return !document.querySelector("#run-checks").disabled')), "the checks to end"
    )
    assert alone.page.run_js('return document.querySelectorAll(".checks li.bad").length') == 0
    looks_right(alone)
    report = alone.page.run_js('return await document.querySelector("ds-app").session.report()')
    assert {check["passed"] for check in json.loads(report)["checks"]} <= {True, None}
    assert "relay:reserved" in report and "12D3" not in report and "127.0.0.1" not in report


def test_a_peer_that_is_not_there_fails_with_reason_and_next_step(alone: Visitor) -> None:
    visitor = alone
    visitor.connect(NOBODY)
    visitor.wait_for(".dial[data-state=failed]", "What to do", timeout=60)
    assert "PEER_OFFLINE" in visitor.text(".dial")
    assert visitor.sees("#retry")
    looks_right(visitor)


def test_what_is_typed_is_judged_at_once(alone: Visitor) -> None:
    visitor = alone
    visitor.type("#target", "not-a-peer-id")
    visitor.wait_for("#target-problem", "Not a peer id")
    visitor.type("#target", visitor.link())
    visitor.wait_for("#target-problem", "That is you")
    visitor.click(".relays summary")
    visitor.type("#relay", "/dns4/relay.example/tcp/443/wss")
    visitor.wait_for("#relay-problem", "id is missing")
    visitor.type("#relay", f"/dns4/relay.example/tcp/4001/p2p/{NOBODY}")
    visitor.wait_for("#relay-problem", "/ws, /wss or /webrtc-direct")


def test_a_relay_that_is_gone_is_tried_again_and_said_so(seat: Seat, site: WebServer) -> None:
    visitor = seat("Fritz")
    site.site.configure({"relays": [DEAD_RELAY]})
    visitor.open().wait_for(".relay", "Retrying in", timeout=60)
    assert "Looking for a relay" in visitor.text("#status")
    looks_right(visitor)


def test_before_python_the_page_costs_no_more_than_sixty_kilobytes(built: Path) -> None:
    early = re.findall(r'href="([^"]*(?:page|style)[^"]*)"', (built / "index.html").read_text())
    assert len(early) >= 2
    assert sum(len(gzip.compress((built / name).read_bytes())) for name in ("page.mjs", *early)) <= 60_000


def test_before_any_script_the_page_says_what_it_is(seat: Seat, site: WebServer) -> None:
    visitor = seat("Gerd")
    site.site.answers["/page.mjs"] = Answer(status=404)
    try:
        visitor.open().wait_for("h1", "Talk to another browser, directly")
        assert visitor.faults_of_accessibility() == []
    finally:
        del site.site.answers["/page.mjs"]


def test_loading_shows_how_far_it_is(slow: Visitor) -> None:
    slow.wait_for(".startup", "MiB of")
    looks_right(slow)


def test_a_slow_connection_is_said_with_the_time_it_takes(slow: Visitor) -> None:
    slow.wait_for("[data-testid=slow-connection]", "Your connection is slow")
    slow.network()
    slow.ready()


def test_nothing_jumps_from_first_paint_until_ready_on_a_phone(seat: Seat) -> None:
    visitor = seat("Moritz")
    visitor.window(WIDTHS[1], 800)
    judge_jumps(visitor.open().ready())


def test_a_file_that_is_missing_ends_in_reason_next_step_and_report(seat: Seat, site: WebServer) -> None:
    visitor = seat("Ida")
    site.site.answers["/pyodide.asm.wasm"] = Answer(status=404)
    try:
        visitor.open().wait_for(".startup.bad", "What to do")
        looks_right(visitor)
        report = json.loads(visitor.page.run_js('return await document.querySelector("ds-app").session.report()'))
        assert report["failure"]["code"] == "LOAD_FAILED"
        assert "127.0.0.1" not in json.dumps(report)
    finally:
        del site.site.answers["/pyodide.asm.wasm"]
    visitor.click(".startup .primary")
    visitor.ready()


def test_offline_is_said_and_ends_by_itself(alone: Visitor) -> None:
    visitor = alone
    visitor.network(online=False)
    visitor.wait_for(".startup", "You are offline")
    looks_right(visitor)
    visitor.network()
    visitor.ready()


def test_a_page_without_a_relay_of_its_own_keeps_the_one_of_the_link(
    alone: Visitor, seat: Seat, site: WebServer
) -> None:
    bob = seat("Bob")
    site.site.configure({"relays": []})
    bob.open(alone.link()).wait_for("#badge", "Direct", timeout=60)
    bob.wait_for(".relay", "Reserved")


def test_the_chosen_theme_is_remembered(seat: Seat) -> None:
    visitor = seat("Klara").open()
    visitor.theme("light")
    visitor.click(".top button")
    assert visitor.page.run_js("return document.documentElement.dataset.theme") == "dark"
    visitor.open().wait_for("h1")
    assert visitor.page.run_js("return getComputedStyle(document.documentElement).colorScheme") == "dark"


def test_a_python_that_died_is_said_and_only_a_reload_is_offered(alone: Visitor, relay: str, site: WebServer) -> None:
    visitor = alone
    site.site.configure({"relays": [relay]})
    visitor.page.run_js(
        """const { pyodide } = await (await import("/darkswap.mjs")).default();
        try { pyodide._api.fatal_error(new WebAssembly.RuntimeError("unreachable")); } catch { /* as it should */ }"""
    )
    visitor.wait_for(".startup.bad", "Python stopped")
    visitor.click(".startup .primary")
    visitor.ready()
