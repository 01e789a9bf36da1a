"""A peer on CPython that trades beside a browser under test: in a thread with a loop of its own."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Coroutine, Iterator
from typing import TypeVar

from darkswap_browser import DarkSwap, NetworkConfig
from darkswap_browser.runtime.native.host import native_runtime
from tests.support.regtest import RegtestProcess

PATIENCE = 60.0

Value = TypeVar("Value")


class Headless:
    """`do(node.method(…))` from the test's own thread."""

    def __init__(self, node: DarkSwap, loop: asyncio.AbstractEventLoop) -> None:
        self.node = node
        self._loop = loop

    def do(self, work: Coroutine[object, object, Value]) -> Value:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE)

    def pause(self, gate: threading.Event) -> None:
        """Stands still until `gate` is set."""
        self._loop.call_soon_threadsafe(gate.wait)


@contextlib.contextmanager
def headless(chain: RegtestProcess, relay: str) -> Iterator[Headless]:
    """With a place at the relay and an empty wallet."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="headless peer")
    thread.start()
    config = {**chain.config, "network": {"relays": [relay]}, "identity": {"persist": False}}

    async def make() -> DarkSwap:
        node = DarkSwap(NetworkConfig.from_mapping(config), native_runtime())
        await node.make_relay_reservation(relay.rpartition("/")[2])
        await node.connect_wallet({"type": "seed"})
        return node

    try:
        node = asyncio.run_coroutine_threadsafe(make(), loop).result(PATIENCE)
        there = Headless(node, loop)
        try:
            yield there
        finally:
            there.do(node.stop())
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(PATIENCE)
        loop.close()
