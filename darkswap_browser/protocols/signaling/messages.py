"""Messages of `/webrtc-signaling/0.0.1`: protobuf {type = 1 enum, data = 2 string} behind a uvarint length.

https://github.com/libp2p/specs/blob/master/webrtc/webrtc.md#signaling. An event is a description or a candidate in
the host's own words; an `IceCandidate` whose `candidate` is empty says that no more will come.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import IntEnum
from typing import Annotated, Any

from darkswap_browser.errors import MalformedMessage
from darkswap_browser.runtime.base.webrtc import IceCandidate, SessionDescription
from darkswap_browser.wire import protobuf
from darkswap_browser.wire.parsing import parse_json
from darkswap_browser.wire.protobuf import Field, Message, uint

SIGNALING_PROTOCOL = "/webrtc-signaling/0.0.1"

SignalingEvent = SessionDescription | IceCandidate
"""What either side tells the other while a direct connection is being made."""

END_OF_CANDIDATES = IceCandidate("")

_WHAT = "signaling message"
# RTCIceCandidateInit is one flat object.
_CANDIDATE_DEPTH = 1
_MAX_CANDIDATE = 1024
"""Characters; RFC 8839 candidates stay below 300."""
_MAX_MID = 64
_MAX_FRAGMENT = 256
"""ice-ufrag's own limit (RFC 8839 §5.4)."""


class SignalType(IntEnum):
    SDP_OFFER = 0
    SDP_ANSWER = 1
    ICE_CANDIDATE = 2


@dataclass
class SignalMessage(Message):
    """`type` is written even when 0, as js does; absent means 0."""

    type: Annotated[uint | None, Field(1)] = None
    data: Annotated[str | None, Field(2)] = None


def encode_event(event: SignalingEvent) -> bytes:
    """The message, without its length."""
    if isinstance(event, SessionDescription):
        kind = SignalType.SDP_OFFER if event.type == "offer" else SignalType.SDP_ANSWER
        return protobuf.encode(SignalMessage(uint(kind), event.sdp))
    return protobuf.encode(SignalMessage(uint(SignalType.ICE_CANDIDATE), candidate_to_json(event)))


def decode_event(data: bytes, max_size: int) -> SignalingEvent:
    """Raises `MalformedMessage`. An unknown type counts as the end of candidates: py has one that means just that."""
    message = protobuf.decode(SignalMessage, data, _WHAT, max_size)
    text = message.data or ""
    kind = message.type or 0
    if kind in (SignalType.SDP_OFFER, SignalType.SDP_ANSWER):
        if not text.startswith("v=0"):
            raise MalformedMessage(_WHAT, "an SDP begins with v=0")
        return SessionDescription("offer" if kind == SignalType.SDP_OFFER else "answer", text)
    if kind == SignalType.ICE_CANDIDATE:
        return candidate_from_json(text)
    return END_OF_CANDIDATES


def candidate_to_json(candidate: IceCandidate) -> str:
    """RTCIceCandidate.toJSON() as text."""
    return json.dumps(
        {
            "candidate": candidate.candidate,
            "sdpMid": candidate.sdp_mid,
            "sdpMLineIndex": candidate.sdp_m_line_index,
            "usernameFragment": candidate.username_fragment,
        },
        separators=(",", ":"),
    )


def candidate_from_json(text: str) -> IceCandidate:
    """Accepts RTCIceCandidateInit, and each way to say that there are no more: nothing, `null`, `""`, an empty one.

    Raises `MalformedMessage`.
    """
    if not text:
        return END_OF_CANDIDATES
    value = parse_json("ICE candidate", text, max_depth=_CANDIDATE_DEPTH)
    if value is None or value == "":
        return END_OF_CANDIDATES
    if not isinstance(value, dict):
        raise MalformedMessage("ICE candidate", "not an object")
    candidate = _text(value, "candidate", _MAX_CANDIDATE)
    index = _index(value.get("sdpMLineIndex"))
    if not candidate:
        return END_OF_CANDIDATES
    return IceCandidate(
        candidate,
        _text(value, "sdpMid", _MAX_MID),
        index,
        _text(value, "usernameFragment", _MAX_FRAGMENT),
    )


def _index(value: object) -> int | None:
    """Of a section, in each form that browsers take: WebIDL makes an unsigned short of 0.0 and "0" too."""
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) <= 5:
        value = int(value)
    if value is None or (isinstance(value, int | float) and not isinstance(value, bool) and value in range(2**16)):
        return None if value is None else int(value)
    raise MalformedMessage("ICE candidate", "sdpMLineIndex is no index")


def _text(value: dict[str, Any], key: str, max_length: int) -> Any:
    """A string or None; a candidate goes on into the browser's parser, so it may not smuggle in further lines."""
    text = value.get(key)
    if text is None:
        return None
    if isinstance(text, str) and key == "candidate":
        # Some peers send the line of the SDP, with its end.
        text = text.rstrip("\r\n")
    if not isinstance(text, str) or len(text) > max_length or "\r" in text or "\n" in text:
        raise MalformedMessage("ICE candidate", f"{key} is no text of at most {max_length} characters in one line")
    return text
