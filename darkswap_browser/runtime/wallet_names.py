"""Names of wallet extensions, and where in `window` each puts its object: the same for every tab of a site.

Three families: objects with methods of their own (UniSat and its clones), objects with one `request` (sats-connect,
Leather), and wallet-standard ones, which register themselves by events and carry functions by feature.
"""

from __future__ import annotations

OWN_METHODS = {
    "unisat": "unisat",
    "okx": "okxwallet.bitcoin",
    "okx-testnet": "okxwallet.bitcoinTestnet",
    "okx-signet": "okxwallet.bitcoinSignet",
    "wizz": "wizz",
    "tokeo": "tokeo.bitcoin",
    "keplr": "keplr.bitcoin",
}
"""Name → path in `window`."""
REQUESTS = {"xverse": ("XverseProviders.BitcoinProvider", "BitcoinProvider"), "leather": ("LeatherProvider",)}
"""Name → paths, of which the first that is there counts."""
PATHS = {**{name: (path,) for name, path in OWN_METHODS.items()}, **REQUESTS}
KNOWN_PATHS = frozenset(path for paths in PATHS.values() for path in paths)
LISTED = "sats-connect:"
"""Followed by the id that a wallet gave in `window.btc_providers`: its path in `window`."""
STANDARD = "standard:"
"""Followed by the name of a wallet-standard wallet."""
ACCOUNT_FIELDS = ("address", "publicKey", "chains", "features", "label", "purpose")
"""What is read of a wallet-standard account, which may keep it as getters."""
ERROR_FIELDS = ("code", "message", "error")
"""Of what was thrown: an Error's own are not enumerable."""
EVENTS = {
    "accountsChanged": "accounts",
    "accountChange": "accounts",
    "chainChanged": "network",
    "networkChange": "network",
    "disconnect": "disconnect",
}
"""Words of the wallets → those of `WalletProviders.subscribe`."""

MAX_LISTED = 32
"""Wallets that announce themselves: a page full of them is no page of wallets."""
MAX_STANDARD = 32
MAX_NAME = 64
"""Characters of a wallet-standard wallet's name."""
LATE_SECONDS = 3.0
"""Extensions put their object into the page up to this long after it loaded, most of them without an event."""
POLL_SECONDS = 0.1
MAX_DEPTH = 8
MAX_VALUES = 10_000
"""Values of one answer: a signed PSBT is one text, a list of accounts some tens."""
MAX_LENGTH = 4_000_000
"""Characters of a text or bytes of an array: a PSBT of the largest transactions that are relayed, in hex."""
