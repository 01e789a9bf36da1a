"""The names of the rules: `bitcoin` says what does not hold, settlement by which rule that ends a trade."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from darkswap_browser.errors import SignatureInvalid, VerificationFailed


@contextmanager
def checked_by(rule: str) -> Iterator[None]:
    """Raises `VerificationFailed(rule)` where a signature that is verified inside does not hold."""
    try:
        yield
    except SignatureInvalid as error:
        raise VerificationFailed(rule, error.reason) from None
