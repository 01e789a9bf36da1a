from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkswap_browser.errors import InvalidArgument, MalformedMessage
from darkswap_browser.identity.multiaddr import Component, Multiaddr
from darkswap_browser.identity.multiaddr_protocols import BY_NAME, Size
from darkswap_browser.identity.peer_id import PeerId
from tests.support.hostile import assert_only_malformed, damaged, mutations

A = "12D3KooWBtg3aaRMjxwedh83aGiUkwSxDwUZkzuJcfaqUmo7R3pq"
R = "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N"
CERT = "uEiDikp5KVUgkLta1EjUN-IKbHk-dUBg8VzKgf5nXxLK46w"
R_HEX = PeerId.parse(R).to_bytes().hex()
A_HEX = PeerId.parse(A).to_bytes().hex()

# Computed with js-multiaddr.
CASES = [
    ("/ip4/127.0.0.1/tcp/9001/ws", "047f000001062329dd03"),
    ("/dns4/relay.example/tcp/443/tls/ws", "360d72656c61792e6578616d706c650601bbc003dd03"),
    ("/dns4/relay.example/tcp/443/wss", "360d72656c61792e6578616d706c650601bbde03"),
    ("/ip6/::1/tcp/1/ws", "2900000000000000000000000000000001060001dd03"),
    ("/dns4/a.b/tcp/443/tls/sni/c.d/ws", "3603612e620601bbc003c10303632e64dd03"),
    (f"/ip4/1.2.3.4/udp/1234/webrtc-direct/certhash/{CERT}",
     "0401020304910204d29802d203221220e2929e4a5548242ed6b512350df8829b1e4f9d50183c5732a07f99d7c4b2b8eb"),
    (f"/p2p/{R}/p2p-circuit/webrtc/p2p/{A}", f"a50322{R_HEX}a2029902a50326{A_HEX}"),
    ("/unix/run/a.sock", "90030b2f72756e2f612e736f636b"),
    ("/memory/7", "89060000000000000007"),
    ("/ip6zone/eth0/ip6/fe80::1/tcp/80", "2a0465746830" + "29fe800000000000000000000000000001" + "060050"),
    ("/dns/a/http-path/b%2Fc", "350161e10303622f63"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "data"), CASES)
def test_both_ways(text: str, data: str) -> None:
    address = Multiaddr.parse(text)
    assert address.to_bytes().hex() == data
    assert Multiaddr.from_bytes(bytes.fromhex(data)) == address
    assert str(address) == text
    assert hash(Multiaddr.from_bytes(bytes.fromhex(data))) == hash(address)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("/ip4/1.2.3.4/tcp/1/", "/ip4/1.2.3.4/tcp/1"),
        ("/ip6/0:0:0:0:0:0:0:1//", "/ip6/::1"),
        ("/ip6/::ffff:1.2.3.4", "/ip6/::ffff:102:304"),
        ("/ip6/2001:DB8::A", "/ip6/2001:db8::a"),
        ("/tcp/0080", "/tcp/80"),
        (f"/ipfs/{A}", f"/p2p/{A}"),
        (f"/p2p/{PeerId.parse(A).to_cid_text()}", f"/p2p/{A}"),
        ("/http-path/a%2fb", "/http-path/a%2Fb"),
    ],
)
def test_other_ways_to_write_it_become_the_canonical_one(text: str, canonical: str) -> None:
    assert str(Multiaddr.parse(text)) == canonical
    assert Multiaddr.parse(text) == Multiaddr.parse(canonical)


NOT_ADDRESSES = ["", "/", "//", "ip4/1.2.3.4", "/ip4", "/ip4/1.2.3", "/ip4/1.2.3.4/tcp", "/ip4/1.2.3.4/tcp/65536",
                 "/tcp/-1", "/tcp/+1", "/tcp/1e3", "/tcp/\u0661", "/ip6/1.2.3.4", "/ip6/fe80::1%eth0", "/nonsense/1",
                 "/ip4/1.2.3.4//tcp/1", "/p2p/hello", "/p2p/", "/certhash/uAAAA", "/certhash/" + CERT + "=", "/dns/",
                 "/dns/a b", "/dns/\ud800", "/unix", "/memory/18446744073709551616", "/ws" * 33,
                 "/dns/" + "a" * 4000, "/ip4/01.2.3.4"]  # fmt: skip


@pytest.mark.parametrize("text", NOT_ADDRESSES, ids=lambda text: ascii(text[:30]))
def test_other_text_is_an_invalid_argument(text: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        Multiaddr.parse(text)
    assert caught.value.path == "multiaddr"
    assert len(str(caught.value)) < 2000


@pytest.mark.parametrize(
    "data",
    [
        "",
        "04010203",
        "84007f000001",
        "3600",
        "3602612f",
        "3601ff",
        "ff7f",
        "0601",
        "a5030000",
        "d2030212",
        "36ffffffffffffffff7f",
        "dd03" * 33,
        "9003022f2f",
    ],
)
def test_broken_or_unknown_bytes_are_malformed(data: str) -> None:
    with pytest.raises(MalformedMessage):
        Multiaddr.from_bytes(bytes.fromhex(data))


def test_an_address_over_the_size_limit_is_malformed() -> None:
    with pytest.raises(MalformedMessage, match="1026 bytes"):
        Multiaddr.from_bytes(b"\xdd\x03" * 513)


def test_the_peer_is_the_last_one_and_the_relay_the_one_before_the_circuit() -> None:
    address = Multiaddr.parse(f"/dns4/r/tcp/443/wss/p2p/{R}/p2p-circuit/webrtc/p2p/{A}")
    assert address.peer_id() == PeerId.parse(A)
    assert address.relay_peer_id() == PeerId.parse(R)
    assert str(address.without_peer()).endswith("/p2p-circuit/webrtc")
    relay, rest = address.split_circuit() or (None, None)
    assert (str(relay), str(rest)) == (f"/dns4/r/tcp/443/wss/p2p/{R}", f"/webrtc/p2p/{A}")


def test_a_circuit_without_target_names_no_peer() -> None:
    address = Multiaddr.parse(f"/ip4/1.2.3.4/tcp/1/p2p/{R}/p2p-circuit")
    assert address.peer_id() is None
    assert address.relay_peer_id() == PeerId.parse(R)
    assert Multiaddr.parse("/p2p-circuit").split_circuit() == (Multiaddr(()), Multiaddr(()))
    assert Multiaddr.parse("/ip4/1.2.3.4/tcp/1").split_circuit() is None


def test_parts_are_read_by_name() -> None:
    address = Multiaddr.parse(f"/ip4/1.2.3.4/udp/9/webrtc-direct/certhash/{CERT}/certhash/{CERT}/p2p/{A}")
    assert (address.host(), address.port(), address.value("udp")) == ("1.2.3.4", 9, "9")
    assert address.values("certhash") == (CERT, CERT)
    assert address.has("webrtc-direct") and not address.has("webrtc")
    assert address.value("webrtc-direct") is None and address.value("tcp") is None
    assert address.components[1] == Component(273, "udp", "9")


def test_encapsulation_takes_text_and_addresses() -> None:
    base = Multiaddr.parse("/ip4/1.2.3.4/tcp/1")
    assert str(base.encapsulate("/ws").with_peer(PeerId.parse(A))) == f"/ip4/1.2.3.4/tcp/1/ws/p2p/{A}"
    assert base.encapsulate(Multiaddr.parse(f"/p2p/{R}")).with_peer(PeerId.parse(A)).peer_id() == PeerId.parse(A)
    with pytest.raises(InvalidArgument):
        base.encapsulate("ws")


@pytest.mark.parametrize(
    ("text", "shapes"),
    [
        ("/ip4/1.2.3.4/tcp/1", "tcp"),
        (f"/dns/a/tcp/1/p2p/{A}", "tcp"),
        ("/dns/a/udp/1", ""),
        ("/dns4/a/tcp/1/ws", "websocket"),
        (f"/dns/a/wss/p2p/{A}", "websocket secure_websocket"),
        ("/ip6/::1/tcp/1/tls/ws", "websocket secure_websocket"),
        ("/dns6/a/tcp/1/tls/sni/b/ws/http-path/x", "websocket secure_websocket"),
        ("/dns4/a/tcp/1/ws/p2p-circuit", "circuit"),
        ("/p2p-circuit", "circuit"),
        (f"/ip4/1.2.3.4/tcp/1/ws/p2p/{R}/p2p-circuit/p2p/{A}", "circuit"),
        (f"/ip4/1.2.3.4/tcp/1/ws/p2p/{R}/p2p-circuit/webrtc/p2p/{A}", "webrtc"),
        (f"/p2p/{R}/p2p-circuit/webrtc", "webrtc"),
        (f"/webrtc/p2p/{A}", ""),
        (f"/ip4/1.2.3.4/udp/1/webrtc-direct/certhash/{CERT}/p2p/{A}", "webrtc_direct"),
        ("/ip6/::1/udp/1/webrtc-direct", "webrtc_direct"),
        ("/ip4/1.2.3.4/udp/1/quic-v1/webtransport", ""),
        ("/ws", ""),
        ("/tcp/1", ""),
    ],
)
def test_shapes(text: str, shapes: str) -> None:
    address = Multiaddr.parse(text)
    names = ("tcp", "websocket", "secure_websocket", "circuit", "webrtc", "webrtc_direct")
    assert " ".join(name for name in names if getattr(address, f"is_{name}")) == shapes


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("/ip4/127.0.0.1/tcp/9001/ws", "ws://127.0.0.1:9001/"),
        ("/dns4/relay.example/tcp/443/tls/ws", "wss://relay.example/"),
        ("/dns/relay.example/ws", "ws://relay.example/"),
        ("/dns4/a.b/tcp/4430/tls/sni/c.d/ws", "wss://c.d:4430/"),
        (f"/ip6/::1/tcp/1/ws/p2p/{A}", "ws://[::1]:1/"),
        ("/dns/a/wss/http-path/%2Fb%2Fc%20d", "wss://a/b/c%20d"),
    ],
)
def test_websocket_urls(text: str, url: str) -> None:
    assert Multiaddr.parse(text).websocket_url() == url


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1?x",
        "127.0.0.1#x",
        "u@127.0.0.1",
        "[::1]",
        "a:99",
        "a\\b",
        "%zz",
        ".example",
        "a..b",
        "-a",
        "a b",
        "a<b",
    ],
)
@pytest.mark.parametrize("tail", ["tcp/1/ws", "tcp/1/wss", "tcp/1", "tcp/1/tls/sni/good.example/ws"])
def test_a_name_that_means_another_host_in_a_url_has_no_endpoint(host: str, tail: str) -> None:
    for text in (f"/dns4/{host}/{tail}", f"/dns4/good.example/tcp/1/tls/sni/{host}/ws"):
        try:
            address = Multiaddr.parse(text)
        except InvalidArgument:
            continue
        with pytest.raises(InvalidArgument):
            address.endpoint()


@pytest.mark.parametrize(
    "host", ["relay.example", "relay.example.", "xn--bcher-kva.example", "bücher.example", "a_b.c"]
)
def test_a_name_that_may_be_one_has_an_endpoint(host: str) -> None:
    assert Multiaddr.parse(f"/dns4/{host}/tcp/1").endpoint() == (host, 1)


@pytest.mark.parametrize("text", ["/ip4/127.0.0.1/tcp/0/ws", "/dns4/a.example/tcp/0/wss", "/ip6/::1/tcp/0"])
def test_nobody_listens_at_port_0(text: str) -> None:
    with pytest.raises(InvalidArgument, match="port 0"):
        Multiaddr.parse(text).endpoint()


def test_an_address_of_another_shape_has_no_websocket_url() -> None:
    with pytest.raises(InvalidArgument, match="not a WebSocket address"):
        Multiaddr.parse("/ip4/1.2.3.4/tcp/1").websocket_url()


VALID = bytes.fromhex(CASES[5][1]) + bytes.fromhex(CASES[6][1])


def test_damage_gives_an_address_or_malformed() -> None:
    for data in damaged(VALID):
        assert_only_malformed(Multiaddr.from_bytes, data)


@given(st.one_of(st.binary(max_size=80), mutations(VALID)))
def test_bytes_that_parse_survive_the_way_through_text(data: bytes) -> None:
    try:
        address = Multiaddr.from_bytes(data)
    except MalformedMessage:
        return
    assert Multiaddr.parse(str(address)) == address
    assert address.to_bytes() == data


@given(st.text(max_size=80).map(lambda text: "/" + text))
def test_any_text_gives_an_address_or_invalid_argument(text: str) -> None:
    try:
        Multiaddr.parse(text)
    except InvalidArgument as error:
        assert str(error)


def values(name: str) -> st.SearchStrategy[str]:
    protocol = BY_NAME[name]
    if protocol.size is Size.NONE:
        return st.just(f"/{name}")
    if protocol.size is Size.PREFIXED:
        known = {"p2p": A, "certhash": CERT, "http-path": "a%2Fb"}
        return st.just(f"/{name}/{known.get(name, 'name')}")
    return st.binary(min_size=protocol.size, max_size=protocol.size).map(
        lambda data: f"/{name}/{protocol.to_text(data)}"
    )


@given(st.lists(st.sampled_from(sorted(set(BY_NAME) - {"unix", "ipfs"})).flatmap(values), min_size=1, max_size=10))
def test_every_combination_round_trips(parts: list[str]) -> None:
    address = Multiaddr.parse("".join(parts))
    assert str(address) == "".join(parts)
    assert Multiaddr.from_bytes(address.to_bytes()) == address
