"""TXT records by HTTPS, for hosts without a resolver. https://www.rfc-editor.org/rfc/rfc8484"""

from __future__ import annotations

import base64

from darkswap_browser.errors import ConnectionLost, MalformedMessage
from darkswap_browser.runtime.base.dns import MAX_ANSWER, LookupTxt, parse_txt, txt_question
from darkswap_browser.runtime.base.http import Fetch

SECONDS = 5.0


def dns_over_https(fetch: Fetch, server: str) -> LookupTxt:
    """`server`: such as https://dns.example/dns-query; it sees which names are looked up."""

    async def lookup(name: str) -> tuple[str, ...]:
        question = txt_question(name, 0)  # 0, so that caches answer: §4.1
        text = base64.urlsafe_b64encode(question).decode().rstrip("=")
        headers = {"accept": "application/dns-message"}
        answer = await fetch.request(
            "GET", f"{server}?dns={text}", headers=headers, timeout=SECONDS, max_bytes=MAX_ANSWER
        )
        if answer.status != 200:
            raise ConnectionLost(f"looking up {name}", f"{server} answered with status {answer.status}")
        try:
            return parse_txt(answer.body, question)
        except MalformedMessage as error:
            raise ConnectionLost(f"looking up {name}", str(error)) from error

    return lookup
