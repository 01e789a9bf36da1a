"""The text that simulated connections exchange: SDP of a data-only session and ICE candidates, as Chrome writes."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass

from darkswap_browser.errors import MalformedMessage

MAX_MESSAGE_SIZE = 262144
"""What Chrome announces in a=max-message-size, in bytes."""

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

CANDIDATE = re.compile(r"candidate:(\S+) (\d+) (\S+) (\d+) (\S+) (\d+) typ (host|srflx|prflx|relay)( .*)?")


@dataclass(frozen=True, slots=True)
class IceCredentials:
    ufrag: str
    password: str


@dataclass(frozen=True, slots=True)
class ParsedCandidate:
    address: str
    port: int
    kind: str
    """"host", "srflx" or "relay"."""
    ufrag: str | None


@dataclass(frozen=True, slots=True)
class ParsedSdp:
    """`credentials` and `fingerprint` are None in a description without a data section."""

    credentials: IceCredentials | None
    fingerprint: str | None
    max_message_size: int
    candidates: tuple[ParsedCandidate, ...]


def random_credentials(chance: random.Random) -> IceCredentials:
    return IceCredentials("".join(chance.choices(ALPHABET, k=4)), "".join(chance.choices(ALPHABET, k=24)))


def random_fingerprint(chance: random.Random) -> str:
    """Of a certificate: 32 bytes in upper-case hexadecimal with colons."""
    return ":".join(f"{byte:02X}" for byte in chance.randbytes(32))


def write_sdp(
    session: int, setup: str, credentials: IceCredentials | None, fingerprint: str, candidates: tuple[str, ...] = ()
) -> str:
    """`setup`: "actpass" in an offer, "active" in an answer. Without `credentials`: a session of no sections."""
    lines = ["v=0", f"o=- {session} 2 IN IP4 127.0.0.1", "s=-", "t=0 0"]
    if credentials is not None:
        lines += ["a=group:BUNDLE 0", "a=extmap-allow-mixed", "a=msid-semantic: WMS"]
        lines += ["m=application 9 UDP/DTLS/SCTP webrtc-datachannel", "c=IN IP4 0.0.0.0"]
        lines += [f"a={candidate}" for candidate in candidates]
        lines += [f"a=ice-ufrag:{credentials.ufrag}", f"a=ice-pwd:{credentials.password}", "a=ice-options:trickle"]
        lines += [f"a=fingerprint:sha-256 {fingerprint}", f"a=setup:{setup}", "a=mid:0"]
        lines += ["a=sctp-port:5000", f"a=max-message-size:{MAX_MESSAGE_SIZE}"]
    return "\r\n".join(lines) + "\r\n"


def read_sdp(text: str) -> ParsedSdp:
    """Raises `MalformedMessage` for what a browser refuses."""
    lines = [*text.replace("\r\n", "\n").split("\n"), "", ""]
    if lines[0] != "v=0" or not re.fullmatch(r"o=\S+ \d+ \d+ IN IP[46] \S+", lines[1]) or lines[2][:2] != "s=":
        raise MalformedMessage("SDP", "does not begin as a session description")
    if any(line and line[1:2] != "=" for line in lines):
        raise MalformedMessage("SDP", "holds a line that is not type=value")
    values: dict[str, str] = {}
    candidates = []
    for line in lines:
        if line.startswith("a=candidate:"):
            candidates.append(read_candidate(line[2:]))
        elif line.startswith("a="):
            key, _, value = line[2:].partition(":")
            values.setdefault(key, value)
    if not any(line.startswith("m=application ") for line in lines):
        return ParsedSdp(None, None, 0, ())
    for needed in ("ice-ufrag", "ice-pwd", "fingerprint", "setup", "mid"):
        if not values.get(needed):
            raise MalformedMessage("SDP", f"has no a={needed}")
    hash_name, _, fingerprint = values["fingerprint"].partition(" ")
    if hash_name.lower() != "sha-256" or not re.fullmatch(r"([0-9A-Fa-f]{2}:){31}[0-9A-Fa-f]{2}", fingerprint):
        raise MalformedMessage("SDP", "has no SHA-256 fingerprint of 32 bytes")
    size = values.get("max-message-size", "65536")
    return ParsedSdp(
        IceCredentials(values["ice-ufrag"], values["ice-pwd"]),
        fingerprint.upper(),
        int(size) if size.isascii() and size.isdecimal() else 65536,
        tuple(candidates),
    )


def write_candidate(kind: str, address: str, port: int, ufrag: str) -> str:
    priority = {"host": 2122260223, "srflx": 1686052607, "relay": 41885439}[kind]
    related = "" if kind == "host" else " raddr 0.0.0.0 rport 0"
    return (
        f"candidate:{priority % 9973} 1 udp {priority} {address} {port} typ {kind}{related}"
        f" generation 0 ufrag {ufrag} network-cost 999"
    )


def read_candidate(text: str) -> ParsedCandidate:
    """Raises `MalformedMessage`."""
    match = CANDIDATE.fullmatch(text)
    if match is None or int(match[6]) > 65535:
        raise MalformedMessage("ICE candidate", "is not a candidate attribute")
    ufrag = re.search(r" ufrag (\S+)", match[8] or "")
    return ParsedCandidate(match[5], int(match[6]), match[7], ufrag[1] if ufrag else None)
