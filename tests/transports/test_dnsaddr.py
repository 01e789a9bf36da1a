"""`/dnsaddr`: which records are dialled, in a simulated world."""

from __future__ import annotations

import base64

import pytest

from darkswap_browser.errors import DarkSwapError, DialFailed, NoAddress
from darkswap_browser.identity.multiaddr import Multiaddr
from darkswap_browser.identity.peer_id import PeerId
from darkswap_browser.net.limits import DEFAULT_LIMITS
from darkswap_browser.net.transport import ignore_step
from darkswap_browser.node.dns_over_https import dns_over_https
from darkswap_browser.runtime.base.dns import txt_question
from darkswap_browser.runtime.base.http import HttpResponse
from darkswap_browser.transports.dnsaddr import MAX_LOOKUPS, DnsaddrTransport
from tests.runtime.native.test_dns import answer, record

A = PeerId.parse("12D3KooWGzxzKZYveHXtpG6AsrUJBcWxHBFS2HsEoGTxrMLvKXtf")
B = PeerId.parse("12D3KooWBtg3aaRMjxwedh83aGiUkwSxDwUZkzuJcfaqUmo7R3pq")


class Below:
    """A transport that notes what it is asked, and connects to nothing."""

    name = "below"

    def __init__(self) -> None:
        self.dialled: list[str] = []

    def can_dial(self, address: Multiaddr) -> bool:
        return address.is_tcp or address.is_websocket

    async def dial(self, address, peer, on_step):
        self.dialled.append(str(address))
        raise DarkSwapError("nobody")


async def dialled(address: str, records: dict[str, list[str]]) -> tuple[list[str], list[str]]:
    """Addresses tried, and names asked."""
    asked: list[str] = []

    async def lookup(name: str) -> tuple[str, ...]:
        asked.append(name)
        return tuple(records.get(name, ()))

    below = Below()
    transport = DnsaddrTransport(lookup, (below,), DEFAULT_LIMITS)
    parsed = Multiaddr.parse(address)
    assert transport.can_dial(parsed)
    with pytest.raises((DialFailed, NoAddress)):
        await transport.dial(parsed, None, ignore_step)
    return below.dialled, asked


async def test_records_of_the_peer_are_dialled_and_others_left() -> None:
    records = {
        "_dnsaddr.a.example": [
            f"dnsaddr=/ip4/203.0.113.1/tcp/1/ws/p2p/{B}",
            f"dnsaddr=/ip4/203.0.113.2/tcp/1/ws/p2p/{A}",
            f"dnsaddr=/ip4/203.0.113.3/udp/1/quic-v1/p2p/{A}",
            "v=spf1 -all",
            "dnsaddr=/nonsense/1",
            f"/ip4/203.0.113.4/tcp/1/p2p/{A}",
            f"dnsaddr=/ip4/127.0.0.1/tcp/22/p2p/{A}",
            f"dnsaddr=/ip4/192.168.1.1/tcp/80/ws/p2p/{A}",
        ]
    }
    assert await dialled(f"/dnsaddr/a.example/p2p/{A}", records) == (
        [f"/ip4/203.0.113.2/tcp/1/ws/p2p/{A}"],
        ["_dnsaddr.a.example"],
    )


async def test_records_that_lead_on_are_followed_but_not_in_circles() -> None:
    records = {
        "_dnsaddr.a.example": [f"dnsaddr=/dnsaddr/b.example/p2p/{A}", f"dnsaddr=/dnsaddr/a.example/p2p/{A}"],
        "_dnsaddr.b.example": [f"dnsaddr=/dns4/relay.example/tcp/443/wss/p2p/{A}"],
    }
    tried, asked = await dialled(f"/dnsaddr/a.example/p2p/{A}", records)
    assert tried == [f"/dns4/relay.example/tcp/443/wss/p2p/{A}"]
    assert len(asked) == MAX_LOOKUPS


async def test_a_name_without_records_leads_nowhere() -> None:
    assert await dialled("/dnsaddr/a.example/tcp/443/wss", {}) == ([], ["_dnsaddr.a.example"])


def test_a_dnsaddr_is_no_address_of_a_socket() -> None:
    address = Multiaddr.parse("/dnsaddr/a.example/tcp/443/wss")
    assert not (address.is_websocket or address.is_tcp or address.is_webrtc_direct)


async def test_records_come_by_https_where_a_server_is_configured() -> None:
    class Fetching:
        async def request(self, method, url, *, headers=None, body=None, timeout, max_bytes):
            server, _, text = url.partition("?dns=")
            question = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
            assert (method, server, question) == ("GET", "https://dns.example/q", txt_question("_dnsaddr.a.example", 0))
            return HttpResponse(200, {}, answer(question, record(b"dnsaddr=x")))

    assert await dns_over_https(Fetching(), "https://dns.example/q")("_dnsaddr.a.example") == ("dnsaddr=x",)
