"""Wallets that can be connected: those that are there at once, later ones by an event."""

from __future__ import annotations

import asyncio
from typing import Any

from darkswap_browser.api.darkswap import DarkSwap
from darkswap_browser.node.config import NetworkConfig
from darkswap_browser.testing.wallets import ScriptedProviders
from darkswap_browser.testing.world import SimulatedWorld
from tests.support.native_identity import CRYPTO


async def test_later_wallet_is_told_by_an_event_until_the_node_stops() -> None:
    runtime = SimulatedWorld(crypto=CRYPTO).runtime("alice")
    providers = runtime.wallet_providers
    assert isinstance(providers, ScriptedProviders)

    async def silent(method: str, params: Any) -> None:
        return None

    node = DarkSwap(NetworkConfig(bitcoin_network="regtest"), runtime)
    told: list[object] = []
    node.subscribe(lambda event: told.append(event.fields["kind"]) if event.type == "wallet_available" else None)
    providers.install("unisat", silent)
    await node.start()
    before = asyncio.get_running_loop().time()
    assert await node.get_available_wallets() == ["seed", "unisat"]
    assert asyncio.get_running_loop().time() == before
    providers.install("metamask", silent)
    providers.install("leather", silent)
    await asyncio.sleep(0.1)
    assert told == ["leather"]
    assert await node.get_available_wallets() == ["seed", "unisat", "leather"]
    await node.stop()
    providers.install("xverse", silent)
    await asyncio.sleep(0.1)
    assert told == ["leather"]
    await node.start()
    assert await node.get_available_wallets() == ["seed", "unisat", "leather", "xverse"]
    providers.install("keplr", silent)
    await asyncio.sleep(0.1)
    assert told == ["leather", "keplr"]
    await node.stop()
