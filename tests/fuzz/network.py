"""What the network brings, decoder by decoder: wire, identity, net, protocols, transports, and the configuration."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress

from darkswap_browser.errors import (
    ConnectionLost,
    EndOfStream,
    InvalidArgument,
    RemoteError,
)
from darkswap_browser.identity.envelope import open_envelope
from darkswap_browser.identity.multiaddr import Multiaddr
from darkswap_browser.identity.peer_id import PeerId, PublicKey
from darkswap_browser.identity.peer_record import PeerRecord, open_peer_record
from darkswap_browser.net import negotiate
from darkswap_browser.net.limits import DEFAULT_LIMITS, Limits
from darkswap_browser.net.noise.machine import CipherState, HandshakeMachine, KeyPair
from darkswap_browser.net.noise.payload import decode_payload, encode_payload
from darkswap_browser.net.noise.secure_stream import SecureStream
from darkswap_browser.net.stream import BufferedStream, ReceiveBuffer
from darkswap_browser.net.yamux.machine import YamuxMachine
from darkswap_browser.node.config import NetworkConfig
from darkswap_browser.protocols.channels.inbox import Inbox
from darkswap_browser.protocols.channels.messages import decode_control
from darkswap_browser.protocols.identify.messages import decode_identify, encode_identify
from darkswap_browser.protocols.relay.messages import (
    decode_hop,
    decode_stop,
    decode_voucher,
    encode_hop,
    encode_stop,
    encode_voucher,
)
from darkswap_browser.protocols.relay.voucher import verify_voucher
from darkswap_browser.protocols.signaling.messages import candidate_from_json, decode_event, encode_event
from darkswap_browser.relayd.stun.messages import decode_request
from darkswap_browser.runtime.base.webrtc import SessionDescription
from darkswap_browser.runtime.native.crypto import NativeCrypto
from darkswap_browser.testing import loop
from darkswap_browser.transports.webrtc import sdp
from darkswap_browser.transports.webrtc.fingerprint import Fingerprint
from darkswap_browser.transports.webrtc.messages import FrameDecoder, sole_payload
from darkswap_browser.wire.framing import MessageDecoder
from darkswap_browser.wire.multibase import multibase_decode, multibase_encode
from darkswap_browser.wire.multihash import Multihash
from darkswap_browser.wire.varint import decode_varint, encode_varint
from tests.fuzz.target import Target, as_text, same_again

CRYPTO = NativeCrypto()
LIMITS = Limits(channel_message=4096, yamux_streams=8)
PEER = PeerId.parse("12D3KooWBtg3aaRMjxwedh83aGiUkwSxDwUZkzuJcfaqUmo7R3pq")
RECORD = bytes.fromhex(
    "0a260024080112201ed1e8fae2c4a144b8be8fd4b47bf3d3b34b871c3cacf6010f0e42d474fce27e10011a0c0a0a047f000001062329dd03"
)
KEY = bytes.fromhex("080112201ed1e8fae2c4a144b8be8fd4b47bf3d3b34b871c3cacf6010f0e42d474fce27e")
ENVELOPE = (
    b"\x0a\x24" + KEY + bytes.fromhex("120203011a38") + RECORD + bytes.fromhex(
        "2a4047231d7ffe9716f1486f53c30c4bd6ce3be0b0526342f9ab830d3f426c46820153dd76849675209dee02ca6d138fc205"
        "0c1a8ddb1e9d3eb0543404f5e943650c"
    )
)  # fmt: skip
ADDRESSES = (
    "/ip4/127.0.0.1/tcp/9001/ws",
    "/dns4/a.b/tcp/443/tls/sni/c.d/ws/http-path/x",
    f"/ip6/::1/udp/9/webrtc-direct/certhash/uEiDikp5KVUgkLta1EjUN-IKbHk-dUBg8VzKgf5nXxLK46w/p2p/{PEER}",
    f"/ip6zone/eth0/ip6/fe80::1/tcp/1/ws/p2p/{PEER}/p2p-circuit/webrtc/p2p/{PEER}",
    "/unix/a/b",
    "/memory/7",
)
CERTIFICATE = "sha-256 " + ":".join(f"{byte:02X}" for byte in hashlib.sha256(b"certificate").digest())
SDP = (
    "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n"
    f"a=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuvwx\r\na=fingerprint:{CERTIFICATE}\r\n"
    "a=candidate:1 1 udp 2122260223 192.0.2.1 5000 typ host generation 0\r\na=end-of-candidates\r\n"
)


def varint(data: bytes) -> None:
    value, end = decode_varint(data)
    assert encode_varint(value) == data[:end]


def framing(data: bytes) -> None:
    """Byte by byte gives the same messages as all at once."""
    whole = MessageDecoder(64).feed(data)
    decoder = MessageDecoder(64)
    assert [message for byte in data for message in decoder.feed(bytes((byte,)))] == whole


def multibase(text: str) -> None:
    assert multibase_encode(text[:1], multibase_decode(text)) == text


def multiaddr_text(text: str) -> None:
    address = Multiaddr.parse(text)
    assert Multiaddr.parse(str(address)) == address
    for shape in ("is_tcp", "is_websocket", "is_circuit", "is_webrtc", "is_webrtc_direct"):
        getattr(address, shape)
    address.peer_id(), address.relay_peer_id(), address.split_circuit(), address.without_peer(), address.port()
    if address.is_websocket:
        assert address.websocket_url().startswith("ws")


def webrtc_frames(data: bytes) -> None:
    """The short cut for one whole data frame agrees with the decoder."""
    payload = sole_payload(data)
    frames = FrameDecoder(16384).feed(data)
    if payload is not None:
        assert len(frames) == 1 and frames[0].data == payload and frames[0].flag is None


def yamux(data: bytes) -> None:
    """Both ends, in two pieces; what they answer stays bounded by what they are limited to."""
    for initiator in (True, False):
        machine = YamuxMachine(initiator=initiator, limits=LIMITS)
        machine.open_stream()
        for piece in (data[: len(data) // 2], data[len(data) // 2 :]):
            machine.receive(piece)
        assert machine.streams <= LIMITS.yamux_streams + 1
        assert len(machine.take_output(1 << 20)) <= 64 * 1024


def noise(data: bytes) -> None:
    """The same bytes as each message that a side reads first."""
    for initiator in (True, False):
        static, ephemeral = (KeyPair.of(CRYPTO, bytes((number,)) * 32) for number in (1, 2))
        machine = HandshakeMachine(CRYPTO, initiator=initiator, static=static, ephemeral=ephemeral)
        if initiator:
            machine.write()
        machine.read(data)


class Replay:
    """A stream that holds what came and takes whatever is written."""

    def __init__(self, data: bytes) -> None:
        self._buffer = ReceiveBuffer()
        self._buffer.feed(data)
        self._buffer.end(EndOfStream())

    async def read(self, max_bytes: int = 65536) -> bytes:
        return await self._buffer.read(max_bytes)

    async def write(self, data: bytes) -> None:
        assert len(data) < 64 * 1024

    async def close_write(self) -> None: ...

    async def close(self) -> None: ...

    def reset(self) -> None: ...


def negotiation(data: bytes) -> None:
    async def both() -> None:
        with suppress(EndOfStream, RemoteError):
            await negotiate.answer(BufferedStream(Replay(data)), lambda protocol: protocol == "/a", DEFAULT_LIMITS)
        with suppress(EndOfStream):
            await negotiate.select_one(BufferedStream(Replay(data)), ["/a", "/b"], DEFAULT_LIMITS)

    loop.run(both())


def frames(data: bytes) -> None:
    """Behind a handshake: frames that nobody sealed, and one that somebody did."""

    async def read() -> None:
        sealed = CipherState(CRYPTO, b"k" * 32).encrypt(b"text")
        stream = Replay(len(sealed).to_bytes(2, "big") + sealed + data)
        secure = SecureStream(BufferedStream(stream), CipherState(CRYPTO, bytes(32)), CipherState(CRYPTO, b"k" * 32))
        assert await secure.read() == b"text"
        with suppress(EndOfStream, ConnectionLost):
            await secure.read()

    loop.run(read())


def inbox(data: bytes) -> None:
    box = Inbox(LIMITS)
    box.begin_stream()
    for piece in (data[: len(data) // 3], data[len(data) // 3 :]):
        box.receive(piece)
    assert all(len(message) <= LIMITS.channel_message for message in box.take_all())


def session_description(text: str) -> None:
    sdp.is_darkswap_sdp(text)
    sdp.fingerprint(text)
    sdp.ice_credentials(text)
    sdp.server_credentials_v2(text)


BINARY_ADDRESSES = tuple(Multiaddr.parse(text).to_bytes() for text in ADDRESSES)
TEXT_ADDRESSES = tuple(text.encode() for text in ADDRESSES)
HOP = (bytes.fromhex("0800"), bytes.fromhex("08022864"), b"\x08\x01\x12\x28\x0a\x26" + PEER.to_bytes(),
       bytes.fromhex("0802") + b"\x1a\x14\x08\x80\xa0\xb0\xc0\x06\x12\x0b" + BINARY_ADDRESSES[0] + b"\0"
       + bytes.fromhex("220608901c10808008") + bytes.fromhex("2864"))  # fmt: skip
OFFER = encode_event(SessionDescription("offer", SDP))
CANDIDATE = b'{"candidate":"candidate:1 1 udp 1 192.0.2.1 5 typ host","sdpMid":"0","sdpMLineIndex":0}'
IDENTIFY = (
    b"\x0a\x24" + KEY + b"\x12\x0a" + BINARY_ADDRESSES[0] + b"\x1a\x05/id/1\x1a\x03/pi\x22\x02\x04\x01"
    b"\x2a\x0dipfs/1.0.0abc\x32\x04test"
)
CONFIG = json.dumps(
    {"network": {"relays": [f"/ip4/1.2.3.4/tcp/1/ws/p2p/{PEER}"], "ice_servers": [{"urls": ["stun:a"]}]}}
).encode()

NETWORK: dict[str, Target] = {
    "varint": Target(varint, (b"\x00", b"\xac\x02", b"\xff" * 8 + b"\x7f")),
    "framing": Target(framing, (b"\x03abc\x00\x01x", b"\x40" + bytes(64))),
    "multibase": Target(as_text(multibase), (b"zabc", b"bmzxw6", b"uAQID", b"f00ff", b"k0a", b"BMZXW6")),
    "multihash": Target(same_again(Multihash.from_bytes, Multihash.to_bytes), (b"\x00\x02ab", b"\x12\x20" + bytes(32))),
    "public_key": Target(same_again(PublicKey.from_protobuf, PublicKey.to_protobuf), (KEY,)),
    "peer_id": Target(same_again(PeerId.from_bytes, PeerId.to_bytes), (PEER.to_bytes(),)),
    "peer_id_text": Target(as_text(PeerId.parse), (str(PEER).encode(), PEER.to_cid_text().encode()), InvalidArgument),
    "multiaddr": Target(same_again(Multiaddr.from_bytes, Multiaddr.to_bytes), BINARY_ADDRESSES),
    "multiaddr_text": Target(as_text(multiaddr_text), TEXT_ADDRESSES, InvalidArgument),
    "envelope": Target(lambda data: loop.run(open_envelope(CRYPTO, data, "domain", b"\x03\x01")), (ENVELOPE,)),
    "peer_record": Target(same_again(PeerRecord.from_bytes, PeerRecord.to_bytes), (RECORD,)),
    "signed_peer_record": Target(lambda data: loop.run(open_peer_record(CRYPTO, data)), (ENVELOPE,)),
    "multistream_line": Target(negotiate.decode_line, (b"/multistream/1.0.0\n", b"na\n")),
    "multistream": Target(
        negotiation, (b"\x13/multistream/1.0.0\n\x03/a\n", b"\x13/multistream/1.0.0\n\x03na\n\x03/b\n"), RemoteError
    ),
    "noise_payload": Target(
        same_again(lambda data: decode_payload(data, 4096), encode_payload),
        (b"\x0a\x24" + KEY + b"\x12\x40" + bytes(64) + b"\x22\x0e\x12\x0c/yamux/1.0.0",),
    ),
    "noise": Target(noise, (CRYPTO.x25519_public(b"\x09" * 32) + bytes(64),), RemoteError),
    "noise_frames": Target(frames, (b"\x00\x14" + bytes(20), b"\x00\x10" + bytes(16)), RemoteError),
    "yamux": Target(
        yamux,
        (
            bytes.fromhex("000100010000000200000000000000000000000200000003") + b"abc",
            bytes.fromhex("000200010000000000000007000300000000000000000000"),
            bytes.fromhex("000100040000000100000010000000080000000100000000"),
        ),
        RemoteError,
    ),
    "webrtc_frames": Target(webrtc_frames, (bytes.fromhex("0612047465787402080003080012"), b"\x05\x12\x03abc")),
    "fingerprint": Target(as_text(Fingerprint.parse), (CERTIFICATE.encode(),)),
    "certhash": Target(as_text(Fingerprint.from_certhash), (b"uEiDikp5KVUgkLta1EjUN-IKbHk-dUBg8VzKgf5nXxLK46w",)),
    "sdp": Target(as_text(session_description), (SDP.encode(),)),
    "hop": Target(same_again(decode_hop, encode_hop), HOP),
    "stop": Target(same_again(decode_stop, encode_stop), (bytes.fromhex("08012064"), *HOP)),
    "voucher": Target(
        same_again(decode_voucher, encode_voucher),
        (b"\x0a\x26" + PEER.to_bytes() + b"\x12\x26" + PEER.to_bytes() + b"\x18\x80\xa0\xb0\xc0\x06",),
    ),
    "signed_voucher": Target(
        lambda data: loop.run(verify_voucher(CRYPTO, data, PEER, PEER, 0.0)), (ENVELOPE,), RemoteError
    ),
    "signaling": Target(
        same_again(lambda data: decode_event(data, 32768), encode_event), (OFFER, b"\x08\x02\x12\x57" + CANDIDATE)
    ),
    "stun": Target(
        decode_request,
        (
            bytes.fromhex("000100002112a442") + bytes(range(12)),
            bytes.fromhex("000100082112a442") + bytes(range(12)) + bytes.fromhex("8022000361626300"),
        ),
    ),
    "ice_candidate": Target(as_text(candidate_from_json), (CANDIDATE, b"null", b'""')),
    "identify": Target(same_again(lambda data: decode_identify(data, 8192, 64, 256), encode_identify), (IDENTIFY,)),
    "config": Target(as_text(NetworkConfig.from_mapping), (CONFIG, b"{}", b"[" * 2000), InvalidArgument),
    "channel_control": Target(
        decode_control,
        (
            b"\x03\x07",
            b"\x04\x81\xa6reason\xa3bye",
            b"\x06\x80",
            b"\x05\x85\xa1s\xc4\x10" + bytes(16) + b"\xa1p\xc4\x00\xa1r\x05\xa1c\x04\xa1w\xcd\x10\x00",
        ),
    ),
    "channel": Target(
        inbox,
        (b"\x05\x00\x03abc\x04\x00\x06ab\x05\x00cdef\x03\x01\x07\x09", b"\x03\x01\x05\x00", b"\x01\x06"),
        RemoteError,
    ),
}
