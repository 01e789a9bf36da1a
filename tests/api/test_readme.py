"""What the README says of the Python interface, tried without a network; tests/interop runs its programs."""

from __future__ import annotations

import json

from darkswap_browser import NetworkConfig
from tests.support.readme import blocks

RELAY_ID = "12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp"
"""Stands for the one that the README leaves out, as each relay has its own."""


def test_configuration_of_the_readme_is_what_network_config_takes() -> None:
    (text,) = blocks("json")
    assert text.count("12D3KooW…") == 1
    config = NetworkConfig.from_mapping(json.loads(text.replace("12D3KooW…", RELAY_ID)))
    assert config.bitcoin_network == "regtest"
    assert config.relays and config.trading.esplora and config.trading.ord and config.trading.alkanes
