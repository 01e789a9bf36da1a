"""Multiaddrs: self-describing paths to a peer. https://github.com/multiformats/multiaddr

Values are kept in canonical text, so equal addresses compare equal whatever form they came in. Text and binary carry
the same components; an unknown one makes the rest of a binary address unreadable, so it fails that whole address and
the caller drops that address only, never the message around it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

from darkswap_browser.errors import InvalidArgument, MalformedMessage
from darkswap_browser.identity.multiaddr_protocols import BY_CODE, BY_NAME, Size
from darkswap_browser.identity.peer_id import PeerId
from darkswap_browser.wire.cursor import Cursor
from darkswap_browser.wire.varint import encode_varint

MAX_BYTES = 1024
MAX_COMPONENTS = 32
"""The longest real address (dns, tls, sni, ws, p2p, p2p-circuit, webrtc, p2p) has ten parts in 250 bytes."""
MAX_TEXT = 3 * MAX_BYTES

_HOSTS = frozenset(("ip4", "ip6", "dns", "dns4", "dns6", "dnsaddr"))
_NO_HOST_NAME = re.compile(r"[\s\x00-\x20\x7f/?#@:\[\]\\%<>^|`{}\"]|^\.|\.\.|^-")
_DIALLED = _HOSTS - {"dnsaddr"}
"""A dnsaddr names records, not a host."""
_NAMES = _HOSTS - {"ip4", "ip6"} | {"sni"}
_HINT = "A multiaddr looks like /dns4/relay.example/tcp/443/wss/p2p/12D3KooW…"


@dataclass(frozen=True, slots=True)
class Component:
    """`value` is canonical text; None for protocols without one."""

    code: int
    name: str
    value: str | None = None

    def __str__(self) -> str:
        if self.value is None:
            return f"/{self.name}"
        # A unix path brings its own slash.
        return f"/{self.name}{self.value}" if self.value.startswith("/") else f"/{self.name}/{self.value}"


@dataclass(frozen=True)
class Multiaddr:
    """May have no components, as what stands before a bare `/p2p-circuit` has; then it reads `/`."""

    components: tuple[Component, ...]

    @classmethod
    def parse(cls, text: str) -> Multiaddr:
        """Raises `InvalidArgument`. Slashes at the end are dropped."""
        if not isinstance(text, str):
            raise InvalidArgument("multiaddr", f"is {type(text).__name__} and not a text", _HINT)
        try:
            return cls(_parse(text))
        except MalformedMessage as error:
            shown = text if len(text) <= 200 else text[:200] + "…"
            raise InvalidArgument("multiaddr", f"{shown!r}: {error.reason}", _HINT) from error

    @classmethod
    def from_bytes(cls, data: bytes) -> Multiaddr:
        """Raises `MalformedMessage`, also for protocols that we do not know."""
        if not 0 < len(data) <= MAX_BYTES:
            raise MalformedMessage("multiaddr", f"{len(data)} bytes; 1 to {MAX_BYTES} are allowed")
        cursor = Cursor(data, "multiaddr")
        components: list[Component] = []
        while cursor.remaining:
            code = cursor.varint()
            protocol = BY_CODE.get(code)
            if protocol is None:
                raise MalformedMessage("multiaddr", f"unknown protocol {code}")
            value: str | None = None
            if protocol.size is Size.PREFIXED:
                value = protocol.to_text(cursor.prefixed())
            elif protocol.size:
                value = protocol.to_text(cursor.take(protocol.size))
            components.append(Component(code, protocol.name, value))
            if len(components) > MAX_COMPONENTS:
                raise MalformedMessage("multiaddr", f"more than {MAX_COMPONENTS} components")
        return cls(tuple(components))

    def to_bytes(self) -> bytes:
        return self._bytes

    @cached_property
    def _bytes(self) -> bytes:
        out = bytearray()
        for component in self.components:
            protocol = BY_CODE[component.code]
            out += encode_varint(component.code)
            if component.value is not None:
                value = protocol.to_bytes(component.value)
                out += encode_varint(len(value)) + value if protocol.size is Size.PREFIXED else value
        return bytes(out)

    def __str__(self) -> str:
        return self._text

    @cached_property
    def _text(self) -> str:
        return "".join(map(str, self.components)) or "/"

    def __repr__(self) -> str:
        return f"<multiaddr {self}>"

    def __bool__(self) -> bool:
        return bool(self.components)

    # --- parts

    def has(self, name: str) -> bool:
        return any(component.name == name for component in self.components)

    def value(self, name: str) -> str | None:
        """Of the first component called `name`; None when there is none, or when it carries no value."""
        return next((component.value for component in self.components if component.name == name), None)

    def values(self, name: str) -> tuple[str, ...]:
        """Of every component called `name`: an address may name several certificate hashes."""
        return tuple(c.value for c in self.components if c.name == name and c.value is not None)

    def peer_id(self) -> PeerId | None:
        """Whom the address leads to: its last `/p2p`, which after `/p2p-circuit` is the target and not the relay."""
        own = self.components[self._circuit_at + 1 :] if self._circuit_at is not None else self.components
        return _last_peer(own)

    def relay_peer_id(self) -> PeerId | None:
        """The `/p2p` in front of `/p2p-circuit`."""
        return None if self._circuit_at is None else _last_peer(self.components[: self._circuit_at])

    @cached_property
    def _circuit_at(self) -> int | None:
        """Index of the last `/p2p-circuit`."""
        for index in range(len(self.components) - 1, -1, -1):
            if self.components[index].name == "p2p-circuit":
                return index
        return None

    # --- building

    def encapsulate(self, more: Multiaddr | str) -> Multiaddr:
        """`more` behind this. Raises `InvalidArgument`."""
        rest = Multiaddr.parse(more) if isinstance(more, str) else more
        return Multiaddr(self.components + rest.components)

    def with_peer(self, peer: PeerId) -> Multiaddr:
        """Ending in `/p2p/<peer>`, which replaces another id at the end."""
        return Multiaddr((*self.without_peer().components, Component(BY_NAME["p2p"].code, "p2p", str(peer))))

    def without_peer(self) -> Multiaddr:
        """Without a final `/p2p`."""
        if self.components and self.components[-1].name == "p2p":
            return Multiaddr(self.components[:-1])
        return self

    def split_circuit(self) -> tuple[Multiaddr, Multiaddr] | None:
        """(the relay's address with its `/p2p`, what follows `/p2p-circuit`), or None without a circuit."""
        at = self._circuit_at
        return None if at is None else (Multiaddr(self.components[:at]), Multiaddr(self.components[at + 1 :]))

    # --- shapes

    @property
    def is_tcp(self) -> bool:
        return self._after_host() == ("tcp",)

    @property
    def is_websocket(self) -> bool:
        """host[/tcp]/{ws, wss, tls[/sni]/ws}[/http-path][/p2p]"""
        rest = [name for name in self._after_host() or () if name not in ("tcp", "http-path", "sni")]
        return rest in (["ws"], ["wss"], ["tls", "ws"])

    @property
    def is_secure_websocket(self) -> bool:
        return self.is_websocket and (self.has("wss") or self.has("tls"))

    @property
    def is_circuit(self) -> bool:
        """[relay]/p2p-circuit[/p2p]: data through the relay. A `/webrtc` behind it makes it another thing."""
        parts = self.split_circuit()
        return parts is not None and [c.name for c in parts[1].components] in ([], ["p2p"])

    @property
    def is_webrtc(self) -> bool:
        """[relay]/p2p-circuit/webrtc[/p2p]: signaling through the relay, data direct."""
        parts = self.split_circuit()
        return parts is not None and [c.name for c in parts[1].components] in (["webrtc"], ["webrtc", "p2p"])

    @property
    def is_webrtc_direct(self) -> bool:
        """host/udp/webrtc-direct[/certhash…][/p2p]"""
        names = self._after_host() or ()
        return names[:2] == ("udp", "webrtc-direct") and set(names[2:]) <= {"certhash"}

    def host(self) -> str | None:
        """IP address (an IPv6 one without brackets) or DNS name."""
        return next((component.value for component in self.components if component.name in _HOSTS), None)

    def port(self) -> int | None:
        """Of TCP or UDP."""
        text = self.value("tcp") or self.value("udp")
        return None if text is None else int(text)

    def endpoint(self) -> tuple[str, int | None]:
        """Host and port to connect to; no port where the address names none.

        Raises:
            InvalidArgument: No host, port 0, or a name with characters that no host name has: in a URL they would mean
                another host.
        """
        host, port = self.host(), self.port()
        if host is None:
            raise InvalidArgument("multiaddr", f"{self} names no host", _HINT)
        for component in self.components:
            if component.name in _NAMES and _NO_HOST_NAME.search(component.value or ""):
                raise InvalidArgument("multiaddr", f"{self} names a host that cannot be", _HINT)
        if port == 0:
            raise InvalidArgument("multiaddr", f"{self} names port 0, at which nobody listens", _HINT)
        return host, port

    def websocket_url(self) -> str:
        """`ws://…` or `wss://…`. Raises `InvalidArgument` for an address of another shape, and as `endpoint`."""
        if not self.is_websocket:
            raise InvalidArgument("multiaddr", f"{self} is not a WebSocket address", _HINT)
        host, given = self.endpoint()
        scheme, default = ("wss", 443) if self.is_secure_websocket else ("ws", 80)
        name = self.value("sni") or host
        port = given or default
        path = self.value("http-path")
        authority = f"[{name}]" if ":" in name else name
        if port != default:
            authority += f":{port}"
        return f"{scheme}://{authority}/" + ("" if path is None else path.removeprefix("%2F").replace("%2F", "/"))

    def _after_host(self) -> tuple[str, ...] | None:
        """Names behind the host, without a final p2p; None when the address does not begin with a host."""
        names = tuple(component.name for component in self.without_peer().components)
        if names[:1] == ("ip6zone",):
            names = names[1:]
        return names[1:] if names and names[0] in _DIALLED else None


def _last_peer(components: tuple[Component, ...]) -> PeerId | None:
    for component in reversed(components):
        if component.name == "p2p" and component.value is not None:
            return PeerId.parse(component.value)
    return None


def _parse(text: str) -> tuple[Component, ...]:
    if len(text) > MAX_TEXT:
        raise MalformedMessage("multiaddr", f"{len(text)} characters; at most {MAX_TEXT} are allowed")
    if not text.startswith("/"):
        raise MalformedMessage("multiaddr", "does not begin with a slash")
    parts = text.rstrip("/").split("/")[1:]
    if not parts:
        raise MalformedMessage("multiaddr", "is empty")
    components: list[Component] = []
    at = 0
    while at < len(parts):
        protocol = BY_NAME.get(parts[at])
        if protocol is None:
            raise MalformedMessage("multiaddr", f"unknown protocol {parts[at]!r}")
        at += 1
        value: str | None = None
        if protocol.size:
            if at == len(parts):
                raise MalformedMessage("multiaddr", f"/{protocol.name} lacks its value")
            raw = "/" + "/".join(parts[at:]) if protocol.name == "unix" else parts[at]
            at = len(parts) if protocol.name == "unix" else at + 1
            value = protocol.to_text(protocol.to_bytes(raw))
        components.append(Component(protocol.code, protocol.name, value))
        if len(components) > MAX_COMPONENTS:
            raise MalformedMessage("multiaddr", f"more than {MAX_COMPONENTS} components")
    return tuple(components)
