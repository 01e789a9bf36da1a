"""One wallet extension of each family, installed in a page of the simulated world."""

from __future__ import annotations

from dataclasses import dataclass

from darkswap_browser.bitcoin.address import address_of
from darkswap_browser.testing.wallets import ScriptedProviders
from darkswap_browser.testing.world import SimulatedWorld
from darkswap_browser.wallets.base import Wallet
from darkswap_browser.wallets.connect import connect
from tests.support import scripted_wallet as scripted
from tests.support.native_identity import CRYPTO
from tests.support.scripted_wallet import Keys, Manner, ScriptedExtension, accounts_of

FAMILIES: dict[str, type[ScriptedExtension]] = {
    "okx": scripted.UnisatExtension,
    "unisat": scripted.UnisatExtension,
    "xverse": scripted.XverseExtension,
    "sats-connect:magicEden.bitcoin": scripted.XverseExtension,
    "leather": scripted.LeatherExtension,
    "standard:Some Wallet": scripted.StandardExtension,
}


@dataclass
class Desk:
    kind: str
    providers: ScriptedProviders
    extension: ScriptedExtension
    network: str

    async def connect(self) -> Wallet:
        return await connect(self.kind, self.network, self.providers)


def desk(kind: str, manner: Manner = scripted.honest, *, nested: bool = False, delay: float = 0.0) -> Desk:
    """UniSat knows no regtest: there it is signet, for which the keys are the same."""
    network = "signet" if FAMILIES[kind] is scripted.UnisatExtension else "regtest"
    taproot, segwit = accounts_of(network)
    keys = Keys(network, nested=nested)
    payment = nested_address(keys, network) if nested else segwit.address
    extension = FAMILIES[kind](keys, (taproot.address, payment), manner, delay=delay)
    extension.network = network
    providers = SimulatedWorld(crypto=CRYPTO).wallets("alice")
    providers.install(kind, extension)
    return Desk(kind, providers, extension, network)


def nested_address(keys: Keys, network: str) -> str:
    address = address_of(keys.scripts[1], network)
    assert address is not None
    return address
