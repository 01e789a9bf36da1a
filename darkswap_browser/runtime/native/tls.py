"""Certificates of our own listeners."""

from __future__ import annotations

import ssl

from darkswap_browser.errors import InvalidArgument


def server_tls(paths: tuple[str, str]) -> ssl.SSLContext:
    """`paths`: certificate chain and private key (PEM). Raises `InvalidArgument`."""
    certificate, key = paths
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(certificate, key)
    except OSError as error:  # ssl.SSLError is one
        raise InvalidArgument("tls", f"{certificate}, {key}: {error}") from error
    return context
