"""The first words on a stream."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from darkswap_browser.errors import ConnectionLost, ProtocolViolation, TimedOut
from darkswap_browser.net.limits import Limits
from darkswap_browser.net.stream import BufferedStream
from darkswap_browser.protocols.channels.machine import ChannelMachine
from darkswap_browser.protocols.channels.messages import (
    PROTOCOL,
    Ack,
    Control,
    Hello,
    Restart,
    decode_control,
    encode_control,
)

_MAX_BEFORE_ACK = 8
"""Control frames before the ACK that answers a HELLO: a peer that is there sends none, nor any message."""


async def read_greeting(stream: BufferedStream, limits: Limits) -> Hello | Restart:
    """The first frame of a stream. Raises what the stream raises, `TimedOut` and `RemoteError` subclasses."""
    try:
        async with asyncio.timeout(limits.channel_hello_timeout):
            control = decode_control(await stream.read_message(limits.channel_control))
    except TimeoutError:
        raise TimedOut("opening the channel", limits.channel_hello_timeout) from None
    if not isinstance(control, (Hello, Restart)):
        raise ProtocolViolation(PROTOCOL, "does not begin with HELLO")
    return control


@dataclass(slots=True)
class Doubt:
    """A peer that begins anew on `stream`, if it is still there: `machine` counts once it shows that it read our HELLO.

    `over`: it has shown it, here or on another stream, or it will not.
    """

    machine: ChannelMachine
    stream: BufferedStream
    over: asyncio.Future[None]

    def is_dispelled_by(self, hello: Hello) -> bool:
        """Whether a HELLO on another stream, which overtook the ACK, names the session that only our HELLO named."""
        return hello.peer_session == self.machine.session and hello.session == self.machine.peer_session


async def read_confirmation(doubt: Doubt, limits: Limits) -> list[Control]:
    """Answer the HELLO; returns what the peer says to that, an ACK among it. What came before is in the inbox."""
    inbox, stream = doubt.machine.inbox, doubt.stream
    await stream.write(encode_control(doubt.machine.hello()))
    controls: list[Control] = []
    try:
        async with asyncio.timeout(limits.channel_hello_timeout):
            while not any(isinstance(control, Ack) for control in controls):
                if len(controls) > _MAX_BEFORE_ACK or inbox.is_held:
                    raise ProtocolViolation(PROTOCOL, "does not answer HELLO with ACK")
                data = await stream.read()
                if doubt.over.done():
                    raise ConnectionLost("channel", "another stream was first")
                controls += inbox.receive(data)
    except TimeoutError:
        raise TimedOut("opening the channel", limits.channel_hello_timeout) from None
    return controls


async def refuse(stream: BufferedStream) -> None:
    """Say that the session is not known here."""
    await stream.write(encode_control(Restart()))
    await stream.close()
