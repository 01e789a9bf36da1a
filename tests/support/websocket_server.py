"""A WebSocket server in a thread, whose path says how it behaves."""

from __future__ import annotations

import threading
import time

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve


class WebSocketServer:
    """/echo, /text (a text message), /bye (a message, then code 1000), /fault (code 1011), /count (bytes until "end"),
    /slow (reads after half a second, then as /count), /flood (40 MiB at once)."""

    def __init__(self) -> None:
        self.messages: list[int] = []
        self.closed: list[int | None] = []
        self._server = serve(self._serve, "127.0.0.1", 0, compression=None, max_size=None)
        self.url = f"ws://127.0.0.1:{self._server.socket.getsockname()[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()

    def _serve(self, socket: ServerConnection) -> None:
        path = socket.request.path if socket.request else ""
        try:
            self._behave(path, socket)
        except ConnectionClosed:
            pass
        finally:
            self.closed.append(socket.close_code)

    def _behave(self, path: str, socket: ServerConnection) -> None:
        match path:
            case "/echo":
                for message in socket:
                    self.messages.append(len(message))
                    socket.send(message)
            case "/text":
                socket.send("héllo")
                socket.recv()
            case "/bye":
                socket.send(b"last words")
                socket.close(1000)
            case "/fault":
                socket.close(1011, "broken")
            case "/count" | "/slow":
                if path == "/slow":
                    time.sleep(0.5)
                total = 0
                while (message := socket.recv()) != b"end":
                    self.messages.append(len(message))
                    total += len(message)
                socket.send(str(total).encode())
            case "/flood":
                for _ in range(40):
                    socket.send(bytes(1024 * 1024))
                socket.recv()
