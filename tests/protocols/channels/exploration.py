"""Two channel machines and a world that cuts, drops, restarts and hands over, explored state by state.

A state is (side, side, streams, budget), each a number that stands for a value: a step of a side depends on nothing but
that side and what it is given, so each is made once, however many states it occurs in.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from darkswap_browser.protocols.channels.machine import ChannelMachine
from darkswap_browser.protocols.channels.messages import Hello
from darkswap_browser.protocols.channels.snapshot import ChannelSnapshot
from tests.protocols.channels import explored_side
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


class Budget(NamedTuple):
    """What may still happen; pairs are of both sides. `climbs`: streams opened although one carries the session."""

    messages: tuple[int, int]
    cuts: int = 0
    restarts: tuple[int, int] = (0, 0)
    hand_overs: tuple[int, int] = (0, 0)
    climbs: int = 0
    again: tuple[int, int] = (0, 0)
    """Messages that a side accepts after a restart, where `messages` are accepted before."""

    def less(self, name: str, who: int | None = None) -> Budget:
        left = getattr(self, name)
        if who is None:
            return self._replace(**{name: left - 1})
        return self._replace(**{name: (left[0] - (who == 0), left[1] - (who == 1))})


Stream = tuple[int, tuple[int, int], tuple[tuple[int, ...], tuple[int, ...]]]
"""(its opener, its roles at both sides, items on their way to both sides)."""
State = tuple[int, int, tuple[Stream, ...], int]
Step = tuple[str, *tuple[int, ...]]
"""(name, side, index of a stream or -1)."""
Names = tuple[tuple[bytes, bytes], ...]
"""Sessions and what they are called now."""


@dataclass(slots=True)
class Exploration:
    values: list[object] = field(default_factory=list)
    numbers: dict[object, int] = field(default_factory=dict)
    turns: dict[tuple[int, str, tuple[int, ...]], tuple[int, tuple[tuple[int, int], ...], dict[int, int]]] = field(
        default_factory=dict
    )
    chains: dict[tuple[int, tuple[Action, ...]], tuple[int, tuple[tuple[int, int], ...], dict[int, int]]] = field(
        default_factory=dict
    )
    """The same for several steps of a side at once."""
    rests: dict[tuple[int, bool], int] = field(default_factory=dict)
    """What a side comes to, with a stream and without."""
    named: dict[int, frozenset[bytes]] = field(default_factory=dict)
    """The sessions that a value names."""
    naming: dict[tuple[int, ...], tuple[Names, tuple[int, int]] | None] = field(default_factory=dict)
    """Two sides and the items that name sessions → what `_naming` found of them."""
    renames: dict[tuple[int, Names], int] = field(default_factory=dict)
    spent: dict[tuple[int, str, int | None], int] = field(default_factory=dict)
    """(budget, what of it, side) → what is left."""
    before: dict[State, tuple[State, Step] | None] = field(default_factory=dict)
    quiet: int = 0
    outcomes: set[object] = field(default_factory=set)
    """Who lived how often, took what and was told what, wherever all is quiet."""
    most: int = 1_000_000

    def number(self, value: object) -> int:
        found = self.numbers.get(value)
        if found is None:
            found = self.numbers[value] = len(self.values)
            self.values.append(value)
        return found

    def side(self, number: int) -> Side:
        found = self.values[number]
        assert isinstance(found, Side)
        return found

    def budget(self, number: int) -> Budget:
        found = self.values[number]
        assert isinstance(found, Budget)
        return found

    def less(self, budget: int, name: str, who: int | None = None) -> int:
        left = self.spent.get((budget, name, who))
        if left is None:
            left = self.spent[budget, name, who] = self.number(self.budget(budget).less(name, who))
        return left

    def turn(self, side: int, name: str, *arguments: int) -> tuple[int, tuple[tuple[int, int], ...], dict[int, int]]:
        """The side after a step, what it said on which role, and what became of its roles."""
        key = (side, name, arguments)
        made = self.turns.get(key)
        if made is None:
            given = (*arguments[:1], *(self.values[each] for each in arguments[1:]))
            if name == "half":
                given = given[1:]
            turn = explored_side.step(self.side(side), name, *given)
            said = tuple((role, self.number(item)) for role, item in turn.said)
            made = self.turns[key] = self.number(turn.side), said, turn.roles
        return made

    # --- one step of the world

    def after(self, state: State, step: Step) -> State:
        name, who, index, *_ = step
        budget = state[3]
        if name == "cut":
            return self._cut(state, who, index)
        if name in ("deliver", "refuse"):
            return self._deliver(state, name, who, index)
        if name in ("restart", "hand_over"):
            budget = self.less(budget, f"{name}s", who)
            name = "lose_streams" if name == "hand_over" else name
        elif name == "accept":
            budget = self.less(budget, "messages", who)
        elif name == "climb":
            budget = self.less(budget, "climbs")
            name = "open"
        streams = state[2]
        if name == "open":
            roles = (OPENING, NEWS) if who == 0 else (NEWS, OPENING)
            streams = (*streams, (who, roles, ((), ())))
        return self._apply((*state[:2], streams, budget), who, self.turn(state[who], name))

    def _deliver(self, state: State, name: str, who: int, index: int) -> State:
        opener, roles, wires = state[2][index]
        item = wires[who][0]
        rest = (wires[0][1:], wires[1]) if who == 0 else (wires[0], wires[1][1:])
        streams = (*state[2][:index], (opener, roles, rest), *state[2][index + 1 :])
        turn = self.turn(state[who], "refuse") if name == "refuse" else self.turn(state[who], name, roles[who], item)
        return self._apply((*state[:2], streams, state[3]), who, turn)

    def _cut(self, state: State, who: int, index: int) -> State:
        """Every stream is gone with all that was on its way; with an index, `who` gets half a frame of that one."""
        sides = list(state[:2])
        if index >= 0:
            sides[who] = self.turn(sides[who], "half", 0, state[2][index][2][who][0])[0]
        sides = [self.turn(side, "lose_streams")[0] for side in sides]
        return self._renamed((sides[0], sides[1]), [], self.less(state[3], "cuts"))

    def _apply(self, state: State, who: int, turn: tuple[int, tuple[tuple[int, int], ...], dict[int, int]]) -> State:
        side, said, changes = turn
        if side != state[who]:
            self._check(self.side(state[who]), self.side(side), self.side(state[1 - who]))
        streams = []
        for opener, roles, wires in state[2]:
            old = roles[who]
            role = changes.get(old, old)
            mine, theirs = wires[who], wires[1 - who]
            # An item is said in the role that its stream has now, but a refusal in the one that it had.
            if said:
                now = old if role == NONE else role
                theirs += tuple(item for where, item in said if where in (role, now))
            if role == NONE:
                mine = ()
            if roles[1 - who] == NONE:
                theirs = ()
            if role != NONE or theirs or roles[1 - who] in ENDS:
                pair = ((role, roles[1]), (mine, theirs)) if who == 0 else ((roles[0], role), (theirs, mine))
                streams.append((opener, *pair))
        sides = (side, state[1]) if who == 0 else (state[0], side)
        return self._renamed(sides, streams, state[3])

    def _renamed(self, sides: tuple[int, int], streams: list[Stream], budget: int) -> State:
        """The same state with the lowest names of sessions: which ids were used before says nothing."""
        hellos = [item for _, _, wires in streams for wire in wires for item in wire if self._sessions(item)]
        holders = (*sides, *hellos)
        if holders not in self.naming:
            self.naming[holders] = self._naming(holders)
        naming = self.naming[holders]
        if naming is None:
            return *sides, tuple(sorted(streams)), budget
        moved = [
            (opener, roles, (self._rename_all(wires[0], *naming), self._rename_all(wires[1], *naming)))
            for opener, roles, wires in streams
        ]
        first, second = self._rename_all(sides, *naming)
        return first, second, tuple(sorted(moved)), budget

    def _naming(self, holders: tuple[int, ...]) -> tuple[Names, tuple[int, int]] | None:
        """The lowest names for the sessions that two sides and items name, and how many each side has; None if they
        have them."""
        used = frozenset().union(*(self._sessions(number) for number in holders))
        names = [sorted(each for each in used if each[0] == who) for who in (0, 1)]
        if all(name[1] == place for each in names for place, name in enumerate(each)) and all(
            self.side(holders[who]).sessions == len(names[who]) for who in (0, 1)
        ):
            return None
        new = {name: bytes((who, place)) + bytes(14) for who in (0, 1) for place, name in enumerate(names[who])}
        return tuple(sorted(new.items())), (len(names[0]), len(names[1]))

    def _sessions(self, number: int) -> frozenset[bytes]:
        found = self.named.get(number)
        if found is None:
            value = self.values[number]
            holders = [value] if isinstance(value, Hello) else []
            if isinstance(value, Side):
                holders = [value.machine] + ([value.fresh] if value.fresh is not None else [])
            ids = {name for each in holders for name in (each.session, each.peer_session)}
            found = self.named[number] = frozenset(ids - {b""})
        return found

    def _rename_all(self, numbers: tuple[int, ...], key: Names, counts: tuple[int, int]) -> tuple[int, ...]:
        return tuple(self._rename(number, key, counts) for number in numbers)

    def _rename(self, number: int, key: Names, counts: tuple[int, int]) -> int:
        if not self._sessions(number):
            return number
        made = self.renames.get((number, key))
        if made is None:
            new = {b"": b"", **dict(key)}

            def again(holder: ChannelSnapshot | Hello) -> ChannelSnapshot | Hello:
                return replace(holder, session=new[holder.session], peer_session=new[holder.peer_session])

            value = self.values[number]
            if isinstance(value, Side):
                fresh = None if value.fresh is None else again(value.fresh)
                value = replace(value, machine=again(value.machine), fresh=fresh, sessions=counts[value.who])
            elif isinstance(value, Hello):
                value = again(value)
            made = self.renames[number, key] = self.number(value)
        return made

    def _check(self, before: Side, after: Side, other: Side) -> None:
        for _, life, number in after.taken[len(before.taken) :]:
            if life == other.life and number in other.told:
                raise PromiseBroken(f"message {number} delivered after it was told")
        if before.life == after.life:
            for number in after.told[len(before.told) :]:
                if (other.life, after.life, number) in other.taken:
                    raise PromiseBroken(f"message {number} told though it was delivered")

    # --- which steps there are

    def steps(self, state: State) -> Iterator[Step]:
        """What the two ends may do themselves."""
        streams, budget = state[2], self.budget(state[3])
        for who in (0, 1):
            side = self.side(state[who])
            outbox, inbox = side.machine.outbox, side.machine.inbox
            mine = {roles[who] for _, roles, _ in streams}
            if budget.messages[who]:
                yield "accept", who, -1
            if inbox.messages:
                yield "take", who, -1
            if CURRENT in mine:
                if outbox.position < min(outbox.base + ENCODED * len(outbox.messages), outbox.consumed + outbox.window):
                    yield "write", who, -1
                if inbox.acknowledged != inbox.taken:
                    yield "acknowledge", who, -1
            elif not mine & {OPENING, DOUBTFUL} and not self._has_stale_opening(state, who):
                yield "open", who, -1
            for index, (_, roles, wires) in enumerate(streams):
                role, other = roles[who], roles[1 - who]
                if wires[who] and (role != CURRENT or OPENING not in mine):
                    yield self._delivery(who, index, role, mine, wires[who][0], state)
                if other == NONE and not wires[who] and role in ENDS:
                    yield ENDS[role], who, -1

    def _delivery(self, who: int, index: int, role: int, mine: set[int], item: int, state: State) -> Step:
        """Both opened a stream: that of side 0 is taken."""
        hello = self.values[item]
        is_glare = role == NEWS and who == 0 and OPENING in mine and isinstance(hello, Hello)
        if is_glare and isinstance(hello, Hello) and self._continues(self.side(state[who]), hello):
            return "refuse", who, index
        return "deliver", who, index

    def _continues(self, side: Side, hello: Hello) -> bool:
        machine = side.machine
        return hello.peer_session in (b"", machine.session) and machine.peer_session in (b"", hello.session)

    def _has_stale_opening(self, state: State, who: int) -> bool:
        """Whether a HELLO of an opening that was given up may still arrive. One at a time, or states had no end."""
        return any(roles[who] == NONE and roles[1 - who] == NEWS for opener, roles, _ in state[2] if opener == who)

    def troubles(self, state: State) -> Iterator[Step]:
        """What the world may do."""
        budget = self.budget(state[3])
        for who in (0, 1):
            mine = {roles[who] for _, roles, _ in state[2]}
            if budget.restarts[who]:
                yield "restart", who, -1
            if budget.hand_overs[who]:
                yield "hand_over", who, -1
            if budget.climbs and CURRENT in mine and OPENING not in mine and not self._has_stale_opening(state, who):
                yield "climb", who, -1
        if budget.cuts and state[2]:
            yield "cut", 0, -1
            for who in (0, 1):
                for index, (_, roles, wires) in enumerate(state[2]):
                    if roles[who] == CURRENT and wires[who] and isinstance(self.values[wires[who][0]], bytes):
                        yield "cut", who, index

    # --- all of them

    def start(self, budget: Budget) -> State:
        first = [self.number(Side(who, ChannelMachine(bytes((who, 0)) + bytes(14), LIMITS).export())) for who in (0, 1)]
        return first[0], first[1], (), self.number(budget)

    def run(self, budget: Budget) -> None:
        """Visit every state. Raises `PromiseBroken`, with the way to the state where it is."""
        start = self.start(budget)
        self.before[start] = None
        waiting: list[State] = [start]
        while waiting:
            state = waiting.pop()
            if len(self.before) > self.most:
                raise AssertionError(f"more than {self.most} states: {self._story(state)}")
            step: Step = ("check", 0, -1)
            try:
                is_quiet = True
                for step in self.steps(state):
                    is_quiet &= not self._visit(state, step, waiting)
                if is_quiet:
                    self.quiet += 1
                    self._check_quiet(state)
                for step in self.troubles(state):
                    self._visit(state, step, waiting)
            except Exception as error:
                raise PromiseBroken(f"{error!r} after {self._story(state)} {step}") from error

    def walk(self, budget: Budget, chance: random.Random, trouble: float) -> int:
        """One way through a world that is too large to visit, until all is quiet; returns how many steps it took.

        Args:
            trouble: How likely the world does something before an end does.
        """
        state = self.start(budget)
        taken: list[Step] = []
        try:
            while True:
                own = [step for step in self.steps(state) if self.after(state, step) != state]
                world = list(self.troubles(state))
                if not own and not world:
                    self._check_quiet(state)
                    return len(taken)
                use = world if world and (not own or chance.random() < trouble) else own
                taken.append(chance.choice(use))
                state = self.after(state, taken[-1])
        except Exception as error:
            raise PromiseBroken(f"{error!r} after {taken}") from error

    def _visit(self, state: State, step: Step, waiting: list[State]) -> bool:
        """Whether the step changes anything."""
        following = self.after(state, step)
        if following not in self.before:
            self.before[following] = state, step
            waiting.append(following)
        return following != state

    def _check_quiet(self, state: State) -> None:
        """Nothing more happens by itself: every message accepted in a life that goes on was delivered or told."""
        self.outcomes.add(tuple((side.life, side.taken, side.told) for side in map(self.side, state[:2])))
        for who in (0, 1):
            side, receiver = self.side(state[who]), self.side(state[1 - who])
            taken = {number for _, life, number in receiver.taken if life == side.life}
            for number in range(1, side.accepted + 1):
                if number not in taken and number not in side.told:
                    raise PromiseBroken(f"message {number} of side {who} neither delivered nor told")

    def _story(self, state: State) -> str:
        taken: list[Step] = []
        while (entry := self.before[state]) is not None:
            state, step = entry
            taken.append(step)
        return " ".join(map(str, reversed(taken)))


ENDS = {CURRENT: "current_ends", OPENING: "opening_ends", DOUBTFUL: "doubt_ends"}
"""How a side sees that the other one left a stream."""
