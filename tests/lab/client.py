"""One client of the lab: the built site on this namespace's loopback, and Chromium; commands and answers are lines of
JSON on standard input and output."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from tests.support.chrome import Chrome, Page
from tests.support.scripted_page import JsError
from web.build.dist import DIST
from web.build.server import Answer, Site, WebServer

BLANK = Answer(
    b'<!doctype html><html lang="en"><head><title>lab</title><link rel="icon" href="data:,"></head></html>',
    "text/html; charset=utf-8",
)
HERE = Path(__file__).parent


class Client:
    def __init__(self) -> None:
        self.server = WebServer(Site({"/": DIST, "/lab/": HERE}, {"/blank.html": BLANK}))
        self.chrome = Chrome(())
        self.page: Page | None = None

    def obey(self, order: dict[str, Any]) -> object:
        match order.pop("op"):
            case "fresh":
                if self.page is not None:
                    self.page.close()
                self.page = self.chrome.new_page(self.server.url).open("/blank.html")
                return self.page.run_js('await import("/lab/page.mjs");', timeout=90)
            case "js":
                assert self.page is not None
                return self.page.run_js(order["script"], *order["args"], timeout=order["timeout"])
            case "state":
                assert self.page is not None
                self.page.focus()
                self.chrome.driver.execute_cdp_cmd("Page.setWebLifecycleState", {"state": order["state"]})
        return None

    def close(self) -> None:
        self.chrome.quit()
        self.server.close()


def main() -> None:
    client = Client()
    print(json.dumps({"value": "ready"}), flush=True)
    try:
        for line in sys.stdin:
            try:
                answer = {"value": client.obey(json.loads(line))}
            except (JsError, TimeoutError) as error:
                answer = {"error": str(error)[:2000]}
            print(json.dumps(answer, default=str), flush=True)
    finally:
        client.close()


if __name__ == "__main__":
    main()
