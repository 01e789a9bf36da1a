"""Frames on a data channel: uvarint length ‖ protobuf Message{flag = 1, message = 2}, packed by hand (hot path).

https://github.com/libp2p/specs/tree/master/webrtc#multiplexing. A frame with data carries no flag: rust judges the
flag first and would lose the data. A sender puts one frame in one SCTP message; a receiver may rely on neither that
nor the opposite (js sends prefix and body apart, go may split anywhere), so all messages of a channel are one stream.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from darkswap_browser.errors import MalformedMessage
from darkswap_browser.wire.varint import MAX_VARINT_BYTES, decode_varint_prefix, encode_varint

MAX_PAYLOAD = 16368
"""Bytes of data in one frame of ours: what every implementation accepts (py's limit is the smallest)."""
MAX_OVERHEAD = 16
"""By which a frame is longer than its data, at most."""

MAX_FRAMES = 1024
"""Frames that one SCTP message may complete. js, go and rust put one in a message; a thousand take 5 ms."""
_MAX_EMPTY = 64
"""Frames without data or flag in a row: legal, said by nobody, and a byte each that costs us a thousand times more."""
_MAX_FIELDS = 16
"""Of one frame's Message: two are known, and go has a third."""
_FLAG_TAG = 0x08
_DATA_TAG = 0x12
_WIRE_VARINT, _WIRE_FIXED64, _WIRE_BYTES, _WIRE_FIXED32 = 0, 1, 2, 5
_MAX_FIELD = 2**29 - 1


class Flag(IntEnum):
    FIN = 0
    """The sender will write no more."""
    STOP_SENDING = 1
    """The sender will read no more."""
    RESET_STREAM = 2
    """The sender broke the stream off in both directions."""
    FIN_ACK = 3
    """FIN arrived and so did everything before it."""


@dataclass(frozen=True, slots=True)
class Frame:
    """`flag` is None when absent, and a plain int when the number is unknown; data comes before its flag."""

    flag: int | None = None
    data: bytes = b""


_NOTHING = Frame()


def _data_header(size: int) -> bytes:
    field = b"\x12" + encode_varint(size)
    return encode_varint(len(field) + size) + field


_HEADERS = {size: _data_header(size) for size in (MAX_PAYLOAD, 1024, 32)}
_FULL_HEADER = _data_header(MAX_PAYLOAD)
_FULL_FRAME = len(_FULL_HEADER) + MAX_PAYLOAD
_FULL_START = len(_FULL_HEADER)
FLAG_FRAMES = {flag: bytes((2, _FLAG_TAG, flag)) for flag in Flag}
"""The whole frame of each flag."""


def data_frame(payload: bytes) -> bytes:
    """The frame of 1 to `MAX_PAYLOAD` bytes."""
    size = len(payload)
    if size == MAX_PAYLOAD:
        return _FULL_HEADER + payload
    # Lengths of frames below 126 bytes fit in one varint byte each; below 2^14 the same holds for two.
    if size < 126:
        return bytes((size + 2, _DATA_TAG, size)) + payload
    return (_HEADERS.get(size) or _data_header(size)) + payload


def data_frames(data: bytes) -> list[bytes]:
    """`data` cut into frames, in order; none for no data."""
    size = len(data)
    if size <= MAX_PAYLOAD:
        return [data_frame(data)] if size else []
    whole = size - size % MAX_PAYLOAD
    frames = [_FULL_HEADER + data[start : start + MAX_PAYLOAD] for start in range(0, whole, MAX_PAYLOAD)]
    if whole < size:
        frames.append(data_frame(data[whole:]))
    return frames


def sole_payload(message: bytes) -> bytes | None:
    """The data of an SCTP message that is exactly one data frame, else None: then `FrameDecoder` judges it.

    True of nearly every message, and several times cheaper than the decoder.
    """
    size = len(message)
    if size == _FULL_FRAME and message.startswith(_FULL_HEADER):
        return message[_FULL_START:]
    if size < 4:
        return None
    first = message[0]
    if first < 0x80:
        if first == size - 1 and message[1] == _DATA_TAG and message[2] == size - 3:
            return message[3:]
        return None
    # Two-byte lengths: 128 … 16383.
    second = message[1]
    if not 0 < second < 0x80 or (first & 0x7F | second << 7) != size - 2 or message[2] != _DATA_TAG:
        return None
    low = message[3]
    if low < 0x80:
        return message[4:] if low == size - 4 and low else None
    high = message[4] if size > 5 else 0x80
    if not 0 < high < 0x80 or (low & 0x7F | high << 7) != size - 5:
        return None
    return message[5:]


class FrameDecoder:
    """Cuts the messages of one channel into frames. A length above `max_frame` is refused before its body is kept."""

    def __init__(self, max_frame: int) -> None:
        self._buffer = b""
        self._max_frame = max_frame
        self._empty = 0
        self.decoded = 0
        """Frames that the last `feed` completed, before they were joined."""

    @property
    def is_empty(self) -> bool:
        """Nothing of a frame is waiting for its rest."""
        return not self._buffer

    def feed(self, data: bytes) -> list[Frame]:
        """The frames that `data` completes, the data of consecutive ones joined.

        Raises `MalformedMessage`; nothing can be decoded after that.
        """
        buffer = self._buffer + data if self._buffer else data
        frames: list[Frame] = []
        parts: list[bytes] = []
        position = self.decoded = 0
        while (frame := self._next(buffer, position)) is not None:
            flag, payload, position = frame
            self.decoded += 1
            if self.decoded > MAX_FRAMES:
                raise MalformedMessage("WebRTC message", f"more than {MAX_FRAMES} frames in it")
            if flag is not None:
                frames.append(Frame(flag, b"".join((*parts, payload))))
                parts = []
            elif payload:
                parts.append(payload)
            elif self._empty > _MAX_EMPTY:
                raise MalformedMessage("WebRTC frame", "nothing but empty frames")
        if parts:
            frames.append(Frame(None, parts[0] if len(parts) == 1 else b"".join(parts)))
        self._buffer = buffer[position:]
        return frames

    def _next(self, buffer: bytes, position: int) -> tuple[int | None, bytes, int] | None:
        """(flag, data, position after it) of the frame at `position`; None when it is not whole."""
        header = decode_varint_prefix(buffer, position)
        if header is None:
            return None
        size, start = header
        if size > self._max_frame:
            raise MalformedMessage("WebRTC frame", f"announces {size} bytes; at most {self._max_frame} are allowed")
        end = start + size
        if len(buffer) < end:
            return None
        frame = decode_body(buffer[start:end])
        self._empty = self._empty + 1 if frame == _NOTHING else 0
        return frame.flag, frame.data, end


def decode_body(body: bytes) -> Frame:
    """The protobuf Message of one frame. Unknown fields (go's errorCode = 3) are skipped; the last of a field holds."""
    flag: int | None = None
    data = b""
    position = fields = 0
    while position < len(body):
        fields += 1
        if fields > _MAX_FIELDS:
            raise MalformedMessage("WebRTC frame", f"more than {_MAX_FIELDS} fields")
        tag, position = _varint(body, position)
        number, wire = tag >> 3, tag & 7
        if not 0 < number <= _MAX_FIELD:
            raise MalformedMessage("WebRTC frame", f"field number {number}")
        if tag == _FLAG_TAG:
            flag, position = _varint(body, position)
        elif tag == _DATA_TAG:
            start, position = _bytes_field(body, position)
            data = body[start:position]
        elif number in (1, 2):
            raise MalformedMessage("WebRTC frame", f"field {number} with wire type {wire}")
        else:
            position = _skip(body, position, wire)
    return Frame(flag, data)


def _varint(body: bytes, position: int) -> tuple[int, int]:
    # Protobuf's varints, unlike multiformats' ones, may be padded and have up to ten bytes; none of ours needs more
    # than nine.
    value = shift = 0
    for index in range(position, min(len(body), position + MAX_VARINT_BYTES)):
        byte = body[index]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, index + 1
        shift += 7
    raise MalformedMessage("WebRTC frame", "truncated or over-long varint")


def _bytes_field(body: bytes, position: int) -> tuple[int, int]:
    """(start, end) of the contents."""
    size, start = _varint(body, position)
    if size > len(body) - start:
        raise MalformedMessage("WebRTC frame", "a field ends outside the frame")
    return start, start + size


def _skip(body: bytes, position: int, wire: int) -> int:
    if wire == _WIRE_VARINT:
        return _varint(body, position)[1]
    if wire == _WIRE_BYTES:
        return _bytes_field(body, position)[1]
    size = {_WIRE_FIXED64: 8, _WIRE_FIXED32: 4}.get(wire)
    if size is None or size > len(body) - position:
        raise MalformedMessage("WebRTC frame", f"field of wire type {wire}")
    return position + size
