"""Configuration: merged over defaults, and refused with the path of what is wrong."""

from __future__ import annotations

import pytest

from darkswap_browser.errors import InvalidArgument
from darkswap_browser.node.config import BITCOIN_NETWORKS, NetworkConfig
from darkswap_browser.protocols.relay.early_data import EarlyData

RELAY = "/dns4/relay.example/tcp/443/wss/p2p/12D3KooWQCkBm1BYtkHpocxCwMgR8yjitEeHGx8spzcDLGt2gkBm"


def test_every_part_is_optional_and_falls_back_to_its_default():
    assert NetworkConfig.from_mapping({}) == NetworkConfig()
    assert NetworkConfig.from_mapping(None) == NetworkConfig()
    config = NetworkConfig.from_mapping({"network": {"relays": [RELAY], "relay_only": None}})
    assert [str(relay) for relay in config.relays] == [RELAY]
    assert not config.relay_only
    assert config.bitcoin_network == "mainnet"


@pytest.mark.parametrize("network", BITCOIN_NETWORKS)
def test_each_bitcoin_network_has_a_preset(network):
    assert NetworkConfig.preset(network).bitcoin_network == network


def test_json_text_is_read_as_well():
    text = '{"bitcoin": {"network": "signet"}, "network": {"direct_timeout_ms": 2500}, "identity": {"persist": false}}'
    config = NetworkConfig.from_mapping(text)
    assert (config.bitcoin_network, config.direct_timeout, config.persist) == ("signet", 2.5, False)


def test_relay_early_data_is_sent_to_known_relays_unless_told_otherwise():
    assert NetworkConfig().relay_early_data is EarlyData.KNOWN
    assert NetworkConfig.from_mapping({"network": {"relay_early_data": "never"}}).relay_early_data is EarlyData.NEVER


def test_ice_servers_become_what_the_browser_wants():
    servers = [{"urls": "stun:stun.example"}, {"urls": ["turn:t.example"], "username": "u", "credential": "c"}]
    config = NetworkConfig.from_mapping({"network": {"ice_servers": servers, "relay_only": True}})
    assert [server.urls for server in config.rtc.ice_servers] == [("stun:stun.example",), ("turn:t.example",)]
    assert config.rtc.relay_only


def test_chain_servers_and_terms_of_trade_are_read():
    chain = {"esplora": ["http://127.0.0.1:3002/api/"], "ord": ["http://127.0.0.1:3002/ord"], "quorum": 1}
    trade = {"fee_rule": "taker_pays", "max_fee_rate": 2.5, "confirmations": 2}
    trading = NetworkConfig.from_mapping({"chain": chain, "trade": trade}).trading
    assert (trading.esplora, trading.ord) == (("http://127.0.0.1:3002/api",), ("http://127.0.0.1:3002/ord",))
    assert (trading.fee_rule, trading.max_fee_rate, trading.confirmations) == ("taker_pays", 2500, 2)
    assert not trading.private_sales


def test_servers_that_are_not_named_are_the_public_ones_of_the_network():
    trading = NetworkConfig.preset("mainnet").trading.with_public_servers("mainnet")
    assert len(trading.esplora) == 2
    assert NetworkConfig().trading.with_public_servers("regtest").esplora == ()


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ("nonsense", "config"),
        ([], "config"),
        ({"net": {}}, "net"),
        ({"network": []}, "network"),
        ({"network": {"relay": []}}, "network.relay"),
        ({"network": {"relays": "x"}}, "network.relays"),
        ({"network": {"relays": [RELAY, "/dns4/x"]}}, "network.relays[1]"),
        ({"network": {"relays": ["/ip4/1.2.3.4/tcp/1/ws"]}}, "network.relays[0]"),
        ({"network": {"relays": [7]}}, "network.relays[0]"),
        ({"network": {"relays": [RELAY] * 33}}, "network.relays"),
        ({"network": {"direct": "yes"}}, "network.direct"),
        ({"network": {"relay_stun": 1}}, "network.relay_stun"),
        ({"network": {"dns_over_https": "dns.example"}}, "network.dns_over_https"),
        ({"network": {"signaling": "psychic"}}, "network.signaling"),
        ({"network": {"relay_early_data": True}}, "network.relay_early_data"),
        ({"network": {"connect_timeout_ms": 0}}, "network.connect_timeout_ms"),
        ({"network": {"connect_timeout_ms": True}}, "network.connect_timeout_ms"),
        ({"network": {"ice_servers": [{"urls": "http://x"}]}}, "network.ice_servers[0].urls"),
        ({"network": {"ice_servers": [{"urls": "turn:x"}]}}, "network.ice_servers[0]"),
        ({"network": {"ice_servers": [{"url": "stun:x"}]}}, "network.ice_servers[0].url"),
        ({"bitcoin": {"network": "dogecoin"}}, "bitcoin.network"),
        ({"chain": {"esplora": ["ftp://x"]}}, "chain.esplora[0]"),
        ({"chain": {"ord": ["http://x"] * 9}}, "chain.ord"),
        ({"chain": {"quorum": 0}}, "chain.quorum"),
        ({"chain": {"quorum": 3}}, "chain.quorum"),
        ({"chain": {"quorum": 2}}, "chain.quorum"),
        ({"chain": {"quorum": 2, "esplora": ["http://a"]}}, "chain.quorum"),
        ({"chain": {"quorum": 2, "esplora": ["http://a", "http://a/"]}}, "chain.quorum"),
        ({"bitcoin": {"network": "regtest"}, "chain": {"quorum": 2, "ord": ["http://a"]}}, "chain.quorum"),
        ({"chain": {"faucet": 1}}, "chain.faucet"),
        ({"trade": {"fee_rule": "nobody"}}, "trade.fee_rule"),
        ({"trade": {"max_fee_rate": 0.5}}, "trade.max_fee_rate"),
        ({"trade": {"confirmations": "1"}}, "trade.confirmations"),
        ({"trade": {"private_sales": 1}}, "trade.private_sales"),
        ({"identity": {"name": ""}}, "identity.name"),
    ],
    ids=str,
)
def test_what_is_wrong_is_named_by_its_path(given, path):
    with pytest.raises(InvalidArgument) as error:
        NetworkConfig.from_mapping(given)
    assert error.value.path == path
    assert error.value.hint


def test_quorum_that_the_servers_of_each_kind_can_meet_is_taken():
    two = ["http://a", "http://b"]
    for chain in ({"esplora": two}, {"esplora": two, "ord": two}, {"esplora": two, "ord": two, "alkanes": two}, {}):
        given = {"bitcoin": {"network": "regtest"}, "chain": {**chain, "quorum": 2}}
        assert NetworkConfig.from_mapping(given).trading.quorum == 2
    assert NetworkConfig.from_mapping({"bitcoin": {"network": "mainnet"}}).trading.quorum is None


def test_quorum_that_cannot_be_met_says_which_servers_are_missing():
    with pytest.raises(InvalidArgument, match=r"is 2, and chain\.alkanes has 1 server") as error:
        NetworkConfig.from_mapping({"bitcoin": {"network": "mainnet"}, "chain": {"quorum": 2}})
    assert "alkanes servers of different operators" in error.value.hint
