"""Which addresses of a peer may be dialled."""

from __future__ import annotations

import pytest

from darkswap_browser.identity.multiaddr import Multiaddr
from darkswap_browser.net.reach import LOOPBACK, private_network, usable


@pytest.mark.parametrize(
    ("host", "network"),
    [
        ("127.0.0.1", LOOPBACK),
        ("127.9.9.9", LOOPBACK),
        ("0.0.0.0", LOOPBACK),
        ("::1", LOOPBACK),
        ("::", LOOPBACK),
        ("::ffff:127.0.0.1", LOOPBACK),
        ("64:ff9b::7f00:1", LOOPBACK),
        ("localhost", LOOPBACK),
        ("a.localhost.", LOOPBACK),
        ("10.1.2.3", "10.1.2.0/24"),
        ("172.31.255.1", "172.31.255.0/24"),
        ("192.168.7.9", "192.168.7.0/24"),
        ("169.254.169.254", "169.254.169.0/24"),
        ("100.64.0.1", "100.64.0.0/24"),
        ("::ffff:10.1.2.3", "10.1.2.0/24"),
        ("fd00:1::5", "fd00:1::/64"),
        ("fe80::5%eth0", "fe80::/64"),
        ("203.0.113.5", None),
        ("172.32.0.1", None),
        ("2001:db8::1", None),
        ("relay.example", None),
        (None, None),
    ],
)
def test_a_host_is_in_a_private_network_or_in_the_internet(host: str | None, network: str | None) -> None:
    assert private_network(host) == network


def test_private_addresses_are_usable_where_we_are_too() -> None:
    texts = ["/ip4/127.0.0.1/tcp/1", "/ip4/10.0.0.7/tcp/1/ws", "/ip4/10.0.1.7/tcp/1", "/ip4/203.0.113.5/tcp/1"]
    addresses = [Multiaddr.parse(text) for text in texts]
    assert usable(addresses, ()) == (addresses[3],)
    assert usable(addresses, ["198.51.100.1", None]) == (addresses[3],)
    assert usable(addresses, ["10.0.0.1"]) == (addresses[1], addresses[3])
    assert usable(addresses, ["::1"]) == (addresses[0], addresses[3])
    circuit = Multiaddr.parse(
        "/ip4/192.168.1.1/tcp/1/ws/p2p/12D3KooWGzxzKZYveHXtpG6AsrUJBcWxHBFS2HsEoGTxrMLvKXtf/p2p-circuit"
    )
    assert usable([circuit], ["127.0.0.1"]) == ()
