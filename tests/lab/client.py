"""One client of the lab: the built site on this namespace's loopback, and Chromium; commands and answers are lines of
JSON on standard input and output."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from selenium.common.exceptions import WebDriverException

from tests.support.chrome import Chrome, Page
from tests.support.scripted_page import JsError
from web.build.dist import DIST
from web.build.server import Answer, Site, WebServer

BLANK = Answer(
    b'<!doctype html><html lang="en"><head><title>lab</title><link rel="icon" href="data:,"></head></html>',
    "text/html; charset=utf-8",
)
HERE = Path(__file__).parent
PROGRAM = 'await import("/lab/page.mjs");'
RECORD = 'globalThis.record = []; new BroadcastChannel("lab").onmessage = ({ data }) => record.push(data);'


class Client:
    """Tabs by name, all of one profile. The tab `record` keeps what the others took, beyond their own lives."""

    def __init__(self) -> None:
        self.server = WebServer(Site({"/": DIST, "/lab/": HERE}, {"/blank.html": BLANK}))
        self.chrome = Chrome(())
        self.tabs: dict[str, Page] = {}

    def obey(self, op: str, tab: str, order: dict[str, Any]) -> object:
        if op == "fresh":
            self.fresh()
        elif op == "open":
            self.open(tab)
        elif op == "js":
            return self.tabs[tab].run_js(order["script"], *order["args"], timeout=order["timeout"])
        elif op == "state":
            self.tabs[tab].focus()
            self.chrome.driver.execute_cdp_cmd("Page.setWebLifecycleState", {"state": order["state"]})
        elif op == "reload":
            self.tabs[tab].open("/blank.html").run_js(PROGRAM, timeout=90)
        elif op == "leave":
            self.tabs[tab].focus()
            self.chrome.driver.execute_script("location.href = '/blank.html?away'")
        elif op == "back":
            self.tabs[tab].focus()
            self.chrome.driver.back()
        elif op == "close":
            self.tabs.pop(tab).close()
        elif op == "crash":
            self.tabs.pop(tab).crash()
        return None

    def fresh(self) -> None:
        """A new profile with the tabs `record` and `main`."""
        for page in self.tabs.values():
            page.close()
        self.tabs = {"record": self.chrome.new_page(self.server.url).open("/blank.html")}
        self.tabs["record"].run_js(RECORD)
        self.open("main")

    def open(self, tab: str) -> None:
        page = self.tabs[tab] = self.chrome.new_page(self.server.url, self.tabs["record"]).open("/blank.html")
        page.run_js(PROGRAM, timeout=90)

    def close(self) -> None:
        self.chrome.quit()
        self.server.close()


def main() -> None:
    client = Client()
    print(json.dumps({"value": "ready"}), flush=True)
    try:
        for line in sys.stdin:
            order = json.loads(line)
            try:
                answer = {"value": client.obey(order.pop("op"), order.pop("tab", "main"), order)}
            except (JsError, TimeoutError, WebDriverException) as error:
                answer = {"error": str(error)[:2000]}
            print(json.dumps(answer, default=str), flush=True)
    finally:
        client.close()


if __name__ == "__main__":
    main()
