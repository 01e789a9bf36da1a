"""multistream-select 1.0: agree on a protocol by name. https://github.com/multiformats/multistream-select

A line is unsigned varint length ‖ UTF-8 ‖ newline. Lines are cut exactly: whatever follows the last one stays in the
`BufferedStream` for the protocol agreed on, for lazy dialers send header, proposal and first data in one write.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from darkswap_browser.errors import HandshakeFailed, MalformedMessage, ProtocolUnsupported, ProtocolViolation
from darkswap_browser.net.limits import Limits
from darkswap_browser.net.stream import BufferedStream
from darkswap_browser.wire.varint import encode_varint

HEADER = "/multistream/1.0.0"
NOT_AVAILABLE = "na"


def encode_line(text: str) -> bytes:
    line = text.encode() + b"\n"
    return encode_varint(len(line)) + line


def decode_line(message: bytes) -> str:
    """The text of one line without its length prefix. Raises `MalformedMessage`."""
    if not message.endswith(b"\n"):
        raise MalformedMessage("multistream line", "does not end with a newline")
    try:
        return message[:-1].decode()
    except UnicodeDecodeError:
        raise MalformedMessage("multistream line", "not UTF-8") from None


def proposal(protocol: str, first: bytes = b"") -> bytes:
    """What an initiator with a single proposal may write at once, `first` behind it; `confirm` reads the answer."""
    return encode_line(HEADER) + encode_line(protocol) + first


async def confirm(stream: BufferedStream, protocol: str, limits: Limits) -> None:
    """Read the answer to `proposal`.

    Raises:
        ProtocolUnsupported: The peer does not speak `protocol`.
        HandshakeFailed, MalformedMessage: It speaks something else than multistream-select.
    """
    await _expect_header(stream, limits)
    if not await _is_accepted(stream, protocol, limits):
        raise ProtocolUnsupported((protocol,))


async def select_one(stream: BufferedStream, protocols: Sequence[str], limits: Limits, first: bytes = b"") -> str:
    """As initiator, propose `protocols` in turn; the first that the peer accepts.

    `first` travels with the proposal, before the peer has agreed: a round trip less where there is one proposal only.

    Raises `ProtocolUnsupported` when it accepts none, `HandshakeFailed` when it speaks something else,
    `MalformedMessage`, and what the stream raises.
    """
    if not protocols:
        raise ValueError("nothing to propose")
    if first and len(protocols) > 1:
        raise ValueError("data can only travel with a single proposal")
    opening = encode_line(HEADER)
    for protocol in protocols:
        # The header travels with the first proposal: one round trip less.
        await stream.write(opening + encode_line(protocol) + first)
        if opening:
            await _expect_header(stream, limits)
            opening = b""
        if await _is_accepted(stream, protocol, limits):
            return protocol
    raise ProtocolUnsupported(tuple(protocols))


async def answer(stream: BufferedStream, supports: Callable[[str], bool], limits: Limits) -> str:
    """As responder, answer proposals until one that `supports` accepts; that one.

    Everything else, `ls` included, is answered `na` at once: js counts silence as death.
    Raises `EndOfStream` when the initiator gives up, `ProtocolViolation` after too many proposals.
    """
    await _expect_header(stream, limits)
    opening = encode_line(HEADER)
    if not stream.has_message():
        # Some initiators wait for our header before they propose.
        await stream.write(opening)
        opening = b""
    for _ in range(limits.negotiate_proposals):
        proposal = decode_line(await stream.read_message(limits.negotiate_line))
        if supports(proposal):
            await stream.write(opening + encode_line(proposal))
            return proposal
        await stream.write(opening + encode_line(NOT_AVAILABLE))
        opening = b""
    raise ProtocolViolation("multistream-select", "too many proposals")


async def _is_accepted(stream: BufferedStream, protocol: str, limits: Limits) -> bool:
    reply = decode_line(await stream.read_message(limits.negotiate_line))
    if reply not in (protocol, NOT_AVAILABLE):
        raise HandshakeFailed(f"peer answered {reply!r} to {protocol!r}")
    return reply == protocol


async def _expect_header(stream: BufferedStream, limits: Limits) -> None:
    header = decode_line(await stream.read_message(limits.negotiate_line))
    if header != HEADER:
        raise HandshakeFailed(f"peer speaks {header!r}, not {HEADER}")
