"""One end of a channel in an exploration: what the driver in channel.py and service.py does, as functions.

A side is a value; each step restores its machine from a snapshot, so that handing a session over is part of every step.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from darkswap_browser.errors import ProtocolViolation
from darkswap_browser.net.limits import Limits
from darkswap_browser.protocols.channels.machine import ChannelMachine, HelloVerdict
from darkswap_browser.protocols.channels.messages import Ack, Hello, Restart
from darkswap_browser.protocols.channels.snapshot import ChannelSnapshot

LIMITS = Limits(channel_receive_queue=3, channel_message=64)
"""A window of one message and a half, so that credit matters and ends within a message."""
ENCODED = 2
"""Bytes of a message in the session: its length, and one that holds its sender's life and its id."""
WRITE = 3
"""Bytes of the session in one frame, so that most frames end within a message."""

Item = bytes | Ack | Hello | Restart
Action = tuple[object, ...]
"""Name of a method of `Turn`, and what it is given."""

NONE, CURRENT, OPENING, DOUBTFUL, NEWS = range(5)
"""What a stream is to one end: nothing any more; the one that carries the session; one on which HELLO was said and not
answered (nothing is read of the current one meanwhile); one of a peer that begins anew, if it is there to answer; one
whose HELLO was not read yet."""


class PromiseBroken(AssertionError):
    pass


@dataclass(frozen=True, slots=True)
class Side:
    """One end, through all its lives. `taken`: (own life, sender's life, id) of each message; `told`: ids of this
    life."""

    who: int
    machine: ChannelSnapshot
    has_current: bool = False
    fresh: ChannelSnapshot | None = None
    life: int = 0
    sessions: int = 1
    accepted: int = 0
    taken: tuple[tuple[int, int, int], ...] = ()
    told: tuple[int, ...] = ()

    def is_confirmed_by(self, hello: Hello) -> bool:
        """Whether it comes from a peer that begins anew and read our HELLO: its ACK is still on its way."""
        fresh = self.fresh
        return fresh is not None and (fresh.session, fresh.peer_session) == (hello.peer_session, hello.session)


@dataclass(slots=True)
class Turn:
    """One step of a side. `said`: items for the stream that has a role afterwards; `roles`: what becomes of roles."""

    side: Side
    machine: ChannelMachine
    said: list[tuple[int, Item]] = field(default_factory=list)
    roles: dict[int, int] = field(default_factory=dict)

    def set(self, **changes: object) -> None:
        self.side = replace(self.side, **changes)  # type: ignore[arg-type]

    def say(self, role: int, item: Item) -> None:
        self.said.append((role, item))

    def new_machine(self) -> ChannelMachine:
        machine = ChannelMachine(bytes((self.side.who, self.side.sessions)) + bytes(14), LIMITS)
        self.set(sessions=self.side.sessions + 1)
        return machine

    # --- the application

    def accept(self) -> None:
        self.machine.outbox.accept(bytes((16 * self.side.life + self.side.accepted + 1,)))
        self.set(accepted=self.side.accepted + 1)

    def take(self) -> None:
        life, number = divmod(self.machine.inbox.take()[0], 16)
        if self.side.taken and (life, number) <= self.side.taken[-1][1:]:
            raise PromiseBroken(f"message {number} of life {life} after {self.side.taken[-1]}")
        self.set(taken=(*self.side.taken, (self.side.life, life, number)))

    def accept_many(self, count: int) -> None:
        for _ in range(count):
            self.accept()

    def take_many(self, count: int) -> None:
        for _ in range(count):
            self.take()

    # --- the driver

    def write_message(self, most: int) -> None:
        """What is left of the next message, or `most` bytes of it."""
        self.say(CURRENT, self._next_of_message(most))

    def lose_many(self, count: int) -> None:
        """Write messages that never arrive."""
        for _ in range(count):
            self._next_of_message(ENCODED)

    def _next_of_message(self, most: int) -> bytes:
        left = ENCODED - self.machine.outbox.position % ENCODED
        return self.machine.outbox.next_write(min(most, left))

    def write(self) -> None:
        self.say(CURRENT, self.machine.outbox.next_write(WRITE))

    def acknowledge(self) -> None:
        self.say(CURRENT, self.machine.inbox.grant())

    def open(self) -> None:
        self.say(OPENING, self.machine.hello())

    def deliver(self, role: int, item: Item) -> None:
        match role, item:
            case _, Hello() if role == NEWS:
                self._asked(item)
            case _, Hello() if role == OPENING:
                self._answered(item)
            case _, Restart():
                self.roles = {CURRENT: NONE, OPENING: NONE}
                self._replace_session(self.new_machine())
                self.set(has_current=False)
            case _ if role == DOUBTFUL:
                self._answered_doubt(item)
            case _, Ack(consumed, window):
                self.machine.outbox.grant(window)
                self.machine.outbox.acknowledge(consumed)
            case _, bytes():
                assert self.machine.inbox.receive(item) == []

    def _asked(self, hello: Hello, *, is_opening: bool = False) -> None:
        if self.side.is_confirmed_by(hello):
            assert self.side.fresh is not None
            self._replace_session(ChannelMachine.restore(self.side.fresh, LIMITS))
        verdict = self.machine.judge(hello)
        if verdict is HelloVerdict.UNKNOWN:
            self.say(NEWS, Restart())
            self.roles = {NEWS: NONE}
            return
        fresh = self.new_machine() if verdict is HelloVerdict.RESTARTED else None
        try:
            (fresh or self.machine).attach(hello)
        except ProtocolViolation:
            # An opening that was given up, and arrives after others: it changes nothing.
            self.roles = {NEWS: NONE}
            return
        if fresh is not None:
            self.roles = {DOUBTFUL: NONE, NEWS: DOUBTFUL}
            self.say(DOUBTFUL, fresh.hello())
            self.set(fresh=fresh.export())
            return
        self.roles = {CURRENT: NONE, OPENING: NONE, DOUBTFUL: NONE, NEWS: CURRENT}
        self.say(CURRENT, self.machine.hello())
        self.set(has_current=True, fresh=None)

    def refuse(self) -> None:
        """Both opened a stream, and ours is taken."""
        self.roles = {NEWS: NONE}

    def _answered_doubt(self, item: Item) -> None:
        """Something came behind the HELLO of a peer that begins anew: it is there if that is an ACK."""
        assert self.side.fresh is not None
        fresh = ChannelMachine.restore(self.side.fresh, LIMITS)
        if isinstance(item, bytes):
            fresh.inbox.receive(item)
            self.set(fresh=fresh.export())
            return
        assert isinstance(item, Ack)
        self.roles = {CURRENT: NONE, OPENING: NONE, DOUBTFUL: CURRENT}
        self._replace_session(fresh)
        fresh.outbox.grant(item.window)
        self.set(has_current=True, fresh=None)

    def _answered(self, hello: Hello) -> None:
        machine = self.machine
        if hello.peer_session != machine.session or machine.peer_session not in (b"", hello.session):
            self.opening_ends()
            return
        machine.attach(hello)
        self.roles = {CURRENT: NONE, OPENING: CURRENT}
        self.set(has_current=True)
        self.acknowledge()

    def _replace_session(self, fresh: ChannelMachine) -> None:
        undelivered = fresh.follow(self.machine)
        # What waits of the old session is the application's before anything of the new one.
        while len(self.machine.inbox):
            self.take()
        self.machine = fresh
        if set(undelivered.ids) & set(self.side.told):
            raise PromiseBroken(f"told twice: {undelivered}")
        self.set(told=(*self.side.told, *undelivered.ids))

    # --- what the world does to it

    def opening_ends(self) -> None:
        """What HELLO granted may not have arrived: it is said again on the stream that goes on."""
        self.roles = {OPENING: NONE}
        if self.side.has_current:
            self.acknowledge()

    def current_ends(self) -> None:
        self.roles = {CURRENT: NONE}
        self.set(has_current=False)

    def doubt_ends(self) -> None:
        self.roles = {DOUBTFUL: NONE}
        self.set(fresh=None)

    def half(self, frame: Item) -> None:
        """A frame breaks off in its middle."""
        assert isinstance(frame, bytes)
        self.machine.inbox.receive(frame[: (len(frame) + 3) // 2])
        self.machine.inbox.begin_stream()

    def lose_streams(self) -> None:
        self.roles = {CURRENT: NONE, OPENING: NONE, DOUBTFUL: NONE}
        self.set(has_current=False, fresh=None)

    def restart(self) -> None:
        self.lose_streams()
        self.machine = self.new_machine()
        self.set(life=self.side.life + 1, accepted=0, told=())


def chain(side: Side, actions: tuple[Action, ...]) -> Turn:
    """Several steps of one side."""
    turn = Turn(side, ChannelMachine.restore(side.machine, LIMITS))
    for name, *arguments in actions:
        act: Callable[..., None] = getattr(turn, str(name))
        act(*arguments)
    turn.set(machine=turn.machine.export())
    return turn


def step(side: Side, name: str, *arguments: object) -> Turn:
    return chain(side, ((name, *arguments),))
