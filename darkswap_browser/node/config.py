"""What a node is told before it starts: defaults, merged deeply with what the caller gives, and judged whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any, TypeVar

from darkswap_browser.errors import InvalidArgument, MalformedMessage
from darkswap_browser.identity.multiaddr import Multiaddr
from darkswap_browser.protocols.relay.early_data import EarlyData
from darkswap_browser.runtime.base.webrtc import IceServer, RtcConfiguration
from darkswap_browser.wire.fields import Absent, Choice, Flag, Kind, Maybe, Real, Text, Whole
from darkswap_browser.wire.parsing import parse_json
from darkswap_browser.wire.records import Converted, Listed, Record, Settings, read_argument

T = TypeVar("T")

BITCOIN_NETWORKS = ("mainnet", "testnet", "signet", "regtest")
SIGNALING_MODES = ("automatic", "manual")
ACCEPTED = ("direct", "relayed", "ours")
MAX_JSON_DEPTH = 16
"""Levels of nesting in JSON that an application hands over; the deepest, a list of ICE servers, has four."""
MAX_RELAYS = 32
MAX_ICE_SERVERS = 16
"""Browsers warn from five on."""
MAX_URLS = 8
"""Of one ICE server."""
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
    """None: 2 of a kind where there are two, else 1. A number that the servers of a kind cannot meet is refused."""
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

    def check_quorum(self, network: str) -> None:
        """Raises `InvalidArgument` when more servers of a kind should agree than there are of it."""
        servers = self.with_public_servers(network)
        for kind, there in (("esplora", servers.esplora), ("ord", servers.ord), ("alkanes", servers.alkanes)):
            if self.quorum is not None and there and len(set(there)) < self.quorum:
                few = f"{len(set(there))} server{'' if len(set(there)) == 1 else 's'}"
                hint = f"Name as many {kind} servers of different operators, or leave chain.quorum out."
                raise InvalidArgument("chain.quorum", f"is {self.quorum}, and chain.{kind} has {few}", hint)

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
    """STUN servers tell us our public address, which direct links between two networks need; TURN servers carry data
    where no direct link can be. With none, the STUN servers of our relays are asked.
    """
    relay_stun: bool = True
    """Ask relays that answer STUN when `ice_servers` is empty. A direct link shows one's address to the peer."""
    dns_over_https: str = ""
    """Address of an RFC 8484 server that resolves `/dnsaddr`; on CPython without it the system's resolver does."""
    relay_only: bool = False
    """Use and show TURN candidates only."""
    direct: bool = True
    """Try for direct connections."""
    accept: str = "direct"
    """What a peer gets that the application did not ask for: a direct link within the strangers' share, which shows it
    our address, or a relayed connection only, or ("ours") none.
    """
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

    def __post_init__(self) -> None:
        self.trading.check_quorum(self.bitcoin_network)

    @property
    def rtc(self) -> RtcConfiguration:
        return RtcConfiguration(ice_servers=self.ice_servers, relay_only=self.relay_only)

    @classmethod
    def preset(cls, network: str) -> NetworkConfig:
        """The defaults of one Bitcoin network. Raises `InvalidArgument`."""
        return cls(bitcoin_network=read_argument(Choice(BITCOIN_NETWORKS), "network", network))

    @classmethod
    def from_mapping(cls, given: Mapping[str, object] | str | None = None) -> NetworkConfig:
        """Raises `InvalidArgument` whose `path` is the offending key, e.g. `network.relays[0]`."""
        if isinstance(given, str):
            given = json_argument("config", given)
        values: dict[str, Any] = {}
        trading: dict[str, Any] = {}
        if given is not None:
            for section, settings in _read(given).items():
                target = trading if section in ("chain", "trade") else values
                target |= {_SECTIONS[section][key][0]: value for key, value in settings.items()}
        if trading:
            values["trading"] = TradingConfig(**trading)
        return cls(**values)


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


def _read(given: object) -> Mapping[str, Mapping[str, Any]]:
    if not isinstance(given, Mapping):
        raise InvalidArgument("config", "is not an object")
    return read_argument(_CONFIG, "", given)


def _relay(address: Multiaddr) -> Multiaddr:
    if address.peer_id() is None or address.has("p2p-circuit"):
        hint = "A relay's address ends in its peer id: /dns4/relay.example/tcp/443/wss/p2p/12D3KooW…"
        raise InvalidArgument("relay", "does not name a relay", hint)
    return address


def _url(text: str) -> str:
    if not text.startswith(("https://", "http://")):
        raise InvalidArgument("url", f"{text[:80]!r} is not an http or https address")
    return text.rstrip("/")


def _ice_url(url: str) -> str:
    if url.partition(":")[0] not in ("stun", "stuns", "turn", "turns"):
        raise InvalidArgument("url", f"{url[:80]!r} is not a stun:, stuns:, turn: or turns: address")
    return url


def _ice_server(server: IceServer) -> IceServer:
    is_turn = any(url.startswith("turn") for url in server.urls)
    if is_turn and (server.username is None or server.credential is None):
        raise InvalidArgument("ice_server", "a TURN server needs username and credential")
    return server


class _IceUrls(Kind[tuple[str, ...]]):
    """One address, or a list of them."""

    def read(self, value: Any) -> tuple[str, ...]:
        return (_ICE_URL.read(value),) if isinstance(value, str) else Listed(_ICE_URL, MAX_URLS).read(value)


def _as_is(value: T) -> T:
    return value


_UNKNOWN = "is not a setting"
_TEXT = IDENTITY_NAME = Text(1024, 1)
_ADDRESS = Converted(_TEXT, Multiaddr.parse, str)
_URL, _ICE_URL = Converted(_TEXT, _url, str), Converted(_TEXT, _ice_url, str)
_SERVERS = Listed(_URL, MAX_SERVERS)
_CREDENTIAL = Absent(Maybe(_TEXT), None)
_ICE_SERVER = Converted(
    Record(IceServer, ("urls", _IceUrls()), ("username", _CREDENTIAL), ("credential", _CREDENTIAL), unknown=_UNKNOWN),
    _ice_server,
    _as_is,
)
_MILLISECONDS = Converted(
    Real("milliseconds", LONGEST_TIMEOUT_MS), lambda value: value / 1000, lambda seconds: seconds * 1000
)
_FEE_RATE = Converted(
    Real("sats per vbyte", HIGHEST_FEE_RATE, 1), lambda rate: int(Fraction(rate) * 1000), lambda rate: rate / 1000
)
_SECTIONS: Mapping[str, Mapping[str, tuple[str, Kind[Any]]]] = {
    "bitcoin": {"network": ("bitcoin_network", Choice(BITCOIN_NETWORKS))},
    "network": {
        "relays": ("relays", Listed(Converted(_ADDRESS, _relay, _as_is), MAX_RELAYS)),
        "reserve": ("reserve", Flag()),
        "listen": ("listen", Listed(_ADDRESS, MAX_RELAYS)),
        "ice_servers": ("ice_servers", Listed(_ICE_SERVER, MAX_ICE_SERVERS)),
        "relay_stun": ("relay_stun", Flag()),
        "dns_over_https": ("dns_over_https", _URL),
        "relay_only": ("relay_only", Flag()),
        "direct": ("direct", Flag()),
        "accept": ("accept", Choice(ACCEPTED)),
        "relayed_fallback": ("relayed_fallback", Flag()),
        "relay_early_data": ("relay_early_data", Choice(EarlyData)),
        "signaling": ("signaling", Choice(SIGNALING_MODES)),
        "connect_timeout_ms": ("connect_timeout", _MILLISECONDS),
        "direct_timeout_ms": ("direct_timeout", _MILLISECONDS),
    },
    "chain": {
        "esplora": ("esplora", _SERVERS),
        "ord": ("ord", _SERVERS),
        "alkanes": ("alkanes", _SERVERS),
        "quorum": ("quorum", Whole(MAX_SERVERS, 1)),
        "faucet": ("faucet", _URL),
    },
    "trade": {
        "fee_rule": ("fee_rule", Choice(FEE_RULES)),
        "max_fee_rate": ("max_fee_rate", _FEE_RATE),
        "confirmations": ("confirmations", Whole(100, 1)),
        "private_sales": ("private_sales", Flag()),
    },
    "identity": {"name": ("identity_name", _TEXT), "persist": ("persist", Flag())},
}
"""Section → key → attribute and kind."""
_CONFIG = Settings(
    {
        section: Settings({key: kind for key, (_, kind) in settings.items()}, _UNKNOWN)
        for section, settings in _SECTIONS.items()
    },
    "is not a part of the configuration",
)
