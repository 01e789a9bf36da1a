"""Wallets in extensions by name: which are there, and how one becomes a `Wallet`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from darkswap_browser.bitcoin.address import STYLES
from darkswap_browser.errors import InvalidArgument
from darkswap_browser.runtime.base.wallet_extensions import WalletProviders
from darkswap_browser.wallets import leather, sats_connect, unisat, wallet_standard
from darkswap_browser.wallets.base import Wallet


async def available(providers: WalletProviders) -> Sequence[str]:
    """Names that `connect` takes now, in the order found."""
    return [name for name in await providers.discover() if _is_known(name)]


def subscribe_available(providers: WalletProviders, callback: Callable[[str], None]) -> Callable[[], None]:
    """Call `callback` with each name that `connect` takes and that was not there at the first `available`.

    Returns:
        The function that ends it. Idempotent.
    """

    def discovered(name: str) -> None:
        if _is_known(name):
            callback(name)

    return providers.subscribe_discovered(discovered)


async def connect(kind: str, network: str, providers: WalletProviders) -> Wallet:
    """Opens the wallet's popup, so call it from a click. Raises `WalletRejected`, `WalletFailed`, `Unsupported`."""
    if network not in STYLES:
        raise InvalidArgument("network", f"{network[:80]!r} is not one of {', '.join(STYLES)}")
    if kind in unisat.KINDS:
        return await unisat.connect_unisat(providers, kind, network)
    if kind == "xverse" or kind.startswith(sats_connect.PREFIX):
        return await sats_connect.connect_sats_connect(providers, kind, network)
    if kind == "leather":
        return await leather.connect_leather(providers, kind, network)
    if kind.startswith(wallet_standard.PREFIX):
        return await wallet_standard.connect_standard(providers, kind, network)
    raise InvalidArgument("kind", f"{kind[:80]!r} is no wallet that is known here")


def _is_known(name: str) -> bool:
    prefixes = (sats_connect.PREFIX, wallet_standard.PREFIX)
    return name in (*unisat.KINDS, "xverse", "leather") or name.startswith(prefixes)
