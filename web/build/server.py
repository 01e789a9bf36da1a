"""The web server of `build.py serve` and of the tests: static files with the headers a real host should send.

Standard library only. Threads, because a browser opens several connections at once.
"""

from __future__ import annotations

import hashlib
import http.server
import json
import mimetypes
import socketserver
import threading
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from urllib.parse import unquote, urlsplit

# Scripts from here alone and WebAssembly; sockets to any relay and requests to any chain server, since those are the
# user's choice; without encryption only to this machine.
POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' data: blob:; "
    "connect-src 'self' ws: wss: https: http://127.0.0.1:* http://localhost:*; worker-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'"
)
TYPES = {
    ".mjs": "text/javascript; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".ts": "text/plain; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".json": "application/json",
    ".wasm": "application/wasm",
    ".whl": "application/zip",
    ".zip": "application/zip",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What one path returns instead of a file."""

    body: bytes = b""
    content_type: str = "text/plain; charset=utf-8"
    status: int = 200
    policy: str | None = None


@dataclass
class Site:
    """What is served: folders by URL prefix, the longest first, and answers that stand before every folder."""

    folders: dict[str, Path]
    answers: dict[str, Answer] = field(default_factory=dict)
    policy: str | None = POLICY

    def find(self, path: str) -> Path | None:
        """The file behind a URL path, or None; never one outside its folder."""
        for prefix in sorted(self.folders, key=len, reverse=True):
            if path.startswith(prefix):
                folder = self.folders[prefix].resolve()
                target = (folder / path[len(prefix) :]).resolve()
                if target.is_dir():
                    target = target / "index.html"
                if target.is_relative_to(folder) and target.is_file():
                    return target
        return None

    def configure(self, config: object) -> None:
        """Sets what the page reads from `config.json`."""
        self.answers["/config.json"] = Answer(json.dumps(config).encode(), "application/json")


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30
    """Seconds for which a connection may say nothing: each has a thread of its own."""
    site: Site

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        answer = self.site.answers.get(path)
        if answer is not None:
            self._send(answer)
            return
        file = self.site.find(path)
        if file is None:
            self._send(Answer(b"There is no such file here.\n", status=404))
            return
        kind = TYPES.get(file.suffix) or mimetypes.guess_type(file.name)[0] or "application/octet-stream"
        self._send(Answer(file.read_bytes(), kind))

    do_HEAD = do_GET

    def _send(self, answer: Answer) -> None:
        tag = f'"{hashlib.sha256(answer.body).hexdigest()[:32]}"'
        known = answer.status == 200 and self.headers.get("If-None-Match") == tag
        self.send_response(HTTPStatus.NOT_MODIFIED if known else answer.status)
        self.send_header("ETag", tag)
        # File names stay the same over builds: kept by the browser, but asked for each time.
        self.send_header("Cache-Control", "no-cache")
        self.send_header("Access-Control-Allow-Origin", "*")
        self.send_header("Cross-Origin-Resource-Policy", "cross-origin")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("X-Content-Type-Options", "nosniff")
        policy = answer.policy if answer.policy is not None else self.site.policy
        if policy:
            self.send_header("Content-Security-Policy", policy)
        self.send_header("Content-Type", answer.content_type)
        if not known:
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if not known and self.command == "GET":
            self.wfile.write(answer.body)

    def log_message(self, format: str, *args: object) -> None:
        """Silent: what the server does is seen in the page."""


class _Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    # A browser gives up connections it no longer needs, in the middle of an answer as well.
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """A reader that went away is no fault of ours."""


class WebServer:
    """Serves a `Site` on its own thread until closed. Port 0 takes a free one."""

    def __init__(self, site: Site, port: int = 0, host: str = "127.0.0.1") -> None:
        self.site = site
        handler = type("Handler", (_Handler,), {"site": site})
        self._server = _Server((host, port), handler)
        self.port = int(self._server.server_address[1])
        self.url = f"http://{host}:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
