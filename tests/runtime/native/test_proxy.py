"""What reverse proxies say of their clients, and what looks like it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from darkswap_browser.errors import MalformedMessage
from darkswap_browser.runtime.native.proxy import V2, ProxyHeader, forwarded_for, parse_proxy_header
from tests.support.examples import examples

V4 = bytes([0x21, 0x11, 0, 12]) + bytes([192, 0, 2, 1, 10, 0, 0, 1]) + b"\x12\x34\x01\xbb"
V6 = bytes([0x21, 0x21, 0, 36]) + bytes.fromhex("20010db8000000000000000000000001") * 2 + b"\x12\x34\x01\xbb"
LOCAL = bytes([0x20, 0, 0, 0])
HEADERS = [
    (b"PROXY TCP4 192.0.2.1 10.0.0.1 5000 443\r\n", "192.0.2.1"),
    (b"PROXY TCP6 2001:db8::1 2001:db8::2 5000 443\r\n", "2001:db8::1"),
    (b"PROXY UNKNOWN\r\n", None),
    (V2 + V4, "192.0.2.1"),
    (V2 + V6, "2001:db8::1"),
    (V2 + LOCAL, None),
]


@pytest.mark.parametrize(("header", "ip"), HEADERS)
def test_header_names_the_client_and_waits_until_it_is_whole(header: bytes, ip: str | None) -> None:
    assert parse_proxy_header(header + b"\x13/multistream/1.0.0\n") == ProxyHeader(ip, len(header))
    for size in range(len(header)):
        assert parse_proxy_header(header[:size]) is None


@pytest.mark.parametrize("data", [b"\x13/multistream/1.0.0\n", b"GET / HTTP/1.1\r\n", b"PROXIES", b"\r\nx"])
def test_bytes_of_something_else_are_no_header(data: bytes) -> None:
    assert parse_proxy_header(data) == ProxyHeader(None, 0)


@pytest.mark.parametrize(
    "data",
    [
        b"PROXY TCP4 nonsense 10.0.0.1 1 2\r\n",
        b"PROXY TCP9 192.0.2.1 10.0.0.1 1 2\r\n",
        b"PROXY " + b"x" * 200,
        V2 + bytes([0x11, 0x11, 0, 12]) + bytes(12),
        V2 + bytes([0x21, 0x11, 0xFF, 0xFF]),
        V2 + bytes([0x21, 0x21, 0, 12]) + bytes(12),
    ],
)
def test_damaged_headers_are_refused(data: bytes) -> None:
    with pytest.raises(MalformedMessage):
        parse_proxy_header(data)


@given(st.sampled_from([b"", b"PROXY ", V2]), st.binary(max_size=600))
@settings(max_examples=examples(200), deadline=None)
def test_foreign_bytes_raise_nothing_but_malformed_message(start: bytes, data: bytes) -> None:
    try:
        header = parse_proxy_header(start + data)
    except MalformedMessage:
        return
    assert header is None or header.size <= len(start + data)


@pytest.mark.parametrize(
    ("values", "client"),
    [
        (["203.0.113.5"], "203.0.113.5"),
        (["1.2.3.4, 203.0.113.5"], "203.0.113.5"),
        (["203.0.113.5, 10.0.0.2"], "203.0.113.5"),
        (["1.2.3.4", "203.0.113.5,10.0.0.3"], "203.0.113.5"),
        (["[2001:db8::1]"], "2001:db8::1"),
        (["nonsense"], None),
        (["203.0.113.5, nonsense"], None),
        (["10.0.0.2"], None),
        ([], None),
    ],
)
def test_client_is_the_last_address_that_no_trusted_proxy_has(values: list[str], client: str | None) -> None:
    assert forwarded_for(values, lambda ip: ip.startswith("10.")) == client
