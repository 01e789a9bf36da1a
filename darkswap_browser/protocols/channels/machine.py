"""The rules of an application channel: what was accepted is delivered once and in order, or told.

`Outbox` keeps every message until the peer's application took it and sends no more than the peer granted; `Inbox` cuts
frames, joins messages and grants credit as the application takes them; `ChannelMachine` judges opening messages.
Nothing here waits, and nothing knows a stream: the driver moves bytes and tells which stream they came from.

A new stream takes over in four steps: the opener stops reading the old stream and sends HELLO with its `received`;
the peer stops reading as well, answers with its own HELLO, and sends from the opener's `received`; the opener sends
from the peer's. So no byte goes to a peer whose session is not known: when it takes some and ends, its successor's
session is another one.

A peer that begins a new session knows nothing of the old one. What was never written whole goes out in the new
session, in order; what was written and not acknowledged is told, for the peer may have taken it. A HELLO alone does not
end a session: it may have been on its way since before the last one. Its sender must answer our HELLO with an ACK.
"""

from __future__ import annotations

from enum import Enum

from darkswap_browser.net.limits import Limits
from darkswap_browser.protocols.channels.inbox import Inbox
from darkswap_browser.protocols.channels.messages import Hello
from darkswap_browser.protocols.channels.outbox import Outbox, Undelivered
from darkswap_browser.protocols.channels.snapshot import ChannelSnapshot


class HelloVerdict(Enum):
    CONTINUE = "continue"
    """The session we share, or the first word of a new one."""
    RESTARTED = "restarted"
    """The peer began anew (a page reload), if it is still there: our session is over once it answers with an ACK."""
    UNKNOWN = "unknown"
    """The peer continues a session that we do not have: answer RESTART."""


class ChannelMachine:
    """One session with one peer."""

    def __init__(self, session: bytes, limits: Limits, first_id: int = 1) -> None:
        self.session = session
        self.peer_session = b""
        self.outbox = Outbox(limits, first_id)
        self.inbox = Inbox(limits)
        self.told: tuple[bytes, int] = b"", 0
        """A session of ours before this one, and how many of its messages the peer's application took, as its HELLO
        said; empty where it said nothing. It may have taken more since."""
        self._earlier: tuple[bytes, int] = b"", 0
        self._limits = limits

    def hello(self) -> Hello:
        """Our side as it stands. Nothing may be read from an older stream after this, unless the new one fails; then
        an ACK goes there, for what was granted here may not have arrived."""
        told = self.inbox.grant()
        return Hello(self.session, self.peer_session, self.inbox.received, told.consumed, told.window, *self._earlier)

    def tell_of(self, before: ChannelMachine) -> None:
        """Our HELLO says how much was taken of the peer's session in `before`, in whose place this one comes: a peer
        that ended in the middle of it, and for which another goes on, knows by that what was delivered."""
        is_known = bool(before.peer_session)
        self._earlier = (before.peer_session, before.inbox.messages_taken) if is_known else before._earlier

    def judge(self, hello: Hello) -> HelloVerdict:
        """What a HELLO that the peer opened a stream with means for this session."""
        if hello.peer_session and hello.peer_session != self.session:
            return HelloVerdict.UNKNOWN
        if self.peer_session and self.peer_session != hello.session:
            return HelloVerdict.RESTARTED
        return HelloVerdict.CONTINUE

    def attach(self, hello: Hello) -> None:
        """A stream whose HELLO was judged CONTINUE carries the session from now on. Raises `ProtocolViolation`."""
        self.outbox.resume(hello.received, hello.consumed)
        self.outbox.grant(hello.window)
        self.peer_session = hello.session
        if hello.earlier:
            self.told = hello.earlier, hello.taken
        self.inbox.begin_stream()

    def follow(self, before: ChannelMachine) -> Undelivered:
        """This new session takes the place of `before` with a peer that began anew; returns what is told of that one.

        What waits in the inbox of `before` stays there; nothing else of it is used any more.
        """
        self.outbox.follow(before.outbox)
        return before.outbox.undelivered_written()

    # --- another holder goes on

    def export(self) -> ChannelSnapshot:
        """The session as another holder of this identity takes it up. No stream may be read or written after this."""
        return ChannelSnapshot(self.session, self.peer_session, self.outbox.export(), self.inbox.export())

    @classmethod
    def restore(cls, snapshot: ChannelSnapshot, limits: Limits) -> ChannelMachine:
        """Raises `InvalidArgument` or `RemoteError` subclasses for what cannot be a session."""
        machine = cls(snapshot.session, limits)
        machine.peer_session = snapshot.peer_session
        machine.outbox = Outbox.restore(snapshot.outbox, limits)
        machine.inbox = Inbox.restore(snapshot.inbox, limits)
        return machine
