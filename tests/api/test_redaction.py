"""A report tells no address, key or name of a server."""

from __future__ import annotations

import pytest

from darkswap_browser.api.redaction import redacted

PEER = "12D3KooWBtg3aaRMjxwedh83aGiUkwSxDwUZkzuJcfaqUmo7R3pq"
SECRET = [
    "203.0.113.5",
    "203.0.113.5:4001",
    "2001:db8::1",
    "[2001:db8::1]:443",
    "fe80::1",
    "::1",
    PEER,
    "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N",
    f"/dns4/relay.example.org/tcp/443/wss/p2p/{PEER}",
    f"/ip6/2001:db8::1/tcp/443/wss/p2p/{PEER}/p2p-circuit",
    "wss://relay.example.org/path?key=1",
    "turn:turn.example.org:3478?transport=udp",
    "https://user:word@esplora.example.org/api",
    "relay.example.org",
    "relay.example.org:443",
    "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq",
    "bcrt1p5cyxnuxmeuwuvkwfem96lqzszd02n6xdcjrs20cac6yqjjwudpxqkedrcr",
    "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2",
    "3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy",
    "5KJvsngHeMpm884wtkJNzQGaCErckhHJBGFsvd3VyK5qMZXj3hS",
    "xprv9s21ZrQH143K3QTDL4LXw2F7HEK3wJUD2nW2nRk4stbPy6cq3jPPqjiChkVvvNKmPGJxWUtg6LnF5kejMRNNU3TGtRBeJgk33yuGBxrMPHi",
    "ab" * 32,
    "0123456789abcdef",
]


@pytest.mark.parametrize("secret", SECRET)
@pytest.mark.parametrize("text", ["{}", "could not reach {}: refused", "({})", "a {}, and more", "“{}”"])
def test_redacted_text_holds_nothing_that_names_somebody(secret: str, text: str) -> None:
    told = str(redacted({"error": [text.format(secret)]}))
    assert secret not in told
    for part in ("example", "203.0", "db8", "12D3", "BvBMS", "abab", "word"):
        assert part not in told


@pytest.mark.parametrize(
    "text",
    [
        "3 of 4 answer, at block 840000",
        "the clock is 31 s ahead",
        "the STUN server did not answer",
        "RELAY_REFUSED",
        "0.1.0",
        "no answer within 10 s",
    ],
)
def test_redacted_text_without_names_stays(text: str) -> None:
    assert redacted(text) == text


WORDS = "legal winner thank year wave sausage worth useful legal winner thank yellow"


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("/home/alice/.local/share/darkswap/darkswap.db failed", "alice"),
        ("[Errno 20] Not a directory: '/home/alice/x'", "alice"),
        (r"C:\Users\alice\AppData\darkswap.db failed", "alice"),
        ("0x" + "ab" * 32, "abab"),
        ("key_" + "ab" * 32, "abab"),
        ("MC4CAQAwBQYDK2VwBCIEIPPPUYzK4+Xc/2dYk1bVq0aLxqfYw9Qk5w1mQ0dT==", "2dYk1"),
        ("/certhash/uEiAkH5a4DPGKUuOBjYw0CgwjvcJCJMD2K_1aluKR_tpevQ", "uEiAk"),
        (f"no such words: {WORDS}", "sausage"),
        ("fe80::1%eth0", "eth0"),
        ("alice:hunter2@relay.example.org", "hunter2"),
        (f"{PEER[:8]}…{PEER[-7:]}", PEER[-7:]),
    ],
)
def test_redacted_text_of_another_shape_holds_no_secret(text: str, secret: str) -> None:
    assert secret not in str(redacted(text))


@pytest.mark.parametrize("text", ["set identity.persist to false", "Name one in chain.esplora", "network.relays"])
def test_redacted_hint_keeps_the_names_of_settings(text: str) -> None:
    assert redacted(text) == text


def test_redacted_mapping_holds_no_key_that_names_somebody() -> None:
    assert PEER not in str(redacted({PEER: {"203.0.113.5": 1}}))
