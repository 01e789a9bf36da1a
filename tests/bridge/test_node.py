"""What darkswap.mjs calls, called by Python instead: numbered calls, batches, and errors as plain shapes."""

from __future__ import annotations

import asyncio
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkswap_browser.api.network import Network
from darkswap_browser.api.serialization import error_to_dict
from darkswap_browser.bridge.calls import pack, unpack
from darkswap_browser.bridge.node import FIRST_ID, NodeBridge, make_node, read_identity
from darkswap_browser.errors import DialFailed, InvalidArgument, RelayRefused
from darkswap_browser.identity.multiaddr import Multiaddr
from darkswap_browser.node.config import NetworkConfig
from tests.api.world import Place, place


class Array:
    """A Uint8Array."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def to_bytes(self) -> bytes:
        return self._data


class Page:
    """The JavaScript side: counts calls, keeps replies, takes messages."""

    def __init__(self, here: Place, name: str) -> None:
        self.place = here
        config = NetworkConfig(relays=(Multiaddr.parse(here.address),))
        self.network = Network(config, here.world.runtime(name))
        self.replies: dict[int, asyncio.Future[object]] = {}
        self.batches: list[tuple[str, list[bytes]]] = []
        self.events: list[dict[str, object]] = []
        self.seen: list[tuple[int, int]] = []
        self.busy = False
        self.accepted_calls: list[int] = []
        self.node = NodeBridge(self.network, self, bytes)

    def reply(self, call: int, ok: bool, text: str) -> None:
        future = self.replies.setdefault(call, asyncio.get_running_loop().create_future())
        if ok:
            future.set_result(json.loads(text))
        else:
            future.set_exception(Failed(json.loads(text)))

    def reply_bytes(self, call: int, data: bytes, count: int) -> None:
        self.replies.setdefault(call, asyncio.get_running_loop().create_future()).set_result(unpack(data, count))

    def event(self, text: str) -> None:
        self.events.append(json.loads(text))

    def messages(self, peer: str, data: bytes, count: int) -> bool:
        self.batches.append((peer, unpack(data, count)))
        return self.busy

    def accepted(self, call: int, answer: int) -> None:
        self.accepted_calls.append(call)

    def progress(self, call: int, done: int, total: int) -> None:
        self.seen.append((done, total))

    def signal(self, peer: str, kind: str, text: str) -> None:
        self.events.append({"signal": kind, **json.loads(text)})

    def number(self) -> int:
        number = len(self.replies) + 1
        self.replies[number] = asyncio.get_running_loop().create_future()
        return number

    async def call(self, name: str, *arguments: object) -> object:
        number = self.number()
        self.node.call(number, name, json.dumps(arguments))
        return await self.replies[number]


class Failed(Exception):
    """An error that was replied."""


async def meet() -> tuple[Page, Page, str, str]:
    here = await place()
    alice, bob = Page(here, "alice"), Page(here, "bob")
    alice.node.listen_events(True)
    for page in (alice, bob):
        await page.call("make_webrtc_relay_reservation", here.relay_id)
    a, b = await alice.call("local_peer_id"), await bob.call("local_peer_id")
    await alice.call("connect_through_webrtc_relay", here.relay_id, b)
    await alice.call("create_webrtc_data_channel", b)
    return alice, bob, a, b


async def test_batches_go_out_and_come_in():
    alice, bob, a, b = await meet()
    bob.node.listen_messages(True)
    messages = [b"%d" % n for n in range(100)]
    assert alice.node.send(alice.number(), b, Array(pack(messages)), 100) == 100 + FIRST_ID
    await asyncio.sleep(5)
    assert [peer for peer, _ in bob.batches] == [a] * len(bob.batches)
    assert [message for _, batch in bob.batches for message in batch] == messages
    assert len(bob.batches) < 10
    alice.node.free(alice.number())
    bob.node.free(bob.number())
    await asyncio.sleep(10)


async def test_a_page_that_wants_time_gets_no_more_until_it_is_done():
    alice, bob, _, b = await meet()
    bob.busy = True
    bob.node.listen_messages(True)
    for n in range(5):
        alice.node.send(alice.number(), b, Array(b"%d" % n), 1)
        await asyncio.sleep(1)
    assert len(bob.batches) == 1
    bob.busy = False
    bob.node.acknowledge_batch(bob.batches[0][0])
    await asyncio.sleep(1)
    assert [message for _, batch in bob.batches for message in batch] == [b"%d" % n for n in range(5)]
    await alice.call("stop")
    await bob.call("stop")


async def test_what_has_no_room_is_replied_about_later():
    alice, bob, a, b = await meet()
    messages = [bytes(60_000) for _ in range(400)]
    number = alice.number()
    first, accepted = divmod(alice.node.send(number, b, Array(pack(messages)), 400), FIRST_ID)
    assert (first, 0 < accepted < 400) == (1, True)
    await asyncio.sleep(30)
    assert not alice.replies[number].done()
    taken = 0
    while taken < 400:
        pull = bob.number()
        bob.node.receive_batch(pull, a)
        taken += len(await bob.replies[pull])
    assert await alice.replies[number] == list(range(accepted + 1, 401))
    await alice.call("stop")
    await bob.call("stop")


async def test_progress_and_events_and_cancelling():
    alice, bob, a, b = await meet()
    number = alice.number()
    alice.node.send_with_progress(number, b, Array(bytes(3_000_000)), False, False)
    assert await alice.replies[number] == 1
    delivered = alice.number()
    alice.node.send_with_progress(delivered, b, Array(b"delivered"), True, False)
    await asyncio.sleep(1)
    assert (alice.accepted_calls, alice.replies[delivered].done()) == ([number, delivered], False)
    assert len(await bob.network.receive_webrtc_message(a)) == 3_000_000
    await asyncio.sleep(1)
    assert (3_000_000, 3_000_000) in alice.seen
    assert await bob.network.receive_webrtc_message(a) == b"delivered"
    assert await alice.replies[delivered] == 2
    assert {"node", "connection:open", "channel:open"} <= {event["type"] for event in alice.events}
    waiting = alice.number()
    alice.node.receive_batch(waiting, b)
    await asyncio.sleep(1)
    alice.node.cancel(waiting)
    await asyncio.sleep(1)
    assert not alice.replies[waiting].done()
    await alice.call("stop")
    await bob.call("stop")


async def test_node_that_another_page_goes_on_with_tells_what_was_accepted_and_says_nothing_to_its_peers():
    alice, bob, a, b = await meet()
    bob.node.listen_events(True)
    alice.node.send(alice.number(), b, Array(b"taken"), 1)
    assert await bob.network.receive_webrtc_message(a) == b"taken"
    await asyncio.sleep(1)
    alice.node.send(alice.number(), b, Array(pack([b"on its way", b"as well"])), 2)
    number = alice.number()
    alice.node.abandon(number)
    told = [event for event in alice.events if event["type"] == "message:undelivered"]
    assert [(event["peer_id"], event["ids"], event["maybe_delivered"]) for event in told] == [
        (b, [2], True),
        (b, [3], False),
    ]
    await alice.replies[number]
    assert alice.network.get_open_channel(b) is None
    # The peer lost its path, and keeps the channel for whoever goes on.
    await asyncio.sleep(2)
    assert [event["state"] for event in bob.events if event["type"].startswith("channel:")] == ["reconnecting"]
    await bob.call("stop")


async def test_errors_come_as_shapes():
    here = await place()
    page = Page(here, "alice")
    with pytest.raises(Failed) as failed:
        await page.call("connect_through_webrtc_relay", here.relay_id, "nobody")
    shape = failed.value.args[0]
    assert shape["code"] == "INVALID_ARGUMENT"
    assert shape["hint"]
    with pytest.raises(Failed) as failed:
        await page.call("ping")
    assert failed.value.args[0]["code"] == "INVALID_ARGUMENT"
    await page.call("stop")


async def test_a_configuration_that_is_wrong_makes_no_node():
    made = make_node('{"network": {"relays": ["x"]}}', Page(await place(), "alice"), epoch=0)
    assert isinstance(made, str)
    assert json.loads(made)["details"]["path"] == "network.relays[0]"


def test_an_error_takes_its_fields_and_its_cause_along():
    refused = RelayRefused("relay", 204, "NO_RESERVATION")
    shape = error_to_dict(DialFailed("peer", (("/a", InvalidArgument("x", "y")), ("/b", refused))))
    assert (shape["code"], shape["cause"]["code"], shape["cause"]["details"]["status"]) == (
        "DIAL_FAILED",
        "RELAY_REFUSED",
        204,
    )
    assert len(shape["details"]["attempts"]) == 2
    assert error_to_dict(RuntimeError("oops"))["code"] == "INTERNAL"


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=20))
def test_packing_is_undone_by_unpacking(messages):
    assert unpack(pack(messages), len(messages)) == messages


def test_identity_of_a_configuration_is_read_without_a_node():
    assert json.loads(read_identity("{}")) == {"name": "default", "persist": True}
    named = read_identity('{"identity": {"name": "second", "persist": false}}')
    assert json.loads(named) == {"name": "second", "persist": False}
    assert json.loads(read_identity('{"identity": {"name": 7}}'))["details"]["path"] == "identity.name"


async def test_a_page_hands_its_channels_to_the_one_that_goes_on():
    alice, bob, _, b = await meet()
    bob.node.listen_messages(True)
    alice.node.send(alice.number(), b, Array(pack([b"one", b"two"])), 2)
    ending = alice.number()
    handed = alice.node.hand_over(ending)
    await alice.replies[ending]
    heir = Page(alice.place, "alice")
    assert heir.node.take_up(Array(handed)) == ""
    heir.node.listen_events(True)
    assert heir.node.send(heir.number(), b, Array(b"three"), 1) == 0  # it has to start first
    await asyncio.sleep(20)
    assert [message for _, batch in bob.batches for message in batch] == [b"one", b"two", b"three"]
    assert not [event for page in (alice, heir) for event in page.events if event["type"] == "message:undelivered"]
    assert json.loads(heir.node.take_up(Array(b"\xc1")))["code"] == "MALFORMED_MESSAGE"
