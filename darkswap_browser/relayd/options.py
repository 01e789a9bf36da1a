"""The relay's command line: what can be set, what it means, and what is refused."""

from __future__ import annotations

import argparse
import dataclasses
import ipaddress
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from darkswap_browser.errors import InvalidArgument
from darkswap_browser.identity.multiaddr import Multiaddr
from darkswap_browser.protocols.relay.server.limits import PRESETS, RelayLimits
from darkswap_browser.relayd.link_gate import Network
from darkswap_browser.version import VERSION

DEFAULT_LISTEN = "/ip4/127.0.0.1/tcp/9095/ws"
MOST = 2**32 - 1
"""Seconds or bytes of a circuit: go and rust tell seconds in 32 bits, and more bytes are as good as no limit."""
DEFAULT_ADMIN = "127.0.0.1:9096"

ABOUT = """\
A libp2p circuit relay (v2). Two peers that cannot reach each other connect to it; it introduces them, and they
go on over a direct WebRTC link, or through the relay when there is no direct path. It sees ciphertext only.
"""
EXAMPLES = """\
examples:
  try it on this machine (`build.py serve` starts one of its own; to serve a page that knows this one as well, give
  the address that is printed here to `build.py serve --relay ADDRESS --relay-port 0`):
      darkswap-relay
  on a server behind nginx or Caddy, which hold the certificate and pass WebSockets on to port 9095:
      darkswap-relay --announce /dns4/relay.example/tcp/443/wss --trusted-proxy 127.0.0.1
      (nginx: the block for it is in README.md; Caddy's reverse_proxy does by itself what is needed)
  with its own certificate, for browsers and for native peers:
      darkswap-relay --listen /ip4/0.0.0.0/tcp/443/wss --tls-cert cert.pem --tls-key key.pem \\
                     --listen /ip4/0.0.0.0/tcp/4001 --announce /dns4/relay.example/tcp/443/wss
  relayed connections without limits, as js-libp2p and go-libp2p then treat them like direct ones:
      darkswap-relay --circuit-duration 0 --circuit-data 0

The relay also answers STUN on UDP, from which its peers learn their public addresses for direct links where they are
told no other STUN server: on the port number of the first --listen (9095), which a firewall has to let through, on the
same addresses, or with --announce on every interface, since a proxy passes no UDP on.

Pages served over https can only use wss addresses (localhost excepted). Behind a proxy name it by --trusted-proxy:
otherwise all peers come from its address, or from 127.0.0.1, which is not counted, and one client can take every slot.
The first line on standard output is JSON: {"event": "ready", "peer_id": …, "addresses": […], "admin": …}.
Logs go to standard error, one JSON object a line, without IP addresses; DARKSWAP_LOG=debug, or
darkswap_browser.net=debug, tells more.
SIGTERM or Ctrl-C drains: no new reservations, up to 30 s for running circuits; a second one ends at once.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayOptions:
    """`identity`: file of the key, None for a new one each time. `admin`: (host, port), None for no admin port.

    `stun`: UDP port, None for no STUN; 0 for the number of the first port listened on, if that is free.
    """

    listen: tuple[Multiaddr, ...]
    announce: tuple[Multiaddr, ...]
    identity: Path | None
    tls: tuple[str, str] | None
    admin: tuple[str, int] | None
    stun: int | None
    limits: RelayLimits
    connections: int | None
    connections_per_ip: int | None
    trusted_proxies: tuple[Network, ...]
    drain_seconds: float
    verbose: bool


def parse_options(arguments: Sequence[str]) -> RelayOptions:
    """Exits with the usual message of a command line when an option is wrong."""
    parser = _parser()
    given = parser.parse_args(arguments)
    if (given.tls_cert is None) != (given.tls_key is None):
        parser.error("--tls-cert and --tls-key go together")
    listen = tuple(given.listen or [Multiaddr.parse(DEFAULT_LISTEN)])
    if any(address.is_secure_websocket for address in listen) and given.tls_cert is None:
        parser.error("a wss address needs --tls-cert and --tls-key (or let a proxy in front hold the certificate)")
    chosen = {
        "reservations": given.reservations,
        "reservations_per_ip": given.reservations_per_ip,
        "reservation_ttl": given.reservation_ttl,
        "circuits": given.circuits,
        "circuits_per_peer": given.circuits_per_peer,
        "circuit_duration": given.circuit_duration,
        "circuit_data": given.circuit_data,
    }
    limits = dataclasses.replace(PRESETS[given.preset], **{k: v for k, v in chosen.items() if v is not None})
    return RelayOptions(
        listen=listen,
        announce=tuple(given.announce or ()),
        identity=None if given.no_identity_file else given.identity,
        tls=None if given.tls_cert is None else (given.tls_cert, given.tls_key),
        admin=given.admin,
        stun=given.stun,
        limits=limits,
        connections=given.connections,
        connections_per_ip=given.connections_per_ip,
        trusted_proxies=tuple(given.trusted_proxy or ()),
        drain_seconds=given.drain_seconds,
        verbose=given.verbose,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="darkswap-relay",
        description=ABOUT,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"darkswap-relay {VERSION}")
    where = parser.add_argument_group("where")
    where.add_argument(
        "--listen", action="append", type=_address, metavar="MULTIADDR",
        help=f"…/tcp/PORT/ws, …/tcp/PORT/wss or …/tcp/PORT; may be repeated; port 0 takes a free one "
        f"(default {DEFAULT_LISTEN})",
    )  # fmt: skip
    where.add_argument(
        "--announce", action="append", type=_announced, metavar="MULTIADDR",
        help="address told to peers instead of those listened on: the public name behind a proxy or NAT; repeatable",
    )  # fmt: skip
    where.add_argument(
        "--identity", type=Path, default=_default_identity(), metavar="FILE",
        help="where the key is kept, readable by you only; made when missing (default %(default)s)",
    )  # fmt: skip
    where.add_argument("--no-identity-file", action="store_true", help="a new identity each time; for tests")
    where.add_argument(
        "--trusted-proxy", action="append", type=_network, metavar="ADDRESS",
        help="address or network of a proxy in front, whose X-Forwarded-For header or PROXY protocol names the client; "
        "repeatable. Without it everybody behind the proxy is one address, and loopback is not counted",
    )  # fmt: skip
    where.add_argument("--tls-cert", metavar="PEM", help="certificate chain for wss")
    where.add_argument("--tls-key", metavar="PEM", help="its private key")
    where.add_argument(
        "--admin", type=_admin, default=_admin(DEFAULT_ADMIN), metavar="HOST:PORT",
        help=f"/metrics, /healthz and /readyz over http; 'off' for none (default {DEFAULT_ADMIN})",
    )  # fmt: skip
    where.add_argument(
        "--stun", type=_stun, default=0, metavar="off|PORT",
        help="UDP port of STUN (default: the number of the first port listened on, where that is free)",
    )  # fmt: skip
    _add_limits(parser.add_argument_group("limits (each default is the preset's)"))
    parser.add_argument("--verbose", action="store_true", help="log each reservation and circuit")
    return parser


def _add_limits(group: argparse._ArgumentGroup) -> None:
    base, small = PRESETS["default"], PRESETS["small"]
    group.add_argument(
        "--preset", choices=sorted(PRESETS), default="default",
        help=f"default: {base.reservations} reservations, circuits of {base.circuit_duration // 60} min and "
        f"{base.circuit_data >> 20} MiB; small: {small.reservations}, {small.circuit_duration // 60} min, "
        f"{small.circuit_data >> 10} KiB, for a public machine with little memory",
    )  # fmt: skip
    group.add_argument("--circuit-duration", type=_count, metavar="SECONDS", help="of one circuit; 0 = unlimited")
    group.add_argument("--circuit-data", type=_count, metavar="BYTES", help="each way in one circuit; 0 = unlimited")
    group.add_argument("--reservations", type=_positive, metavar="N", help="held at once")
    group.add_argument("--reservations-per-ip", type=_positive, metavar="N", help="IPv6 is counted by /64")
    group.add_argument("--reservation-ttl", type=_positive, metavar="SECONDS", help="until a renewal is due")
    group.add_argument("--circuits", type=_positive, metavar="N", help="at once")
    group.add_argument(
        "--circuits-per-peer", type=_positive, metavar="N", help="that one opens; to one peer go four times as many"
    )
    group.add_argument(
        "--connections", type=_positive, metavar="N",
        help="sockets at once (default: 80%% of the file descriptors this process may open, at most 4096)",
    )  # fmt: skip
    group.add_argument(
        "--connections-per-ip", type=_positive, metavar="N",
        help="sockets of one address at once; IPv6 is counted by /64, and four times as many by /48 (default: a "
        "sixteenth of --connections, at least 16)",
    )  # fmt: skip
    group.add_argument(
        "--drain-seconds", type=_seconds, default=30.0, metavar="SECONDS", help="for running circuits at the end (30)"
    )


def _typed(read: Callable[[str], Multiaddr], text: str) -> Multiaddr:
    try:
        return read(text)
    except InvalidArgument as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _address(text: str) -> Multiaddr:
    return _typed(Multiaddr.parse, text)


def _announced(text: str) -> Multiaddr:
    """What peers can dial, without a peer id: the relay's own is put behind it."""
    address = _address(text)
    if address.peer_id() is not None or address.has("p2p-circuit"):
        raise argparse.ArgumentTypeError(f"{text!r} ends in a peer id or leads through a relay; leave that out")
    if address.host() is None or not address.port() or not (address.is_tcp or address.is_websocket):
        raise argparse.ArgumentTypeError(f"{text!r} is no …/tcp/PORT, …/tcp/PORT/ws or …/tcp/PORT/wss")
    return address


def _count(text: str) -> int:
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError("must not be negative")
    if value > MOST:
        raise argparse.ArgumentTypeError(f"must not be above {MOST}; 0 is unlimited")
    return value


def _network(text: str) -> Network:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no IP address or network") from error


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds from 0 on")
    return value


def _admin(text: str) -> tuple[str, int] | None:
    if text == "off":
        return None
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT or 'off'")
    return host.strip("[]"), int(port)


def _stun(text: str) -> int | None:
    if text == "off":
        return None
    if not text.isdecimal() or not 0 < int(text) < 2**16:
        raise argparse.ArgumentTypeError(f"{text!r} is not 'off' or a port")
    return int(text)


def _default_identity() -> Path:
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(base) / "darkswap-relay" / "identity.db"
