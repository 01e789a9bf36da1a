"""The key of this node: loaded from the store, made at first use, and run by one node at a time where that matters."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

from darkswap_browser.errors import IdentityInUse, Unsupported
from darkswap_browser.identity.keys import Identity, load_or_make_key
from darkswap_browser.node.config import IDENTITY_NAME, NetworkConfig
from darkswap_browser.runtime.base.host import Runtime
from darkswap_browser.wire.records import read_argument

PATIENCE = 3.0
"""Seconds to wait for another node of the identity: a program that is being restarted has ended by then."""
FOLDER_HINT = (
    "Stop the other program, or give this one a folder of its own (the data= argument, --data or DARKSWAP_DATA) or "
    "another identity.name."
)


async def load_identity(config: NetworkConfig, runtime: Runtime) -> Identity:
    """The key kept under the configured name, made at first use. Where storage is blocked, one for this run only.

    Raises `InvalidArgument` for a name that is none.
    """
    read_argument(IDENTITY_NAME, "identity.name", config.identity_name)
    if not config.persist:
        return await Identity.generate(runtime.crypto)
    try:
        return Identity(await load_or_make_key(runtime, f"identity/{config.identity_name}"))
    except Unsupported:
        return await Identity.generate(runtime.crypto)


async def hold_identity(config: NetworkConfig, runtime: Runtime, identity: Identity) -> AsyncExitStack:
    """The right to run the node of an identity, until the result is closed, which takes no time.

    Two nodes of one identity take each other's place at relays, and messages for it reach either.

    Raises:
        IdentityInUse: Another process of this folder still runs it after `PATIENCE`.

    Cancellation: Safe; nothing is held.
    """
    async with AsyncExitStack() as held:
        if runtime.node_locks is not None and config.persist:
            try:
                async with asyncio.timeout(PATIENCE):
                    await held.enter_async_context(runtime.node_locks.hold(f"darkswap/node/{config.identity_name}"))
            except TimeoutError:
                raise IdentityInUse(str(identity.peer_id), FOLDER_HINT) from None
        return held.pop_all()
