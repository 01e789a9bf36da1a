"""Who may ask the regtest chain's servers, and for what."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from darkswap_browser.regtest.servers.http import HttpRequest
from tests.regtest.test_servers import Asker


@pytest.fixture
def chain(tmp_path: Path) -> Iterator[Asker]:
    made = Asker(tmp_path)
    yield made
    made.node.close()


@pytest.mark.parametrize("target", ["//[", "//[::1", "//[x]/a"])
async def test_address_that_cannot_be_read_is_refused(chain: Asker, target: str) -> None:
    answer = await chain.service.answer(HttpRequest("GET", target, {}, b""))
    assert answer is not None and answer.status in (400, 404)


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("", 200),
        ("http://localhost:8080", 200),
        ("http://127.0.0.1:8080", 200),
        ("http://[::1]:8080", 200),
        ("https://evil.example", 403),
        ("http://localhost.evil.example", 403),
        ("null", 403),
    ],
)
async def test_only_pages_of_this_machine_mine(chain: Asker, origin: str, status: int) -> None:
    headers = {"origin": origin} if origin else {}
    answer = await chain.service.answer(HttpRequest("POST", "/regtest/mine", headers, b"{}"))
    assert answer is not None and answer.status == status
