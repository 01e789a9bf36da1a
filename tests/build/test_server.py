"""The web server of `serve` and of the tests."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.readme import blocks
from web.build.server import POLICY, Answer, Site, WebServer


@pytest.fixture
def server(tmp_path: Path) -> Iterator[WebServer]:
    (tmp_path / "inner").mkdir()
    (tmp_path / "secret.txt").write_text("not for the page")
    (tmp_path / "inner" / "index.html").write_text("<!doctype html>")
    (tmp_path / "inner" / "module.mjs").write_text("export {};")
    (tmp_path / "inner" / "code.wasm").write_bytes(b"\0asm")
    running = WebServer(Site({"/": tmp_path / "inner"}))
    yield running
    running.close()


def _get(server: WebServer, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
    connection.request("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, {name.lower(): value for name, value in answer.getheaders()}, body


def test_a_folder_is_its_index_under_the_strict_policy(server: WebServer) -> None:
    status, headers, body = _get(server, "/")
    assert (status, body) == (200, b"<!doctype html>")
    assert headers["content-security-policy"] == POLICY
    assert "unsafe-eval'" not in POLICY.replace("'wasm-unsafe-eval'", "")
    assert headers["x-content-type-options"] == "nosniff"


def test_pages_may_ask_chain_servers_unencrypted_on_this_machine_only() -> None:
    (rule,) = (each for each in POLICY.split("; ") if each.startswith("connect-src "))
    assert rule.split()[1:] == ["'self'", "ws:", "wss:", "https:", "http://127.0.0.1:*", "http://localhost:*"]


def test_policy_of_the_readme_is_the_one_the_tests_run_under() -> None:
    (shown,) = (block for block in blocks("") if block.startswith("default-src"))
    assert " ".join(shown.split()) == POLICY


@pytest.mark.parametrize(("path", "kind"), [("/module.mjs", "text/javascript"), ("/code.wasm", "application/wasm")])
def test_scripts_and_machine_code_have_the_types_browsers_ask_for(server: WebServer, path: str, kind: str) -> None:
    assert _get(server, path)[1]["content-type"].startswith(kind)


def test_what_the_browser_has_is_not_sent_again(server: WebServer) -> None:
    tag = _get(server, "/module.mjs")[1]["etag"]
    status, _, body = _get(server, "/module.mjs", If_None_Match=tag)
    assert (status, body) == (304, b"")


@pytest.mark.parametrize("path", ["/../secret.txt", "/%2e%2e/secret.txt", "/nothing.txt", "/..%2fsecret.txt"])
def test_nothing_outside_the_folder_is_served(server: WebServer, path: str) -> None:
    assert _get(server, path)[0] == 404


def test_any_origin_may_load_the_files(server: WebServer) -> None:
    assert _get(server, "/module.mjs")[1]["access-control-allow-origin"] == "*"


def test_answers_stand_before_files(server: WebServer) -> None:
    server.site.configure({"relays": ["/ip4/127.0.0.1/tcp/1/ws"]})
    server.site.answers["/module.mjs"] = Answer(status=503)
    assert json.loads(_get(server, "/config.json")[2]) == {"relays": ["/ip4/127.0.0.1/tcp/1/ws"]}
    assert _get(server, "/module.mjs")[0] == 503
