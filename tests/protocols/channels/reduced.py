"""The same world in fewer steps: more messages and troubles can be explored, and none of what may come out is missed.

- What arrives is sent at the moment when it arrives: nothing else depends on when it was sent, but how much is on its
  way when a stream ends. So bytes and acknowledgements move at once, and whatever ends a stream loses any number of
  writes first. Opening messages are on their way as before.
- What the application takes is taken right before it is told, or before its end ends: nothing else depends on it.
- Messages are accepted as early as can be: a later one is one that is written later.
- Of what was taken and told only so much is kept as can still be broken: every message up to the first that the sender
  keeps is settled, and of those taken the last one counts.

test_exploration.py compares what comes out with what comes out of every interleaving, in worlds where both can be had.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from darkswap_browser.protocols.channels.machine import ChannelMachine
from darkswap_browser.protocols.channels.messages import Ack, Hello, Restart
from tests.protocols.channels import explored_side
from tests.protocols.channels.exploration import ENDS, Budget, Exploration, State, Step, Stream
from tests.protocols.channels.explored_side import (
    CURRENT,
    DOUBTFUL,
    ENCODED,
    LIMITS,
    NEWS,
    NONE,
    OPENING,
    Action,
    PromiseBroken,
    Side,
)


def most_writes(side: Side) -> int:
    """How many messages can be written now, the last of them as far as the window goes."""
    outbox = side.machine.outbox
    end = min(outbox.base + ENCODED * len(outbox.messages), outbox.consumed + outbox.window)
    return -(-end // ENCODED) - outbox.position // ENCODED if end > outbox.position else 0


@dataclass(slots=True)
class ReducedExploration(Exploration):
    """A step is (name, side, index of a stream or -1, messages taken before, writes lost before, parts of messages that
    arrive before: 1 and 2 for what comes to side 0 and 1)."""

    remembers: bool = False
    """Keep all that was taken and told, to compare what comes out."""

    def start(self, budget: Budget) -> State:
        sides = []
        for who in (0, 1):
            side = Side(who, ChannelMachine(bytes((who, 0)) + bytes(14), LIMITS).export())
            sides.append(self.number(explored_side.chain(side, (("accept_many", budget.messages[who]),)).side))
        return self._renamed((sides[0], sides[1]), [], self.number(budget._replace(messages=(0, 0))))

    # --- one step of the world

    def after(self, state: State, step: Step) -> State:
        name, who, index, taken, lost, parts = step
        for receiver in (0, 1):
            if parts & 1 << receiver:
                state = self._move(state, 1 - receiver, 1)
        before: tuple[Action, ...] = (("take_many", taken), ("lose_many", lost))
        if name == "move":
            return self._move(state, who, ENCODED)
        if name == "cut":
            return self._cut_all(state, taken, lost)
        if name == "acknowledge":
            return self._acknowledge(state, who, taken)
        budget, streams = state[3], state[2]
        actions: tuple[Action, ...] = ((name,),)
        if name == "lose":
            actions = ()
        elif name in ("deliver", "refuse"):
            opener, roles, wires = streams[index]
            item = wires[who][0]
            rest = (wires[0][1:], wires[1]) if who == 0 else (wires[0], wires[1][1:])
            streams = (*streams[:index], (opener, roles, rest), *streams[index + 1 :])
            if name == "deliver":
                actions = ((name, roles[who], self.values[item]),)
        elif name == "restart":
            budget = self.less(budget, "restarts", who)
            actions = ((name,), ("accept_many", self.budget(budget).again[who]))
            state = self._forgotten(state, 1 - who)
        elif name == "hand_over":
            budget, actions = self.less(budget, "hand_overs", who), (("lose_streams",),)
        elif name in ("open", "climb"):
            budget = self.less(budget, "climbs") if name == "climb" else budget
            roles = (OPENING, NEWS) if who == 0 else (NEWS, OPENING)
            streams, actions = (*streams, (who, roles, ((), ()))), (("open",),)
        turn = self.chain(state[who], (*before, *actions))
        if lost and name == "deliver" and turn[2].get(CURRENT) != NONE:
            return state  # the stream goes on, so nothing is lost
        return self._apply((*state[:2], streams, budget), who, turn)

    def chain(self, side: int, actions: tuple[Action, ...]) -> tuple[int, tuple[tuple[int, int], ...], dict[int, int]]:
        actions = tuple(action for action in actions if action[1:] != (0,))
        key = (side, actions)
        made = self.chains.get(key)
        if made is None:
            turn = explored_side.chain(self.side(side), actions)
            said = tuple((role, self.number(item)) for role, item in turn.said)
            made = self.chains[key] = self.number(turn.side), said, turn.roles
        return made

    def _move(self, state: State, who: int, most: int) -> State:
        """What is left of a message arrives at the other end, or `most` bytes of it."""
        sender, said, _ = self.chain(state[who], (("write_message", most),))
        ((_, item),) = said
        receiver = self.chain(state[1 - who], (("deliver", CURRENT, self.values[item]),))[0]
        return self._with_sides(state, who, sender, receiver)

    def _acknowledge(self, state: State, who: int, taken: int) -> State:
        side, said, _ = self.chain(state[who], (("take_many", taken), ("acknowledge",)))
        self._check(self.side(state[who]), self.side(side), self.side(state[1 - who]))
        ((_, item),) = said
        other = self.chain(state[1 - who], (("deliver", CURRENT, self.values[item]),))[0]
        self._check(self.side(state[1 - who]), self.side(other), self.side(side))
        return self._canonical(self._with_sides(state, who, side, other))

    def _with_sides(self, state: State, who: int, mine: int, other: int) -> State:
        return (mine, other, *state[2:]) if who == 0 else (other, mine, *state[2:])

    def _cut_all(self, state: State, *lost: int) -> State:
        sides = [self.chain(state[who], (("lose_many", lost[who]), ("lose_streams",)))[0] for who in (0, 1)]
        return self._renamed((sides[0], sides[1]), [], self.less(state[3], "cuts"))

    def _forgotten(self, state: State, who: int) -> State:
        """The other side begins another life: of what was taken of it before only the last message counts, for the
        order."""
        side = self.side(state[who])
        return self._with_sides(state, who, self.number(replace(side, taken=side.taken[-1:])), state[1 - who])

    def _renamed(self, sides: tuple[int, int], streams: list[Stream], budget: int) -> State:
        kept = [stream for stream in streams if not self._is_void(sides, stream)]
        first, second, *_ = self._canonical((*sides, tuple(kept), budget))
        return Exploration._renamed(self, (first, second), kept, budget)

    def _canonical(self, state: State) -> State:
        first, second = (
            self._at_rest(state[who], CURRENT in {roles[who] for _, roles, _ in state[2]}) for who in (0, 1)
        )
        return first, second, *state[2:]

    def _is_void(self, sides: tuple[int, int], stream: Stream) -> bool:
        """Whether only a HELLO is left of it that cannot be accepted any more."""
        opener, roles, wires = stream
        other = 1 - opener
        if roles[opener] != NONE or roles[other] != NEWS:
            return False
        hello, side = self.values[wires[other][0]], self.side(sides[other])
        assert isinstance(hello, Hello)
        return self._continues(side, hello) and hello.received < side.machine.outbox.consumed

    def _at_rest(self, number: int, has_stream: bool) -> int:
        """Without a stream it does not matter where the next byte would have gone, nor what was granted last: HELLO
        tells both anew."""
        made = self.rests.get((number, has_stream))
        if made is None:
            side = self.side(number)
            if not has_stream:
                outbox, inbox = side.machine.outbox, side.machine.inbox
                outbox = replace(outbox, position=outbox.furthest)
                inbox = replace(inbox, edge=inbox.taken + inbox.window, acknowledged=inbox.taken)
                machine = replace(side.machine, outbox=outbox, inbox=inbox)
                side = replace(side, machine=machine, has_current=False)
            if not self.remembers:
                side = replace(side, taken=side.taken[-1:], told=())
            made = self.rests[number, has_stream] = self.number(side)
        return made

    def _check(self, before: Side, after: Side, other: Side) -> None:
        Exploration._check(self, before, after, other)
        settled = other.machine.outbox.first - 1
        last = before.taken[-1] if before.taken else (0, -1, 0)
        for entry in after.taken[len(before.taken) :]:
            _, life, number = entry
            start = last[2] if last[1] == life else 0
            if life == other.life and (number <= settled or start < number - 1 > settled):
                raise PromiseBroken(f"message {number} taken after {start}, with all up to {settled} settled")
            last = entry
        if before.life == after.life:
            told = after.told[len(before.told) :]
            taken = other.taken[-1] if other.taken else (0, -1, 0)
            most = taken[2] if taken[1] == after.life else 0
            if told and told[0] <= most and taken[0] == other.life:
                raise PromiseBroken(f"messages {told} told, {most} was taken by a peer that is there")
            acknowledged = set(range(before.machine.outbox.first, after.machine.outbox.first)) - set(told)
            if acknowledged and max(acknowledged) > most:
                raise PromiseBroken(f"message {max(acknowledged)} acknowledged, {most} was taken")

    def _check_quiet(self, state: State) -> None:
        if self.remembers:
            Exploration._check_quiet(self, state)
        elif any(self.side(side).machine.outbox.messages for side in state[:2]):
            raise PromiseBroken("all is quiet, and messages wait")

    # --- which steps there are

    def steps(self, state: State) -> Iterator[Step]:
        if (step := self._first(state)) is not None:
            yield step
            return
        streams = state[2]
        for who in (0, 1):
            side = self.side(state[who])
            waiting = len(side.machine.inbox.messages)
            mine = {roles[who] for _, roles, _ in streams}
            if not mine & {CURRENT, OPENING, DOUBTFUL} and not self._has_stale_opening(state, who):
                for taken in range(waiting + 1):
                    yield "open", who, -1, taken, 0, 0
            if self._moves(streams, who):
                if most_writes(side):
                    yield "move", who, -1, 0, 0, 0
                inbox = side.machine.inbox
                for taken in range(inbox.acknowledged == inbox.taken, waiting + 1):
                    yield "acknowledge", who, -1, taken, 0, 0
            for index, (_, roles, wires) in enumerate(streams):
                role, other = roles[who], roles[1 - who]
                if role == CURRENT and other == NONE and most_writes(side):
                    yield "lose", who, index, 0, 1, 0
                if wires[who] and (role != CURRENT or OPENING not in mine):
                    yield from self._deliveries(state, who, index, mine)
                if other == NONE and not wires[who] and role in ENDS:
                    for taken in range(waiting + 1 if role == OPENING else 1):
                        yield ENDS[role], who, index, taken, 0, 0

    def _first(self, state: State) -> Step | None:
        """What an ACK of an opening tells is told by the next HELLO too, so it makes no difference when it comes."""
        for who in (0, 1):
            mine = {roles[who] for _, roles, _ in state[2]}
            for index, (_, roles, wires) in enumerate(state[2]):
                if roles[who] == CURRENT and OPENING not in mine and wires[who]:
                    return "deliver", who, index, 0, 0, 0
        return None

    def _moves(self, streams: tuple[Stream, ...], who: int) -> bool:
        """Whether what `who` writes now is read."""
        return any(
            roles == (CURRENT, CURRENT) and not wires[1 - who] for _, roles, wires in streams
        ) and OPENING not in {roles[1 - who] for _, roles, _ in streams}

    def _parts(self, state: State, receiver: int) -> tuple[int, ...]:
        """Whether the receiver may have got a part of the next message by now."""
        side = self.side(state[1 - receiver])
        at_start = side.machine.outbox.position % ENCODED == 0
        may = at_start and most_writes(side) and self._moves(state[2], 1 - receiver)
        return (0, 1 << receiver) if may else (0,)

    def _deliveries(self, state: State, who: int, index: int, mine: set[int]) -> Iterator[Step]:
        _, roles, wires = state[2][index]
        role, number = roles[who], wires[who][0]
        item, side = self.values[number], self.side(state[who])
        name = self._delivery(who, index, role, mine, number, state)[0]
        waiting = most = 0
        parts: tuple[int, ...] = (0,)
        if name == "deliver":
            continues = isinstance(item, Hello) and self._continues(side, item)
            ends = continues or isinstance(item, Restart) or (role == DOUBTFUL and isinstance(item, Ack))
            ends |= isinstance(item, Hello) and side.is_confirmed_by(item)
            most = most_writes(side) if ends and CURRENT in mine else 0
            waiting = len(side.machine.inbox.messages) if continues else 0
            parts = self._parts(state, who) if continues and role == NEWS else (0,)
        for taken in range(waiting + 1):
            for lost in range(most + 1):
                for part in parts:
                    yield name, who, index, taken, lost, part

    def troubles(self, state: State) -> Iterator[Step]:
        if self._first(state) is not None:
            return
        budget, streams = self.budget(state[3]), state[2]
        most = []
        for who in (0, 1):
            side = self.side(state[who])
            waiting = len(side.machine.inbox.messages)
            mine = {roles[who] for _, roles, _ in streams}
            most.append(most_writes(side) if CURRENT in mine else 0)
            if budget.restarts[who]:
                for taken in range(waiting + 1):
                    for part in self._parts(state, 1 - who):
                        yield "restart", who, -1, taken, 0, part
            if budget.hand_overs[who]:
                for lost in range(most[who] + 1):
                    for part in self._parts(state, 1 - who):
                        yield "hand_over", who, -1, 0, lost, part
            if budget.climbs and CURRENT in mine and OPENING not in mine and not self._has_stale_opening(state, who):
                for taken in range(waiting + 1):
                    for part in self._parts(state, who):
                        yield "climb", who, -1, taken, 0, part
        if budget.cuts and streams:
            for first in range(most[0] + 1):
                for second in range(most[1] + 1):
                    for part in self._parts(state, 0):
                        for other in self._parts(state, 1):
                            yield "cut", 0, -1, first, second, part | other


def explore(budget: Budget) -> int:
    """How many states there are; all of them keep the promise. Raises `PromiseBroken`, with the way to the one that
    does not."""
    exploration = ReducedExploration()
    exploration.run(budget)
    return len(exploration.before)
