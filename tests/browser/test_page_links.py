"""Links that lead to the page: what they name is found, and what is damaged is told, on a page that is never blank."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.browser.looks import looks_right
from tests.support.chrome import Chrome
from tests.support.visitor import Visitor
from web.build.server import WebServer

pytestmark = pytest.mark.takes(30)

ROUTE = Path(__file__).resolve().parents[2] / "web" / "src" / "page" / "route.mjs"
PEER = "12D3KooWHHzSeKaY8xuZVzkLbKFfvNgPPeKhFBGrMbNzbm5akpqu"
ROUTES = {
    "": ("talk", ""),
    "#": ("talk", ""),
    "#/": ("talk", ""),
    f"#/connect?peer={PEER}": ("talk", ""),
    "#/wallet": ("wallet", ""),
    "#/trade/00ff": ("trade", "00ff"),
    "#/order/%E0%A4%A": ("order", "%E0%A4%A"),
    "#order=darkswap:1abc": ("import", "darkswap:1abc"),
    "#order=darkswap%3A1abc": ("import", "darkswap:1abc"),
    "#order=darkswap:1abc%": ("broken", "order"),
    "#order=darkswap:1abc%3": ("broken", "order"),
    "#order=darkswap:1abc%E0%A4%A": ("broken", "order"),
    "#order=": ("broken", "order"),
    "#order=%20": ("broken", "order"),
    "#/connect": ("broken", "peer"),
    "#/connect?peer=": ("broken", "peer"),
    f"#/connect?peer={PEER[:-1]}": ("broken", "peer"),
    "#/connect?peer=%E0%A4%A": ("broken", "peer"),
    "#/nothing": ("broken", "place"),
    "#/Wallet": ("broken", "place"),
    "#/constructor": ("broken", "place"),
    "#oder=darkswap:1abc": ("broken", "place"),
    "#%": ("broken", "place"),
}


def test_read_route_of_any_address_leads_somewhere_or_is_broken(node: Path) -> None:
    script = f"""import {{ readRoute }} from {json.dumps(ROUTE.as_uri())};
    console.log(JSON.stringify({json.dumps(list(ROUTES))}.map((hash) => [hash, readRoute(hash)])));"""
    said = subprocess.run(
        [str(node), "--input-type=module", "--eval", script], capture_output=True, text=True, check=True, timeout=30
    )
    found = {hash_: (route["view"], route["id"]) for hash_, route in json.loads(said.stdout)}
    assert found == ROUTES


@pytest.mark.parametrize(
    ("fragment", "says"),
    [
        ("#order=darkswap:1abc%E0%A4%A", "This link is damaged"),
        ("#order=darkswap:1abc%3", "This link is damaged"),
        (f"#/connect?peer={PEER[:-1]}", "missing or damaged"),
        ("#/nothing", "There is no such page"),
    ],
)
def test_broken_link_opened_fresh_or_in_the_page_is_told(
    chrome: Chrome, site: WebServer, fragment: str, says: str
) -> None:
    visitor = Visitor("Nora", chrome.new_page(site.url))
    visitor.open(f"/{fragment}")
    visitor.wait_for("main", says)
    assert visitor.text("#broken-link").startswith("What to do:")
    looks_right(visitor)
    visitor.click('.places a[href="#/"]')
    visitor.wait_for("main", "Talk to another browser")
    visitor.page.run_js("location.hash = args[0]", fragment)
    visitor.wait_for("main", says)
    visitor.page.close()
