"""A session as a value: what goes out comes back, and what cannot be one is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkswap_browser.errors import DarkSwapError
from darkswap_browser.net.limits import Limits
from darkswap_browser.protocols.channels.machine import ChannelMachine
from darkswap_browser.protocols.channels.snapshot import decode_snapshot, encode_snapshot

LIMITS = Limits(channel_receive_queue=4096)


def used(sizes: list[int], written: int, taken: int) -> tuple[ChannelMachine, ChannelMachine]:
    """Two ends in the middle of a conversation."""
    here, there = ChannelMachine(b"h" * 16, LIMITS), ChannelMachine(b"t" * 16, LIMITS)
    there.attach(here.hello())
    here.attach(there.hello())
    for number, size in enumerate(sizes):
        here.outbox.accept(bytes((number,)) * size)
    there.inbox.receive(here.outbox.next_write(written))
    for _ in range(min(taken, len(there.inbox))):
        there.inbox.take()
    here.outbox.acknowledge(there.inbox.consumed)
    return here, there


@given(st.lists(st.integers(0, 300), max_size=8), st.integers(1, 1000), st.integers(0, 8))
def test_a_session_goes_on_from_its_snapshots(sizes: list[int], written: int, taken: int) -> None:
    here, there = (
        ChannelMachine.restore(decode_snapshot(encode_snapshot(machine.export())), LIMITS)
        for machine in used(sizes, written, taken)
    )
    there.attach(here.hello())
    here.attach(there.hello())
    left = there.inbox.take_all()
    while data := here.outbox.next_write():
        there.inbox.receive(data)
        left += there.inbox.take_all()
        here.outbox.acknowledge(there.inbox.consumed)
    here.outbox.acknowledge(there.inbox.consumed)
    whole = [bytes((number,)) * size for number, size in enumerate(sizes)]
    assert whole[len(whole) - len(left) :] == left
    assert len(whole) - len(left) <= taken
    assert (here.outbox.unacknowledged, here.outbox.acknowledged_id) == (0, len(sizes))


@pytest.mark.parametrize(
    "changes",
    [{"position": 5000}, {"consumed": 600}, {"written": 99}, {"furthest": 0}],
    ids=str,
)
def test_a_snapshot_with_positions_that_cannot_be_is_refused(changes: dict[str, int]) -> None:
    here, _ = used([100, 100, 100], 250, 1)
    whole = here.export()
    with pytest.raises(DarkSwapError):
        ChannelMachine.restore(replace(whole, outbox=replace(whole.outbox, **changes)), LIMITS)


def test_a_snapshot_with_a_whole_message_in_its_rest_is_refused() -> None:
    _, there = used([100, 100, 100], 250, 1)
    whole = there.export()
    with pytest.raises(DarkSwapError):
        ChannelMachine.restore(replace(whole, inbox=replace(whole.inbox, rest=b"\x01x")), LIMITS)
