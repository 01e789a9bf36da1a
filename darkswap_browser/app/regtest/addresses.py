"""Regtest addresses ⇄ scripts, by embit: a second opinion beside `bitcoin/address`."""

from __future__ import annotations

from embit.base import EmbitError
from embit.networks import NETWORKS
from embit.script import Script, address_to_scriptpubkey

from darkswap_browser.errors import InvalidArgument

REGTEST = NETWORKS["regtest"]
MAX_ADDRESS = 90
"""Characters of the longest bech32 text (BIP173)."""


def script_of(address: str, path: str = "address") -> bytes:
    """Raises `InvalidArgument`."""
    try:
        if len(address) > MAX_ADDRESS:
            raise ValueError("it is too long")
        script = address_to_scriptpubkey(address).data
        if address_of(script) != address.lower() and address_of(script) != address:
            raise ValueError("it belongs to another network")
    except (EmbitError, AttributeError, IndexError, TypeError, ValueError) as error:
        raise InvalidArgument(path, f"{address[:100]!r} is no address of regtest") from error
    return bytes(script)


def address_of(script: bytes) -> str | None:
    """None for scripts without an address."""
    try:
        return str(Script(script).address(REGTEST))
    except ValueError:
        return None
