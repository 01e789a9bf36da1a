"""What peers and relays tell each other: our channels, and libp2p's messages as we write them."""

from __future__ import annotations

from functools import partial
from typing import Any

from darkswap_browser.chain import alkanes
from darkswap_browser.identity import envelope, peer_record
from darkswap_browser.identity.envelope import EnvelopeMessage, signed_bytes
from darkswap_browser.identity.multiaddr import Multiaddr
from darkswap_browser.identity.peer_id import KeyType, PeerId, PublicKey
from darkswap_browser.identity.peer_record import PeerRecord
from darkswap_browser.net import negotiate
from darkswap_browser.net.connection import CircuitLimit
from darkswap_browser.net.noise import payload
from darkswap_browser.net.yamux import frames
from darkswap_browser.protocols.channels import messages as channels
from darkswap_browser.protocols.channels.hand_over import (
    HandedChannel,
    HandOver,
    KeptName,
    decode_hand_over,
    encode_hand_over,
)
from darkswap_browser.protocols.channels.snapshot import (
    ChannelSnapshot,
    InboxSnapshot,
    OutboxSnapshot,
    decode_snapshot,
    encode_snapshot,
)
from darkswap_browser.protocols.identify import messages as identify
from darkswap_browser.protocols.relay import messages as relay
from darkswap_browser.protocols.relay.messages import (
    CircuitPeer,
    HopMessage,
    HopType,
    ReservationInfo,
    Status,
    StopMessage,
    StopType,
    Voucher,
)
from darkswap_browser.protocols.signaling import messages as signaling
from darkswap_browser.runtime.base.webrtc import IceCandidate, SessionDescription
from darkswap_browser.settlement import messages as trades
from darkswap_browser.transports.webrtc import messages as webrtc
from darkswap_browser.wire import protobuf, varint
from darkswap_browser.wire.protobuf import Message, uint
from tests.golden.case import Case

KEY = PublicKey(KeyType.ED25519, bytes(range(32)))
PEER: PeerId = KEY.peer_id()
OTHER = PublicKey(KeyType.ED25519, bytes(32)).peer_id()
ADDRESSES = (
    Multiaddr.parse("/dns4/relay.example.org/tcp/443/wss"),
    Multiaddr.parse(f"/ip4/192.0.2.1/tcp/4001/ws/p2p/{OTHER}/p2p-circuit/webrtc"),
)
LIMIT = CircuitLimit(120, 131_072)
SESSION, THEIRS = bytes(range(16)), bytes(range(16, 32))


def _channels() -> list[Case]:
    controls: tuple[tuple[str, channels.Control], ...] = (
        ("hello, first", channels.Hello(SESSION, b"", 0, 0, 1_048_576)),
        ("hello, again", channels.Hello(SESSION, THEIRS, 2**40, 2**39, 65_536)),
        ("hello, of an earlier session", channels.Hello(SESSION, THEIRS, 300, 200, 65_536, THEIRS[::-1], 7)),
        ("ack", channels.Ack(300, 65_536)),
        ("close", channels.Close("disconnected")),
        ("restart", channels.Restart()),
        ("leave", channels.Leave("leaving")),
        ("ping", channels.Ping()),
    )
    session = ChannelSnapshot(
        SESSION,
        THEIRS,
        OutboxSnapshot(7, 2, 8, 300, 306, 307, 301, 65_536, (b"ab", b"", b"cdef")),
        InboxSnapshot(500, 490, 70_000, 480, 65_536, 9, (b"x", b"yz"), b"\x05abc"),
    )
    return [
        *(
            Case(
                name=f"channel frame: {name}",
                value=control,
                encode=channels.encode_control,
                decode=lambda data: channels.decode_control(_unframed(data)),
            )
            for name, control in controls
        ),
        Case(
            name="channel session",
            value=session,
            encode=encode_snapshot,
            decode=decode_snapshot,
        ),
        Case(
            name="channel sessions",
            value=HandOver(
                12,
                (
                    HandedChannel("12D3KooWpeer", True, session, (), (KeptName(8, "00000000000000000003"),)),
                    HandedChannel("12D3KooWother", False, None, (b"left",)),
                ),
            ),
            encode=encode_hand_over,
            decode=decode_hand_over,
        ),
        Case(name="channel frame: header of data", value=65_536, encode=channels.data_header),
        Case(name="channel frame: header of a message", value=65_536, encode=channels.message_header),
    ]


def _unframed(data: bytes) -> bytes:
    size, start = varint.decode_varint(data, 0)
    assert start + size == len(data)
    return data[start:]


def _relay() -> list[Case]:
    peer = CircuitPeer(PEER, ADDRESSES)
    hop = (
        ("reserve", HopMessage(HopType.RESERVE)),
        ("connect", HopMessage(HopType.CONNECT, CircuitPeer(PEER))),
        ("refused", HopMessage(HopType.STATUS, status=Status.RESERVATION_REFUSED)),
        (
            "refused by one of ours",
            HopMessage(HopType.STATUS, status=Status.RESERVATION_REFUSED, reason="ip-rate", retry_after=60),
        ),
        (
            "reserved",
            HopMessage(
                HopType.STATUS,
                reservation=ReservationInfo(1_800_003_600, ADDRESSES, b"voucher"),
                limit=LIMIT,
                status=Status.OK,
            ),
        ),
    )
    stop = (
        ("connect", StopMessage(StopType.CONNECT, peer, LIMIT)),
        ("accepted", StopMessage(StopType.STATUS, status=Status.OK)),
    )
    voucher = Voucher(OTHER, PEER, 1_800_003_600)
    return [
        *(
            Case(name=f"hop: {name}", value=each, encode=relay.encode_hop, decode=relay.decode_hop)
            for name, each in hop
        ),
        *(
            Case(name=f"stop: {name}", value=each, encode=relay.encode_stop, decode=relay.decode_stop)
            for name, each in stop
        ),
        Case(name="reservation voucher", value=voucher, encode=relay.encode_voucher, decode=relay.decode_voucher),
    ]


def _identity() -> list[Case]:
    whole = identify.IdentifyMessage(
        public_key=KEY.to_protobuf(),
        addresses=ADDRESSES,
        protocols=("/ipfs/id/1.0.0", channels.PROTOCOL),
        observed=Multiaddr.parse("/ip4/198.51.100.7/udp/9/webrtc-direct"),
        protocol_version="ipfs/0.1.0",
        agent="darkswap/test",
        signed_record=b"envelope",
    )
    return [
        Case(
            name="peer record",
            value=PeerRecord(PEER, 1_800_000_000 * 10**9, ADDRESSES),
            encode=PeerRecord.to_bytes,
            decode=PeerRecord.from_bytes,
        ),
        _protobuf("signed envelope", EnvelopeMessage(KEY.to_protobuf(), b"\x03\x01", b"payload", bytes(64))),
        Case(
            name="signed envelope: signed",
            value=b"payload",
            encode=lambda value: signed_bytes("libp2p-peer-record", b"\x03\x01", value),
        ),
        *(
            Case(
                name=f"identify: {name}",
                value=message,
                encode=identify.encode_identify,
                decode=lambda data: identify.decode_identify(data, 8192, 64, 64),
            )
            for name, message in (("whole", whole), ("empty", identify.IdentifyMessage()))
        ),
        Case(
            name="noise payload",
            value=payload.HandshakePayload(KEY.to_protobuf(), bytes(64), ("/yamux/1.0.0",)),
            encode=payload.encode_payload,
            decode=lambda data: payload.decode_payload(data, 4096),
        ),
        Case(name="noise payload: signed", value=bytes(32), encode=payload.signed_text),
    ]


def _links() -> list[Case]:
    yamux = (
        (frames.DATA, frames.SYN, 1, 500),
        (frames.WINDOW_UPDATE, frames.ACK, 2, 262_144),
        (frames.PING, frames.SYN, 0, 7),
        (frames.GO_AWAY, 0, 0, frames.PROTOCOL_ERROR),
    )
    events = (
        ("offer", SessionDescription("offer", "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\n")),
        ("answer", SessionDescription("answer", "v=0\r\n")),
        ("candidate", IceCandidate("candidate:1 1 udp 1 192.0.2.1 9 typ host", "0", 0, "abcd")),
        ("no more candidates", signaling.END_OF_CANDIDATES),
    )
    return [
        *(
            Case(name=f"yamux header {kind}", value=header, encode=lambda value: frames.pack(*value), decode=_yamux)
            for header in yamux
            for kind in (header[0],)
        ),
        Case(
            name="multistream line",
            value=negotiate.HEADER,
            encode=negotiate.encode_line,
            decode=lambda data: negotiate.decode_line(_unframed(data)),
        ),
        *(
            Case(
                name=f"signaling: {name}",
                value=event,
                encode=signaling.encode_event,
                decode=lambda data: signaling.decode_event(data, 65_536),
            )
            for name, event in events
        ),
        Case(
            name="data channel frame",
            value=b"some data",
            encode=webrtc.data_frame,
            decode=lambda data: webrtc.decode_body(_unframed(data)).data,
        ),
        *(
            Case(
                name=f"data channel frame: flag {flag}",
                value=flag,
                encode=webrtc.FLAG_FRAMES.__getitem__,
                decode=lambda data: webrtc.decode_body(_unframed(data)).flag,
            )
            for flag in webrtc.Flag
        ),
    ]


def _yamux(data: bytes) -> tuple[int, ...]:
    return tuple(frames.HEADER.unpack(data)[1:])


def _alkanes() -> list[Case]:
    number = alkanes.Uint128(uint(5), uint(1))
    sheet = alkanes.BalanceSheet([alkanes.Entry(alkanes.Rune(alkanes.RuneId(number, number)), number)])
    return [
        _protobuf(
            "alkanes: request for an outpoint",
            alkanes.OutpointRequest(bytes(range(32)), uint(2), alkanes.Uint128(uint(1))),
        ),
        _protobuf(
            "alkanes: answer for an outpoint",
            alkanes.OutpointResponse(sheet, alkanes.Outpoint(bytes(range(32)), uint(2))),
        ),
    ]


def _protobuf(name: str, value: Message) -> Case:
    return Case(name=name, value=value, encode=protobuf.encode, decode=partial(_message, type(value)))


def _message(kind: Any, data: bytes) -> Any:
    return protobuf.decode(kind, data, "golden message", 65_536)


CASES = [*_channels(), *_relay(), *_identity(), *_links(), *_alkanes()]

MODULES = {
    alkanes: ("alkanes",),
    envelope: ("signed envelope",),
    peer_record: ("peer record",),
    payload: ("noise payload",),
    channels: ("channel frame", "channel session"),
    identify: ("identify",),
    relay: ("hop", "stop", "reservation voucher"),
    signaling: ("signaling",),
    webrtc: ("data channel frame",),
    trades: ("trade message",),
}
"""Every module of the page that declares messages, and how the names of their cases begin."""
