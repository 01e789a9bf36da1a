"""Pages with darkswap.mjs in them, and the relay that introduces them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.support.scripted_page import ScriptedPage

LOAD = """globalThis.lib = await import("/darkswap.mjs");
globalThis.pyodide = (await lib.default({ defaults: args[0] })).pyodide;"""


@dataclass(frozen=True)
class Relay:
    """Our relay, running as a process."""

    address: str

    @property
    def peer_id(self) -> str:
        return self.address.rpartition("/")[2]


class OpenPage:
    """A page of the test site, used through the JavaScript face."""

    def __init__(self, page: ScriptedPage) -> None:
        self.page = page
        self.peer_id = ""

    def loaded(self, **defaults: object) -> OpenPage:
        self.page.run_js(LOAD, defaults, timeout=60)
        return self

    def node(self, relay: Relay) -> OpenPage:
        """`globalThis.node`: started, with a reservation, beside whatever node of the default identity a test makes."""
        self.peer_id = self.page.run_js(
            """globalThis.node = new lib.DarkSwapWasm({ identity: { name: "node" } });
            await node.make_webrtc_relay_reservation(args[0]);
            return await node.local_peer_id();""",
            relay.peer_id,
        )
        return self

    def run(self, script: str, *args: object, during: Callable[[], object] | None = None, timeout: float = 30.0) -> Any:
        """Runs a script; `during` does something else while it runs."""
        job = self.page.start(script, *args)
        if during is not None:
            during()
        return job.wait(timeout)
