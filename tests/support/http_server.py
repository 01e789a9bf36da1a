"""An HTTP server for `check_fetch`, once real, in threads, and once as a function of the simulated world.

/bytes/N (N bytes), /echo (what was asked, as JSON), /status/N, /number (2^128 − 1), /pieces (a body in three chunks),
/silent (answers after a minute, or at its end), /drip (a byte each 0.1 s), /broken (ends within its body).
"""

from __future__ import annotations

import asyncio
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from darkswap_browser.errors import ConnectionLost
from darkswap_browser.runtime.base.http import HttpResponse
from darkswap_browser.testing.http import HttpRequest

BINARY = {"content-type": "application/octet-stream"}


def answer(request: HttpRequest) -> HttpResponse:
    """The paths that neither wait nor break."""
    path = urlsplit(request.path).path
    match path.strip("/").split("/"):
        case ["bytes", size]:
            return HttpResponse(200, BINARY, bytes(number % 256 for number in range(int(size))))
        case ["echo"]:
            seen = {"method": request.method, "path": request.path, "key": request.headers.get("x-key")}
            return HttpResponse(200, {}, json.dumps({**seen, "body": request.body.hex()}).encode())
        case ["status", "204"]:
            return HttpResponse(204, {}, b"")
        case ["status", status]:
            headers = {"retry-after": "7", "location": "/bytes/1"}
            return HttpResponse(int(status), headers, f"status {status}".encode())
        case ["number"]:
            return HttpResponse(200, {}, str(2**128 - 1).encode())
        case ["pieces"]:
            return HttpResponse(200, {}, b"one two three")
    raise AssertionError(path)


async def simulated(request: HttpRequest) -> HttpResponse:
    if request.path in ("/silent", "/drip"):
        await asyncio.sleep(60)
        return HttpResponse(200, {}, b"at last")
    if request.path == "/broken":
        raise ConnectionLost("http", "broken off")
    return answer(request)


class HttpServer:
    """On a port of the loopback; pages of any origin may read it."""

    def __init__(self) -> None:
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.ending.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    request_queue_size = 64
    daemon_threads = True

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(address, handler)
        self.ending = threading.Event()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path == "/silent":
            self.server.ending.wait(60)
        elif self.path == "/broken":
            self._begin(200, {"Content-Length": "100"}, b"half")
            self.close_connection = True
        elif self.path in ("/drip", "/pieces"):
            self._begin(200, {"Transfer-Encoding": "chunked"}, b"")
            for piece in (b"one", b" two", b" three") if self.path == "/pieces" else [b"x"] * 600:
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                self.wfile.flush()
                if self.path == "/drip" and self.server.ending.wait(0.1):
                    break
            self.wfile.write(b"0\r\n\r\n")
        elif self.command == "OPTIONS":
            allowed = {"Access-Control-Allow-Headers": "x-key", "Access-Control-Allow-Methods": "GET, POST"}
            self._begin(204, allowed, b"")
        else:
            headers = {name.lower(): value for name, value in self.headers.items()}
            given = answer(HttpRequest(self.command, self.path, headers, body))
            size = {} if given.status == 204 else {"Content-Length": str(len(given.body))}
            self._begin(given.status, {**given.headers, **size}, given.body)

    def _begin(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        self.send_header("Access-Control-Allow-Origin", "*")
        self.send_header("Access-Control-Expose-Headers", "Retry-After")
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        try:
            self.wfile.write(body)
        except ConnectionError:
            self.close_connection = True  # who asked has read enough

    do_GET = do_POST = do_OPTIONS = _serve

    def handle(self) -> None:
        try:
            super().handle()
        except ConnectionError:
            pass  # who asked has gone

    def log_message(self, format: str, *args: object) -> None: ...
