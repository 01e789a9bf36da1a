"""Where the configuration comes from: a file or an address, what a page's config.json holds, and the command line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from darkswap_browser.cli.options import Options
from darkswap_browser.errors import DarkSwapError, InvalidArgument
from darkswap_browser.node.config import NetworkConfig, json_argument
from darkswap_browser.runtime.base.http import Fetch

MAX_BYTES = 1 << 20
PATIENCE = 10.0
"""Seconds for the answer of a web server."""
HINT = "It is a JSON object as NetworkConfig.from_mapping takes, or a page's config.json."


async def load(options: Options, fetch: Fetch) -> NetworkConfig:
    """Raises `InvalidArgument` with the offending key."""
    given = {} if options.config is None else _object(await _text_of(options.config, fetch))
    return NetworkConfig.from_mapping(with_options(of_page(given), options))


async def _text_of(source: str, fetch: Fetch) -> str:
    try:
        if source.startswith(("http://", "https://")):
            answer = await fetch.request("GET", source, timeout=PATIENCE, max_bytes=MAX_BYTES)
            if answer.status != 200:
                raise InvalidArgument("config", f"{source} answers {answer.status}")
            return answer.body.decode("utf-8")
        return _file_text(source)
    except UnicodeDecodeError:
        raise InvalidArgument("config", f"{source} is not text in UTF-8", HINT) from None
    except OSError as error:
        raise InvalidArgument("config", f"{source}: {error.strerror or error}") from None
    except InvalidArgument:
        raise
    except DarkSwapError as error:
        raise InvalidArgument("config", str(error), "Does the server run? Check the address.") from error


def _file_text(path: str) -> str:
    with Path(path).open("rb") as file:
        return file.read(MAX_BYTES).decode("utf-8")


def _object(text: str) -> Mapping[str, Any]:
    value = json_argument("config", text, HINT)
    if not isinstance(value, dict):
        raise InvalidArgument("config", "is not an object", HINT)
    return value


def of_page(given: Mapping[str, Any]) -> dict[str, Any]:
    """A page's form differs in two things: its relays stand outside, and the chain tells what the faucet gives."""
    config = dict(given)
    relays = config.pop("relays", None)
    network, chain = config.get("network"), config.get("chain")
    if relays is not None and not isinstance(relays, list):
        raise InvalidArgument("relays", "is not a list")
    if relays and (network is None or isinstance(network, Mapping)):
        own = (network or {}).get("relays") or []
        if not isinstance(own, list):
            raise InvalidArgument("network.relays", "is not a list")
        config["network"] = {**(network or {}), "relays": [*own, *(each for each in relays if each not in own)]}
    if isinstance(chain, Mapping):
        config["chain"] = {key: value for key, value in chain.items() if key != "assets"}
    return config


def with_options(config: Mapping[str, Any], options: Options) -> dict[str, Any]:
    """What stands on the command line goes before what is configured."""
    merged = dict(config)
    named = merged.get("bitcoin")
    known = named.get("network") if isinstance(named, Mapping) else None
    if options.network is not None:
        if known not in (None, options.network):
            hint = "Its servers are of that network: use another configuration."
            raise InvalidArgument("--network", f"is {options.network}; the configuration is for {known}", hint)
        _put(merged, "bitcoin", "network", options.network)
    for section, key, values in (
        ("network", "relays", options.relay),
        ("chain", "esplora", options.esplora),
        ("chain", "ord", options.ord),
        ("chain", "alkanes", options.alkanes),
    ):
        if values:
            _put(merged, section, key, list(values))
    return merged


def _put(config: dict[str, Any], section: str, key: str, value: str | Sequence[str]) -> None:
    before = config.get(section)
    if before is None or isinstance(before, Mapping):
        config[section] = {**(before or {}), key: value}
