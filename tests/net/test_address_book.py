"""Known addresses: expiry, order, caps."""

from __future__ import annotations

import dataclasses

from darkswap_browser.identity.multiaddr import Multiaddr
from darkswap_browser.net.address_book import AddressBook
from darkswap_browser.net.limits import DEFAULT_LIMITS
from tests.support.pipe import identity


def address(number: int) -> Multiaddr:
    return Multiaddr.parse(f"/ip4/127.0.0.1/tcp/{number}")


async def test_the_address_learnt_last_comes_first():
    book, peer = AddressBook(DEFAULT_LIMITS), (await identity("a")).peer_id
    book.add(peer, [address(1), address(2)], now=0, ttl=10)
    book.add(peer, [address(1)], now=1, ttl=10)
    assert book.addresses(peer, now=2) == (address(1), address(2))


async def test_addresses_expire_and_never_sooner_for_being_repeated():
    book, peer = AddressBook(DEFAULT_LIMITS), (await identity("a")).peer_id
    book.add(peer, [address(1)], now=0, ttl=100)
    book.add(peer, [address(1), address(2)], now=0, ttl=10)
    assert book.addresses(peer, now=50) == (address(1),)
    assert book.addresses(peer, now=100) == ()


async def test_a_peer_that_names_too_many_addresses_keeps_the_newest():
    book = AddressBook(dataclasses.replace(DEFAULT_LIMITS, identify_addresses=3))
    peer = (await identity("a")).peer_id
    book.add(peer, [address(number) for number in range(10)], now=0, ttl=10)
    assert book.addresses(peer, now=1) == (address(9), address(8), address(7))


async def test_the_peer_touched_longest_ago_is_dropped():
    book = AddressBook(dataclasses.replace(DEFAULT_LIMITS, address_book_peers=2))
    first, second, third = [(await identity(name)).peer_id for name in "abc"]
    book.add(first, [address(1)], now=0, ttl=10)
    book.add(second, [address(2)], now=0, ttl=10)
    book.set_agent(first, "js-libp2p/3")
    book.add(third, [address(3)], now=0, ttl=10)
    assert len(book) == 2
    assert book.addresses(second, now=1) == ()
    assert book.agent(first) == "js-libp2p/3"


async def test_what_is_not_known_is_empty_and_can_be_forgotten():
    book, peer = AddressBook(DEFAULT_LIMITS), (await identity("a")).peer_id
    assert (book.addresses(peer, 0), book.protocols(peer), book.agent(peer)) == ((), (), "")
    book.set_protocols(peer, ["/a", "/b"])
    assert book.protocols(peer) == ("/a", "/b")
    book.forget(peer)
    assert book.protocols(peer) == ()
    book.forget(peer)
