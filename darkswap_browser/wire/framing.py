"""Messages behind their unsigned-varint length, as most libp2p protocols frame them."""

from __future__ import annotations

from darkswap_browser.errors import MalformedMessage
from darkswap_browser.wire.varint import decode_varint_prefix, encode_varint


def frame(message: bytes) -> bytes:
    return encode_varint(len(message)) + message


class MessageDecoder:
    """Incremental: any cut of the bytes gives the same messages. An announced size is judged before its body comes."""

    def __init__(self, max_size: int) -> None:
        self.max_size = max_size
        self._buffer = bytearray()

    @property
    def pending(self) -> int:
        """Bytes of a message that is not whole yet: above 0 when the stream ends, the end came too early."""
        return len(self._buffer)

    def feed(self, data: bytes) -> list[bytes]:
        """The messages that `data` completes. Raises `MalformedMessage`; the decoder is of no use afterwards."""
        buffer = self._buffer
        buffer += data
        messages: list[bytes] = []
        at = 0
        while (header := decode_varint_prefix(buffer, at)) is not None:
            size, start = header
            if size > self.max_size:
                raise MalformedMessage("message", f"announces {size} bytes; at most {self.max_size} are allowed")
            end = start + size
            if end > len(buffer):
                break
            messages.append(bytes(buffer[start:end]))
            at = end
        del buffer[:at]
        return messages
