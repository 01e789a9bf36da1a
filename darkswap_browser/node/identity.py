"""The key of this node: loaded from the store, made at first use."""

from __future__ import annotations

from darkswap_browser.errors import Unsupported
from darkswap_browser.identity.keys import Identity
from darkswap_browser.node.config import NetworkConfig
from darkswap_browser.runtime.base.host import Runtime


async def load_identity(config: NetworkConfig, runtime: Runtime) -> Identity:
    """The key kept under the configured name, made at first use. Where storage is blocked, one for this run only."""
    if not config.persist:
        return await Identity.generate(runtime.crypto)
    name = f"identity/{config.identity_name}"
    try:
        key = await runtime.store.load_signing_key(name)
        if key is None:
            key = await runtime.crypto.generate_signing_key()
            await runtime.store.save_signing_key(name, key)
    except Unsupported:
        return await Identity.generate(runtime.crypto)
    return Identity(key)
