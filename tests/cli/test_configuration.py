"""Where the configuration comes from: files, addresses, the page's form, and what the line puts before it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from darkswap_browser.cli import configuration
from darkswap_browser.cli.options import Options, parse_options
from darkswap_browser.errors import InvalidArgument
from darkswap_browser.node.config import NetworkConfig
from darkswap_browser.runtime.native.fetch import NativeFetch
from web.build.server import Site, WebServer

PEER = "12D3KooWGjvxJpyFySFvKqFMoGvAmTWtJ5dXm6N9uXVKqXbWn9bD"
RELAY = f"/dns4/relay.example/tcp/443/wss/p2p/{PEER}"
OTHER = f"/dns4/other.example/tcp/443/wss/p2p/{PEER}"
PLAIN = {"bitcoin": {"network": "regtest"}, "network": {"relays": [RELAY]}, "chain": {"esplora": ["http://a/api"]}}
PAGE = {
    "relays": [RELAY],
    "network": {"direct": False},
    "bitcoin": {"network": "regtest"},
    "chain": {"esplora": ["http://a/api"], "assets": [{"asset": "BTC"}]},
}


def options(*arguments: str) -> Options:
    return parse_options([*arguments, "trades"], {})


async def load(folder: Path, given: Any, *arguments: str) -> NetworkConfig:
    file = folder / "config.json"
    file.write_text(given if isinstance(given, str) else json.dumps(given))
    return await configuration.load(options("--config", str(file), *arguments), NativeFetch())


async def test_a_file_holds_what_from_mapping_takes(tmp_path: Path) -> None:
    config = await load(tmp_path, PLAIN)
    assert config == NetworkConfig.from_mapping(PLAIN)


async def test_without_one_mainnet_and_the_line_decide() -> None:
    assert await configuration.load(options(), NativeFetch()) == NetworkConfig()
    config = await configuration.load(options("--network", "signet", "--relay", RELAY), NativeFetch())
    assert (config.bitcoin_network, [str(each) for each in config.relays]) == ("signet", [RELAY])


async def test_the_form_of_the_page_is_read_too(tmp_path: Path) -> None:
    config = await load(tmp_path, PAGE)
    assert [str(each) for each in config.relays] == [RELAY]
    assert (config.direct, config.bitcoin_network, config.trading.esplora) == (False, "regtest", ("http://a/api",))


async def test_relays_of_both_places_are_taken_once(tmp_path: Path) -> None:
    config = await load(tmp_path, {"relays": [RELAY, OTHER], "network": {"relays": [OTHER]}})
    assert [str(each) for each in config.relays] == [OTHER, RELAY]


async def test_the_line_goes_before_the_configuration(tmp_path: Path) -> None:
    line = ("--relay", OTHER, "--esplora", "http://b/api", "--esplora", "http://c/api", "--ord", "http://b/ord")
    config = await load(tmp_path, PLAIN, *line, "--alkanes", "http://b/alkanes", "--network", "regtest")
    assert [str(each) for each in config.relays] == [OTHER]
    assert config.trading.esplora == ("http://b/api", "http://c/api")
    assert (config.trading.ord, config.trading.alkanes) == (("http://b/ord",), ("http://b/alkanes",))


@pytest.mark.native
async def test_an_address_is_asked(tmp_path: Path) -> None:
    site = Site({"/": tmp_path})
    site.configure(PAGE)
    server = WebServer(site, 0)
    try:
        config = await configuration.load(options("--config", f"{server.url}/config.json"), NativeFetch())
        assert [str(each) for each in config.relays] == [RELAY]
        with pytest.raises(InvalidArgument, match=r"config: .* answers 404"):
            await configuration.load(options("--config", f"{server.url}/none.json"), NativeFetch())
    finally:
        server.close()
    with pytest.raises(InvalidArgument, match="config: ") as refused:
        await configuration.load(options("--config", f"{server.url}/config.json"), NativeFetch())
    assert "server" in refused.value.hint


WRONG = [
    ("{", "config"),
    ("[]", "config"),
    ("[" * 100_000, "config"),
    ({"relays": RELAY}, "relays"),
    ({"relays": ["/dns4/relay.example/tcp/443/wss"]}, "network.relays[0]"),
    ({"relays": [RELAY], "network": {"relays": RELAY}}, "network.relays"),
    ({"relays": [RELAY], "network": 5}, "network"),
    ({"chain": 5}, "chain"),
    ({"chain": {"esplora": ["ftp://a"]}}, "chain.esplora[0]"),
    ({"wallet": {}}, "wallet"),
]


@pytest.mark.parametrize(("given", "path"), WRONG, ids=[str(each)[:40] for each, _ in WRONG])
async def test_what_is_wrong_is_named(tmp_path: Path, given: Any, path: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        await load(tmp_path, given)
    assert refused.value.path == path


async def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    (tmp_path / "latin").write_bytes(b"\xff{}")
    for name, why in (("none.json", "No such file"), ("latin", "is not text in UTF-8"), ("", "Is a directory")):
        with pytest.raises(InvalidArgument, match=why):
            await configuration.load(options("--config", str(tmp_path / name)), NativeFetch())


async def test_another_network_than_that_of_the_servers_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument, match="--network: is signet; the configuration is for regtest"):
        await load(tmp_path, PLAIN, "--network", "signet")


async def test_the_line_does_not_hide_a_section_that_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument, match="chain: is not an object"):
        await load(tmp_path, {"chain": "x"}, "--ord", "http://b/ord")
