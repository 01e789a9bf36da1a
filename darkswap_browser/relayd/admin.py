"""The relay's health: how late the event loop runs, and the admin port that tells."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from darkswap_browser.relayd.metrics import CONTENT_TYPE, RelayMetrics
from darkswap_browser.runtime.base.links import ByteLink, LinkListener
from darkswap_browser.runtime.native.sockets import HttpAnswer, NativeSockets

LAG_INTERVAL = 0.25
LAG_WINDOW = 40
"""Samples looked back on: ten seconds."""
HEALTHY_LAG = 0.25
"""Seconds. Peers expect identify and ping within 5 s, which a loop this late still keeps."""
TEXT = "text/plain; charset=utf-8"
GREETING = b"This is a libp2p circuit relay; peers speak WebSocket to it.\n"


class LoopLag:
    """Sleeps, and measures how much longer that took."""

    def __init__(self, observe: Callable[[float], None]) -> None:
        self._observe = observe
        self._recent: deque[float] = deque(maxlen=LAG_WINDOW)

    @property
    def worst(self) -> float:
        """Of the last ten seconds."""
        return max(self._recent, default=0.0)

    async def measure(self) -> None:
        """For ever."""
        loop = asyncio.get_running_loop()
        while True:
            started = loop.time()
            await asyncio.sleep(LAG_INTERVAL)
            lag = max(loop.time() - started - LAG_INTERVAL, 0.0)
            self._recent.append(lag)
            self._observe(lag)


class Admin:
    """`GET /metrics`, `/healthz` (the loop is in time and a port is open) and `/readyz` (new peers are welcome)."""

    def __init__(
        self, metrics: RelayMetrics, lag: LoopLag, listening: Callable[[], bool], ready: Callable[[], bool]
    ) -> None:
        self._metrics = metrics
        self._lag = lag
        self._listening = listening
        self._ready = ready

    async def listen(self, host: str, port: int) -> LinkListener:
        """Raises `ListenFailed` when the port is taken."""
        return await NativeSockets(plain_http=self.answer).listen_websocket(host, port, _no_websocket)

    def answer(self, path: str) -> HttpAnswer:
        path = path.partition("?")[0]
        if path == "/metrics":
            return HttpAnswer(200, CONTENT_TYPE, self._metrics.text())
        if path == "/healthz":
            lag = self._lag.worst
            healthy = self._listening() and lag < HEALTHY_LAG
            text = f"{'ok' if healthy else 'unhealthy'}; event loop late by at most {lag * 1000:.0f} ms\n"
            return HttpAnswer(200 if healthy else 503, TEXT, text.encode())
        if path == "/readyz":
            ready = self._ready()
            return HttpAnswer(200 if ready else 503, TEXT, b"ready\n" if ready else b"not ready\n")
        return HttpAnswer(404, TEXT, b"Here are /metrics, /healthz and /readyz.\n")


def landing_page(path: str) -> HttpAnswer | None:
    """What a browser sees that opens the relay's own port."""
    return HttpAnswer(200, TEXT, GREETING) if path.partition("?")[0] == "/" else None


async def _no_websocket(link: ByteLink, ip: str) -> None:
    link.reset()
