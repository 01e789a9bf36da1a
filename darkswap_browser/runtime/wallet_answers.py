"""How answers and errors of wallet extensions are told apart, the same on every host.

Codes: EIP-1193 4001 (UniSat and its clones, Leather), JSON-RPC -32000 (Xverse: "user rejection"), -32601 and -32001
("method not found" and "not supported").
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from darkswap_browser.errors import DarkSwapError, Unsupported, WalletFailed, WalletRejected

REJECTED = frozenset({4001, -32000})
UNKNOWN_METHOD = frozenset({-32601, -32001})
REFUSAL_WORDS = ("reject", "denied", "cancel", "declin")
"""What wallets without error codes (wallet-standard) say when the user closed the popup."""
MAX_REASON = 300
"""Characters of a wallet's own words that are shown on."""


def wallet_error(wallet: str, error: Any) -> DarkSwapError:
    """`error`: what was thrown, as a mapping with `code` and `message`, one with such an `error` in it, or a text."""
    if isinstance(error, Mapping) and isinstance(error.get("error"), Mapping):
        error = error["error"]
    code, message = (error.get("code"), error.get("message")) if isinstance(error, Mapping) else (None, error)
    reason = str(message or "gave no reason")[:MAX_REASON]
    if code in UNKNOWN_METHOD:
        return Unsupported(f"what was asked of {wallet}", reason)
    if code in REJECTED or (code is None and any(word in reason.lower() for word in REFUSAL_WORDS)):
        return WalletRejected(wallet, reason)
    return WalletFailed(wallet, reason if code is None else f"{reason} ({code})")


def result_of(wallet: str, answer: Any) -> Any:
    """The `result` of a JSON-RPC answer. Raises as `wallet_error` says when it carries an error instead."""
    if not isinstance(answer, Mapping):
        raise WalletFailed(wallet, "answered with something else than a JSON-RPC response")
    if answer.get("error") is not None:
        raise wallet_error(wallet, answer)
    return answer.get("result")
