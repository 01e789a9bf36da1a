"""What a node is told before it starts: defaults, merged deeply with what the caller gives, and judged whole."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

from darkswap_browser.errors import InvalidArgument, MalformedMessage
from darkswap_browser.identity.multiaddr import Multiaddr
from darkswap_browser.protocols.relay.early_data import EarlyData
from darkswap_browser.runtime.base import IceServer, RtcConfiguration
from darkswap_browser.wire.parsing import parse_json

BITCOIN_NETWORKS = ("mainnet", "testnet", "signet", "regtest")
SIGNALING_MODES = ("automatic", "manual")
MAX_JSON_DEPTH = 16
"""Levels of nesting in JSON that an application hands over; the deepest, a list of ICE servers, has four."""
MAX_RELAYS = 32
MAX_ICE_SERVERS = 16
"""Browsers warn from five on."""
LONGEST_TIMEOUT_MS = 600_000
MAX_SERVERS = 8
"""Chain servers of one kind; each is asked for every coin."""
FEE_RULES = ("own_weight", "taker_pays")
HIGHEST_FEE_RATE = 10_000
"""Sats per vbyte that may be allowed at most: ten times the worst day of the chain."""
PUBLIC_ESPLORA = {
    "mainnet": ("https://mempool.space/api", "https://blockstream.info/api"),
    "testnet": ("https://mempool.space/testnet/api", "https://blockstream.info/testnet/api"),
    "signet": ("https://mempool.space/signet/api", "https://blockstream.info/signet/api"),
}
PUBLIC_ALKANES = {
    "mainnet": ("https://mainnet.subfrost.io/v4/jsonrpc",),
    "signet": ("https://signet.subfrost.io/v4/jsonrpc",),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TradingConfig:
    """Of the trading half. Servers by their base addresses; those left empty are the public ones of the network."""

    esplora: tuple[str, ...] = ()
    ord: tuple[str, ...] = ()
    alkanes: tuple[str, ...] = ()
    quorum: int | None = None
    """None: 2 of a kind where there are two, else 1."""
    faucet: str = ""
    fee_rule: str = "own_weight"
    max_fee_rate: int = 500_000
    """Sats per 1000 virtual bytes."""
    confirmations: int = 1
    private_sales: bool = False
    """Make and take sales of whole lots for bitcoin that are completed without their maker: a signature that never
    expires, that whoever sees it can use or outbid (sniping), at a price that does not follow the market (an option
    given away for nothing), and that only a transaction with a fee takes back.
    """

    def with_public_servers(self, network: str) -> TradingConfig:
        return replace(
            self,
            esplora=self.esplora or PUBLIC_ESPLORA.get(network, ()),
            alkanes=self.alkanes or PUBLIC_ALKANES.get(network, ()),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkConfig:
    """Times in seconds. `from_mapping` reads the nested form of JSON and JavaScript, whose times are `…_ms`."""

    bitcoin_network: str = "mainnet"
    relays: tuple[Multiaddr, ...] = ()
    reserve: bool = True
    """Keep a reservation on every relay of `relays` from the start."""
    listen: tuple[Multiaddr, ...] = ()
    """On hosts with sockets; a browser listens through its relays only."""
    ice_servers: tuple[IceServer, ...] = ()
    relay_only: bool = False
    """Use and show TURN candidates only."""
    direct: bool = True
    """Try for direct connections."""
    relayed_fallback: bool = True
    """Take the relayed connection when no direct one can be made."""
    relay_early_data: EarlyData = EarlyData.KNOWN
    """Which relays are sent the first bytes of a circuit with the request for it, a round trip of both hops earlier:
    those known to keep them, all, or none.
    """
    signaling: str = "automatic"
    connect_timeout: float = 30.0
    direct_timeout: float = 15.0
    identity_name: str = "default"
    persist: bool = True
    """Keep the identity's key in the host's store. On CPython, False keeps nothing else either."""
    trading: TradingConfig = field(default_factory=TradingConfig)

    @property
    def rtc(self) -> RtcConfiguration:
        return RtcConfiguration(ice_servers=self.ice_servers, relay_only=self.relay_only)

    @classmethod
    def preset(cls, network: str) -> NetworkConfig:
        """The defaults of one Bitcoin network. Raises `InvalidArgument`."""
        return cls(bitcoin_network=_one_of(BITCOIN_NETWORKS)("network", network))

    @classmethod
    def from_mapping(cls, given: Mapping[str, object] | str | None = None) -> NetworkConfig:
        """Raises `InvalidArgument` whose `path` is the offending key, e.g. `network.relays[0]`."""
        if isinstance(given, str):
            given = json_argument("config", given)
        values: dict[str, object] = {}
        trading: dict[str, object] = {}
        for section, fields in _mapping("config", {} if given is None else given).items():
            known = _FIELDS.get(section)
            if known is None:
                raise InvalidArgument(section, "is not a part of the configuration", _known(_FIELDS))
            for key, value in _mapping(section, fields).items():
                path = f"{section}.{key}"
                setting = known.get(key)
                if setting is None:
                    raise InvalidArgument(path, "is not a setting", _known(known))
                if value is not None:
                    (trading if section in ("chain", "trade") else values)[setting.name] = setting.read(path, value)
        if trading:
            values["trading"] = TradingConfig(**trading)  # type: ignore[arg-type]  # as below
        return cls(**values)  # type: ignore[arg-type]  # each value comes from the reader of its own field


def json_argument(path: str, text: str, hint: str = "") -> Any:
    """Parse JSON that the application handed over.

    Args:
        path: The argument's name, for errors.
    Raises:
        InvalidArgument: It is not JSON, or nested more than `MAX_JSON_DEPTH` deep.
    """
    try:
        return parse_json(path, text, MAX_JSON_DEPTH)
    except MalformedMessage as error:
        raise InvalidArgument(path, error.reason, hint) from None


Reader = Callable[[str, object], object]


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    read: Reader


def _known(names: Mapping[str, object]) -> str:
    return "Known here: " + ", ".join(names) + "."


def _mapping(path: str, value: object) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        raise InvalidArgument(path, "is not an object")
    return value


def _text(path: str, value: object) -> str:
    if not isinstance(value, str) or not value or len(value) > 1024:
        raise InvalidArgument(path, "is not a text of 1 to 1024 characters")
    return value


def _flag(path: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise InvalidArgument(path, "is neither true nor false")
    return value


def _one_of(choices: tuple[str, ...]) -> Callable[[str, object], str]:
    def read(path: str, value: object) -> str:
        if not isinstance(value, str) or value not in choices:
            raise InvalidArgument(path, f"is {value!r}", f"One of {', '.join(choices)}.")
        return value

    return read


def _early_data(path: str, value: object) -> EarlyData:
    return EarlyData(_one_of(tuple(EarlyData))(path, value))


def _milliseconds(path: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value <= LONGEST_TIMEOUT_MS:
        raise InvalidArgument(path, f"is not a number of milliseconds up to {LONGEST_TIMEOUT_MS}")
    return value / 1000


def _list(path: str, value: object, most: int) -> list[object]:
    if not isinstance(value, (list, tuple)):
        raise InvalidArgument(path, "is not a list")
    if len(value) > most:
        raise InvalidArgument(path, f"has {len(value)} entries; at most {most} are allowed")
    return list(value)


def _addresses(path: str, value: object) -> tuple[Multiaddr, ...]:
    return tuple(_address(f"{path}[{index}]", each) for index, each in enumerate(_list(path, value, MAX_RELAYS)))


def _address(path: str, value: object) -> Multiaddr:
    try:
        return Multiaddr.parse(_text(path, value))
    except InvalidArgument as error:
        raise InvalidArgument(path, error.reason, error.hint) from None


def _relays(path: str, value: object) -> tuple[Multiaddr, ...]:
    addresses = _addresses(path, value)
    for index, address in enumerate(addresses):
        if address.peer_id() is None or address.has("p2p-circuit"):
            hint = "A relay's address ends in its peer id: /dns4/relay.example/tcp/443/wss/p2p/12D3KooW…"
            raise InvalidArgument(f"{path}[{index}]", "does not name a relay", hint)
    return addresses


def _ice_servers(path: str, value: object) -> tuple[IceServer, ...]:
    entries = _list(path, value, MAX_ICE_SERVERS)
    return tuple(_ice_server(f"{path}[{index}]", each) for index, each in enumerate(entries))


def _ice_server(path: str, value: object) -> IceServer:
    fields = _mapping(path, value)
    unknown = set(fields) - {"urls", "username", "credential"}
    if unknown:
        raise InvalidArgument(f"{path}.{min(unknown)}", "is not a setting", "Known here: urls, username, credential.")
    given = fields.get("urls")
    urls = [_text(f"{path}.urls", each) for each in ([given] if isinstance(given, str) else _list(path, given, 8))]
    for url in urls:
        if url.partition(":")[0] not in ("stun", "stuns", "turn", "turns"):
            raise InvalidArgument(f"{path}.urls", f"{url!r} is not a stun:, stuns:, turn: or turns: address")
    username, credential = (
        None if fields.get(key) is None else _text(f"{path}.{key}", fields[key]) for key in ("username", "credential")
    )
    if any(url.startswith("turn") for url in urls) and (username is None or credential is None):
        raise InvalidArgument(path, "a TURN server needs username and credential")
    return IceServer(tuple(urls), username, credential)


def _servers(path: str, value: object) -> tuple[str, ...]:
    return tuple(_url(f"{path}[{index}]", each) for index, each in enumerate(_list(path, value, MAX_SERVERS)))


def _url(path: str, value: object) -> str:
    text = _text(path, value)
    if not text.startswith(("https://", "http://")):
        raise InvalidArgument(path, f"{text[:80]!r} is not an http or https address")
    return text.rstrip("/")


def _whole(least: int, most: int) -> Callable[[str, object], int]:
    def read(path: str, value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise InvalidArgument(path, f"is not a whole number from {least} to {most}")
        return value

    return read


def _fee_rate(path: str, value: object) -> int:
    """Sats per vbyte, with a fraction where JSON gives one → sats per 1000."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 1 <= value <= HIGHEST_FEE_RATE:
        raise InvalidArgument(path, f"is not a rate from 1 to {HIGHEST_FEE_RATE} sats per vbyte")
    return int(Fraction(value) * 1000)


_FIELDS: dict[str, dict[str, _Field]] = {
    "bitcoin": {"network": _Field("bitcoin_network", _one_of(BITCOIN_NETWORKS))},
    "network": {
        "relays": _Field("relays", _relays),
        "reserve": _Field("reserve", _flag),
        "listen": _Field("listen", _addresses),
        "ice_servers": _Field("ice_servers", _ice_servers),
        "relay_only": _Field("relay_only", _flag),
        "direct": _Field("direct", _flag),
        "relayed_fallback": _Field("relayed_fallback", _flag),
        "relay_early_data": _Field("relay_early_data", _early_data),
        "signaling": _Field("signaling", _one_of(SIGNALING_MODES)),
        "connect_timeout_ms": _Field("connect_timeout", _milliseconds),
        "direct_timeout_ms": _Field("direct_timeout", _milliseconds),
    },
    "chain": {
        "esplora": _Field("esplora", _servers),
        "ord": _Field("ord", _servers),
        "alkanes": _Field("alkanes", _servers),
        "quorum": _Field("quorum", _whole(1, MAX_SERVERS)),
        "faucet": _Field("faucet", _url),
    },
    "trade": {
        "fee_rule": _Field("fee_rule", _one_of(FEE_RULES)),
        "max_fee_rate": _Field("max_fee_rate", _fee_rate),
        "confirmations": _Field("confirmations", _whole(1, 100)),
        "private_sales": _Field("private_sales", _flag),
    },
    "identity": {"name": _Field("identity_name", _text), "persist": _Field("persist", _flag)},
}
