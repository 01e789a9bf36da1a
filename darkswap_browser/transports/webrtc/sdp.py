"""What we read in and change about session descriptions (RFC 8866) and candidates (RFC 8839), as text."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from itertools import pairwise

from darkswap_browser.errors import MalformedMessage
from darkswap_browser.runtime.base.webrtc import IceCandidate, SessionDescription
from darkswap_browser.transports.webrtc.fingerprint import Fingerprint
from darkswap_browser.transports.webrtc.messages import MAX_OVERHEAD, MAX_PAYLOAD

UFRAG_V1 = "libp2p+webrtc+v1/"
"""webrtc-direct: both sides use one random ufrag = pwd with this prefix, "munged" into the browser's offer."""
UFRAG_V2 = "libp2p+webrtc+v2/"
"""webrtc-direct without munging: the server's ufrag = pwd is this prefix and the client's own ice-pwd."""

TOOL = "darkswap"
"""`a=tool:` of our descriptions (RFC 8866 §6.2), ignored by everyone else: two of ours settle a glare by it."""

_ICE_CHARACTERS = re.compile(r"[A-Za-z0-9+/]+")
_LINE_ENDS = re.compile(r"\r?\n")


@dataclass(frozen=True, slots=True)
class IceCredentials:
    ufrag: str
    pwd: str


def lines(sdp: str) -> list[str]:
    return [line for line in _LINE_ENDS.split(sdp) if line]


def attribute(sdp: str, name: str) -> str | None:
    """The value of the first `a=name:value`."""
    prefix = f"a={name}:"
    return next((line[len(prefix) :].strip() for line in lines(sdp) if line.startswith(prefix)), None)


def fingerprint(sdp: str) -> Fingerprint:
    """The certificate's SHA-256 fingerprint. Raises `MalformedMessage` when there is none."""
    for line in lines(sdp):
        if line.lower().startswith("a=fingerprint:sha-256 "):
            return Fingerprint.parse(line[len("a=fingerprint:") :])
    raise MalformedMessage("SDP", "no SHA-256 fingerprint")


def ice_credentials(sdp: str) -> IceCredentials:
    """Raises `MalformedMessage`."""
    ufrag, pwd = attribute(sdp, "ice-ufrag"), attribute(sdp, "ice-pwd")
    if not ufrag or not pwd:
        raise MalformedMessage("SDP", "no ice-ufrag or ice-pwd")
    return IceCredentials(ufrag, pwd)


def munge_credentials(offer: str, value: str) -> str:
    """The offer with ufrag and pwd both replaced by `value` (webrtc-direct v1)."""
    changed = re.sub(r"a=ice-ufrag:[^\r\n]*", f"a=ice-ufrag:{value}", offer)
    return re.sub(r"a=ice-pwd:[^\r\n]*", f"a=ice-pwd:{value}", changed)


def mark_tool(sdp: str) -> str:
    """The description with our name in its session part, which ends at the first m= line."""
    session, media, rest = sdp.partition("m=")
    return f"{session}a=tool:{TOOL}\r\n{media}{rest}"


def is_darkswap_sdp(sdp: str) -> bool:
    """Whether one of ours wrote it."""
    return attribute(sdp, "tool") == TOOL


LISTENER_MESSAGE = 4096
"""Bytes of one message to a `/webrtc-direct` listener. The specification allows 16 KiB, but go-libp2p (0.52) reads a
message through a buffer of 4 KiB and resets the stream of a larger one (tests/interop; libp2p/go-msgio#37).
"""


def max_payload(sdp: str) -> int:
    """Bytes of data in one message that the writer of `sdp` takes: `a=max-message-size` (RFC 8841), where it is small.

    Absent it means 64 KiB, and 0 any size.
    """
    text = attribute(sdp, "max-message-size") or "0"
    size = int(text) if text.isascii() and text.isdecimal() and len(text) < 16 else 0
    return MAX_PAYLOAD if size == 0 else max(1, min(MAX_PAYLOAD, size - MAX_OVERHEAD))


def candidate_key(candidate: str) -> tuple[str, ...]:
    """What two texts of one candidate agree in: foundation, component, transport, priority, address, port and type.

    Of a candidate with or without `a=`. The extensions behind them differ: Chrome writes `ufrag` in events only.
    """
    return tuple(candidate.removeprefix("a=").removeprefix("candidate:").split()[:8])


def candidate_keys(sdp: str) -> frozenset[tuple[str, ...]]:
    """The keys of all candidates that stand in a description."""
    return frozenset(candidate_key(line) for line in lines(sdp) if line.startswith("a=candidate:"))


def is_relay_candidate(candidate: str) -> bool:
    """Whether a candidate (with or without `a=`) is of type relay, the only one without an own address."""
    words = candidate.split()
    return any(word == "typ" and following == "relay" for word, following in pairwise(words))


def only_relay_candidates(description: SessionDescription) -> SessionDescription:
    """The description without candidates of other types; its connection lines name no address either."""
    kept = []
    for line in lines(description.sdp):
        if line.startswith("a=candidate:") and not is_relay_candidate(line):
            continue
        if line.startswith("c="):
            line = "c=IN IP4 0.0.0.0"
        kept.append(_without_related_address(line) if line.startswith("a=candidate:") else line)
    return replace(description, sdp="".join(f"{line}\r\n" for line in kept))


def relay_candidate(candidate: IceCandidate) -> IceCandidate | None:
    """The candidate if it may leave in relay-only mode, without the server-reflexive address it was made from."""
    if candidate.candidate and not is_relay_candidate(candidate.candidate):
        return None
    return replace(candidate, candidate=_without_related_address(candidate.candidate))


def _without_related_address(candidate: str) -> str:
    # RFC 8839 §5.1: raddr and rport are for diagnosis; browsers themselves blank them in relay-only mode.
    return re.sub(r" raddr \S+ rport \S+", " raddr 0.0.0.0 rport 0", candidate)


def direct_answer(host: str, port: int, credentials: IceCredentials, certificate: Fingerprint) -> str:
    """The answer that a webrtc-direct server would give: nothing is exchanged, all of it follows from its multiaddr.

    `host` is an IP address in text form.
    """
    family = "IP6" if ":" in host else "IP4"
    return "".join(
        f"{line}\r\n"
        for line in (
            "v=0",
            f"o=- 0 0 IN {family} {host}",
            "s=-",
            "t=0 0",
            "a=ice-lite",
            f"m=application {port} UDP/DTLS/SCTP webrtc-datachannel",
            f"c=IN {family} {host}",
            "a=mid:0",
            "a=ice-options:ice2",
            f"a=ice-ufrag:{credentials.ufrag}",
            f"a=ice-pwd:{credentials.pwd}",
            f"a=fingerprint:{certificate}",
            "a=setup:passive",
            "a=sctp-port:5000",
            f"a=max-message-size:{LISTENER_MESSAGE}",
            f"a=candidate:1467250027 1 UDP 1467250027 {host} {port} typ host",
            "a=end-of-candidates",
        )
    )


def server_credentials_v2(local_offer: str) -> IceCredentials:
    """webrtc-direct v2: the server's credentials follow from the password of our own, unchanged offer."""
    pwd = ice_credentials(local_offer).pwd
    if not _ICE_CHARACTERS.fullmatch(pwd):
        raise MalformedMessage("SDP", "ice-pwd holds other than ICE characters")
    return IceCredentials(UFRAG_V2 + pwd, UFRAG_V2 + pwd)
