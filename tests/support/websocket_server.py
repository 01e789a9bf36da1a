"""A WebSocket server in a thread, whose path says how it behaves."""

from __future__ import annotations

import queue
import threading
import time
from collections import defaultdict

from websockets.exceptions import ConnectionClosed
from websockets.protocol import State
from websockets.sync.server import ServerConnection, serve

PATIENCE = 20.0


class WebSocketServer:
    """/echo, /text (a text message), /bye (a message, then code 1000), /fault (code 1011), /count (bytes until "end"),
    /slow (reads after half a second, then as /count), /flood (40 MiB at once), /pair/NAME (the two that ask for the
    same name are joined: messages and the close code go over). What follows a `?` only gives a connection a name."""

    def __init__(self) -> None:
        self.messages: list[int] = []
        self._closed: defaultdict[str, queue.Queue[int | None]] = defaultdict(queue.Queue)
        self._waiting: dict[str, queue.Queue[ServerConnection]] = {}
        self._lock = threading.Lock()
        self._server = serve(self._serve, "127.0.0.1", 0, compression=None, max_size=None)
        self.url = f"ws://127.0.0.1:{self._server.socket.getsockname()[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close_codes(self, path: str, count: int) -> list[int | None]:
        """With which codes so many connections of exactly this path were closed, once they are."""
        return [self._closed[path].get(timeout=PATIENCE) for _ in range(count)]

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()

    def _serve(self, socket: ServerConnection) -> None:
        path = socket.request.path if socket.request else ""
        try:
            self._behave(path.partition("?")[0], socket)
        except ConnectionClosed:
            pass
        finally:
            self._closed[path].put(socket.close_code)

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
            case _ if path.startswith("/pair/"):
                self._join(path, socket)
            case "/flood":
                for _ in range(40):
                    socket.send(bytes(1024 * 1024))
                socket.recv()

    def _join(self, name: str, socket: ServerConnection) -> None:
        with self._lock:
            waiting = self._waiting.pop(name, None)
            mine: queue.Queue[ServerConnection] = queue.Queue()
            if waiting is None:
                self._waiting[name] = mine
        if waiting is None:
            other = mine.get(timeout=10)
        else:
            # The one who waited serves both ends.
            waiting.put(socket)
            while socket.state is State.OPEN:
                time.sleep(0.01)
            return
        back = threading.Thread(target=_forward, args=(other, socket), daemon=True)
        back.start()
        _forward(socket, other)
        back.join()


def _forward(source: ServerConnection, sink: ServerConnection) -> None:
    try:
        while True:
            sink.send(source.recv())
    except ConnectionClosed:
        sink.close(source.close_code or 1011)
