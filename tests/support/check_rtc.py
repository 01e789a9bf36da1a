"""What every `runtime.base.WebRtc` must do, whichever browser or simulation is behind it. Sent to the page as well."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from darkswap_browser.errors import (
    ConnectionLost,
    DarkSwapError,
    MalformedMessage,
    MessageTooLarge,
    StreamClosed,
    TooManyRequests,
)
from darkswap_browser.runtime.base import (
    DataChannel,
    IceCandidate,
    PeerConnection,
    RtcConfiguration,
    SessionDescription,
    WebRtc,
)

SOON = 10.0
"""Seconds that anything here may take, on a busy machine."""


class Waiting:
    """`until` sleeps until something changed and a condition holds."""

    def __init__(self) -> None:
        self._changed = asyncio.Event()

    def change(self) -> None:
        self._changed.set()

    async def until(self, condition: Callable[[], bool], seconds: float = SOON) -> None:
        async with asyncio.timeout(seconds):
            while not condition():
                self._changed.clear()
                await self._changed.wait()


class Channel(Waiting):
    """A listener that notes everything, in order."""

    def __init__(self, channel: DataChannel, low: int = 0) -> None:
        super().__init__()
        self.channel = channel
        self.events: list[str | bytes] = []
        channel.listen(self, low)

    def opened(self) -> None:
        self._note("opened")

    def received(self, data: bytes) -> None:
        self._note(data)

    def drained(self) -> None:
        self._note("drained")

    def closed(self) -> None:
        self._note("closed")

    @property
    def messages(self) -> list[bytes]:
        return [event for event in self.events if isinstance(event, bytes)]

    async def has(self, event: str) -> None:
        await self.until(lambda: event in self.events)

    def _note(self, event: str | bytes) -> None:
        self.events.append(event)
        self.change()


class Side(Waiting):
    """One connection and all that it tells. Candidates go to the other side by themselves while `trickle`."""

    def __init__(self, webrtc: WebRtc, configuration: RtcConfiguration | None = None, *, trickle: bool = True) -> None:
        super().__init__()
        self.connection: PeerConnection = webrtc.create_peer_connection(configuration or RtcConfiguration(), self)
        self.trickle = trickle
        self.other: Side = self
        self.states: list[str] = []
        self.candidates: list[IceCandidate] = []
        self.gathered = False
        self.inbound: list[Channel] = []
        self.ready = False
        """Candidates of the other side may come in."""
        self._early: list[IceCandidate] = []
        self._tasks: list[asyncio.Task[None]] = []

    def ice_candidate(self, candidate: IceCandidate | None) -> None:
        if candidate is None:
            self.gathered = True
        elif candidate.candidate:
            self.candidates.append(candidate)
            if self.trickle:
                self.other.take(candidate)
        self.change()

    def data_channel(self, channel: DataChannel) -> None:
        self.inbound.append(Channel(channel))
        self.change()

    def state_changed(self, state: str) -> None:
        self.states.append(state)
        self.change()

    def take(self, candidate: IceCandidate) -> None:
        if not self.ready:
            self._early.append(candidate)
        else:
            self._tasks.append(asyncio.ensure_future(self.connection.add_ice_candidate(candidate)))

    def heard(self) -> None:
        self.ready = True
        early, self._early = self._early, []
        for candidate in early:
            self.take(candidate)


@dataclass
class Couple:
    """`hosts` of two connections; `alter` may change the offer on its way."""

    hosts: tuple[WebRtc, WebRtc]
    alter: Callable[[str], str] = str
    trickle: bool = True
    sides: list[Side] = field(default_factory=list)

    async def __aenter__(self) -> Couple:
        self.sides = [Side(host, trickle=self.trickle) for host in self.hosts]
        one, two = self.sides
        one.other, two.other = two, one
        return self

    async def __aexit__(self, *_: object) -> None:
        for side in self.sides:
            side.connection.close()

    async def negotiate(self, *, ice_restart: bool = False) -> None:
        one, two = (side.connection for side in self.sides)
        if ice_restart:
            self.sides[0].ready = self.sides[1].ready = False
        offer = await one.create_offer(ice_restart=ice_restart)
        await one.set_local_description(offer)
        await two.set_remote_description(SessionDescription("offer", self.alter(offer.sdp)))
        self.sides[1].heard()
        answer = await two.create_answer()
        await two.set_local_description(answer)
        await one.set_remote_description(answer)
        self.sides[0].heard()

    async def open(self, label: str = "init") -> tuple[Channel, Channel]:
        """Negotiates, and waits until a channel is open on both sides."""
        ours = Channel(self.sides[0].connection.create_data_channel(label))
        await self.negotiate()
        return ours, await self.inbound(ours)

    async def inbound(self, ours: Channel) -> Channel:
        side, before = self.sides[1], len(self.sides[1].inbound)
        await ours.has("opened")
        await side.until(lambda: len(side.inbound) > max(0, before - 1))
        await side.inbound[-1].has("opened")
        return side.inbound[-1]


def error_of(call: Callable[[], object]) -> type[DarkSwapError] | None:
    try:
        call()
    except DarkSwapError as error:
        return type(error)
    return None


async def failure(work: Awaitable[object]) -> type[DarkSwapError] | None:
    try:
        await work
    except DarkSwapError as error:
        return type(error)
    return None


Hosts = tuple[WebRtc, WebRtc]


async def two_connections_meet(hosts: Hosts) -> None:
    async with Couple(hosts) as couple:
        ours, theirs = await couple.open("a label")
        for side in couple.sides:
            # A channel may open a moment before the browser tells of the connection.
            await side.until(lambda side=side: side.states[-1:] == ["connected"])
            assert side.connection.connection_state == "connected"
            assert side.states == ["connecting", "connected"], side.states
        assert (ours.channel.label, theirs.channel.label) == ("a label", "a label")
        assert (ours.channel.ready_state, theirs.channel.ready_state) == ("open", "open")
        ours.channel.send(b"ping")
        await theirs.until(lambda: theirs.messages == [b"ping"])
        theirs.channel.send(b"pong")
        await ours.until(lambda: ours.messages == [b"pong"])


async def descriptions_and_candidates_are_text_as_browsers_write_it(hosts: Hosts) -> None:
    async with Couple(hosts) as couple:
        await couple.open()
        for side in couple.sides:
            description = side.connection.local_description
            assert description is not None
            for line in ("m=application 9 |m=application \\d+ ", "a=ice-ufrag:\\S{4,}", "a=ice-pwd:\\S{22,}",
                         "a=fingerprint:sha-256 ([0-9A-F]{2}:){31}[0-9A-F]{2}", "a=setup:(actpass|active|passive)",
                         "a=mid:0", "a=sctp-port:5000", "a=max-message-size:\\d+"):  # fmt: skip
                assert re.search(f"^({line})", description.sdp, re.MULTILINE), line
            candidate = side.candidates[0]
            assert re.match(r"candidate:\S+ 1 udp \d+ \S+ \d+ typ host ", candidate.candidate)
            assert (candidate.sdp_mid, candidate.sdp_m_line_index) == ("0", 0)
            assert f"a=ice-ufrag:{candidate.username_fragment}" in description.sdp
        offer, answer = (side.connection.local_description for side in couple.sides)
        assert offer is not None
        assert answer is not None
        assert (offer.type, answer.type) == ("offer", "answer")


async def no_candidate_is_needed_beside_a_whole_description(hosts: Hosts) -> None:
    """Manual signaling: one text each way, taken when gathering has ended."""
    async with Couple(hosts, trickle=False) as couple:
        one, two = couple.sides
        ours = Channel(one.connection.create_data_channel("init"))
        await one.connection.set_local_description(await one.connection.create_offer())
        await one.until(lambda: one.gathered)
        offer = one.connection.local_description
        assert offer is not None
        assert "a=candidate:" in offer.sdp
        await two.connection.set_remote_description(offer)
        await two.connection.set_local_description(await two.connection.create_answer())
        await two.until(lambda: two.gathered)
        answer = two.connection.local_description
        assert answer is not None
        await one.connection.set_remote_description(answer)
        await ours.has("opened")


async def messages_keep_their_order_and_their_borders(hosts: Hosts) -> None:
    async with Couple(hosts) as couple:
        ours, theirs = await couple.open()
        sent = [bytes([number % 256]) * (number * 37 % 3000 + 1) for number in range(200)]
        for message in sent:
            ours.channel.send(message)
        await theirs.until(lambda: len(theirs.messages) == len(sent))
        assert theirs.messages == sent


async def channels_open_in_both_directions_once_connected(hosts: Hosts) -> None:
    async with Couple(hosts) as couple:
        await couple.open()
        one, two = couple.sides
        for near, far in ((one, two), (two, one)):
            before = len(far.inbound)
            channel = Channel(near.connection.create_data_channel(""))
            await channel.has("opened")
            channel.channel.send(b"first")
            await far.until(lambda: len(far.inbound) == before + 1)  # noqa: B023
            theirs = far.inbound[-1]
            await theirs.until(lambda: theirs.messages == [b"first"])  # noqa: B023


async def only_an_open_channel_sends(hosts: Hosts) -> None:
    async with Couple(hosts) as couple:
        early = couple.sides[0].connection.create_data_channel("init")
        assert early.ready_state == "connecting"
        assert error_of(lambda: early.send(b"x")) is StreamClosed
        early.close()
        ours, _ = await couple.open()
        ours.channel.close()
        assert ours.channel.ready_state in ("closing", "closed")
        assert error_of(lambda: ours.channel.send(b"x")) is StreamClosed


async def closing_a_channel_lets_messages_arrive_first(hosts: Hosts) -> None:
    async with Couple(hosts) as couple:
        ours, theirs = await couple.open()
        for number in range(50):
            ours.channel.send(bytes([number]) * 1000)
        ours.channel.close()
        ours.channel.close()
        await theirs.has("closed")
        await ours.has("closed")
        assert len(theirs.messages) == 50
        assert theirs.events[-1] == "closed"
        assert (ours.events.count("closed"), theirs.events.count("closed")) == (1, 1)
        assert error_of(lambda: theirs.channel.send(b"x")) is StreamClosed


async def what_is_queued_is_counted_and_its_draining_told(hosts: Hosts) -> None:
    async with Couple(hosts) as couple:
        ours, theirs = await couple.open()
        for _ in range(64):
            ours.channel.send(bytes(16384))
        assert 0 < ours.channel.buffered_amount <= 64 * 16384
        await ours.has("drained")
        assert ours.channel.buffered_amount == 0
        await theirs.until(lambda: len(theirs.messages) == 64)


async def what_is_too_much_is_refused(hosts: Hosts) -> None:
    async with Couple(hosts) as couple:
        ours, theirs = await couple.open()
        assert error_of(lambda: ours.channel.send(bytes(262145))) is MessageTooLarge
        refused = None
        for _ in range(400):
            refused = refused or error_of(lambda: ours.channel.send(bytes(65536)))
        assert refused is TooManyRequests
        # A full queue has not harmed the channel.
        await ours.has("drained")
        ours.channel.send(b"after")
        await theirs.until(lambda: theirs.messages[-1:] == [b"after"])


async def a_fingerprint_that_was_changed_on_the_way_is_noticed(hosts: Hosts) -> None:
    def forge(sdp: str) -> str:
        return re.sub(r"(a=fingerprint:sha-256 )\S+", lambda line: line[1] + ":".join(["AB"] * 32), sdp)

    async with Couple(hosts, alter=forge) as couple:
        ours = Channel(couple.sides[0].connection.create_data_channel("init"))
        await couple.negotiate()
        two = couple.sides[1]
        await two.until(lambda: "failed" in two.states or "closed" in two.states, 30)
        assert "connected" not in two.states
        assert "opened" not in ours.events
        assert not two.inbound


async def nonsense_is_malformed(hosts: Hosts) -> None:
    async with Couple(hosts) as couple:
        one, two = (side.connection for side in couple.sides)
        for sdp in ("", "nonsense", "v=0\r\no=x\r\nm=audio", "v=0\r\n\x00"):
            assert await failure(two.set_remote_description(SessionDescription("offer", sdp))) is MalformedMessage, sdp
        one.create_data_channel("init")
        offer = await one.create_offer()
        for missing in ("a=ice-ufrag", "a=ice-pwd", "a=fingerprint"):
            broken = "".join(line for line in offer.sdp.splitlines(True) if not line.startswith(missing))
            given = SessionDescription("offer", broken)
            assert await failure(two.set_remote_description(given)) is MalformedMessage, missing
        assert await failure(two.add_ice_candidate(IceCandidate("candidate:1", "0", 0))) is ConnectionLost
        await two.set_remote_description(offer)
        for text in ("nonsense", "candidate:1", "candidate:1 1 udp x 1.2.3.4 5 typ host"):
            assert await failure(two.add_ice_candidate(IceCandidate(text, "0", 0))) is MalformedMessage, text
        await two.add_ice_candidate(IceCandidate("", "0", 0))


async def steps_out_of_order_are_refused(hosts: Hosts) -> None:
    async with Couple(hosts) as couple:
        one, two = (side.connection for side in couple.sides)
        assert await failure(one.create_answer()) is ConnectionLost
        one.create_data_channel("init")
        offer = await one.create_offer()
        answer = SessionDescription("answer", offer.sdp)
        assert await failure(two.set_remote_description(answer)) in (ConnectionLost, MalformedMessage)


async def relay_only_gives_no_address_away(hosts: Hosts) -> None:
    side = Side(hosts[0], RtcConfiguration(relay_only=True), trickle=False)
    side.connection.create_data_channel("init")
    await side.connection.set_local_description(await side.connection.create_offer())
    await side.until(lambda: side.gathered)
    description = side.connection.local_description
    assert side.candidates == []
    assert description is not None
    assert "a=candidate:" not in description.sdp
    side.connection.close()


async def closing_a_connection_is_heard_at_the_other_end_only(hosts: Hosts) -> None:
    async with Couple(hosts) as couple:
        ours, theirs = await couple.open()
        one, two = couple.sides
        one.connection.close()
        one.connection.close()
        await theirs.has("closed")
        await two.until(lambda: two.states[-1:] == ["closed"])
        assert theirs.channel.ready_state == "closed"
        assert one.connection.connection_state == "closed"
        assert "closed" not in ours.events
        assert "closed" not in one.states
        assert error_of(lambda: ours.channel.send(b"x")) is StreamClosed
        assert error_of(lambda: one.connection.create_data_channel("x")) is ConnectionLost
        assert await failure(one.connection.create_offer()) is ConnectionLost


async def an_ice_restart_keeps_the_channels(hosts: Hosts) -> None:
    async with Couple(hosts) as couple:
        ours, theirs = await couple.open()
        before = couple.sides[0].connection.local_description
        await couple.negotiate(ice_restart=True)
        after = couple.sides[0].connection.local_description
        assert before is not None
        assert after is not None
        ufrags = [re.findall(r"a=ice-ufrag:(\S+)", each.sdp) for each in (before, after)]
        assert ufrags[0] != ufrags[1]
        ours.channel.send(b"still")
        await theirs.until(lambda: theirs.messages == [b"still"])
        assert couple.sides[0].connection.connection_state == "connected"


async def figures_name_the_pair_in_use(hosts: Hosts) -> None:
    async with Couple(hosts) as couple:
        ours, theirs = await couple.open()
        ours.channel.send(bytes(5000))
        await theirs.until(lambda: len(theirs.messages) == 1)
        rows = await couple.sides[0].connection.stats()
        pair = next(row for row in rows if row["type"] == "candidate-pair" and row.get("nominated"))
        # While the pair is being checked again it says that instead.
        assert pair["state"] in ("succeeded", "in-progress")
        assert pair["bytesSent"] >= 5000
        assert {row["id"] for row in rows} >= {pair["localCandidateId"], pair["remoteCandidateId"]}
        assert any(row["type"] == "local-candidate" and row["candidateType"] in ("host", "prflx") for row in rows)


CHECKS: tuple[Callable[[Hosts], Awaitable[None]], ...] = (
    two_connections_meet,
    descriptions_and_candidates_are_text_as_browsers_write_it,
    no_candidate_is_needed_beside_a_whole_description,
    messages_keep_their_order_and_their_borders,
    channels_open_in_both_directions_once_connected,
    only_an_open_channel_sends,
    closing_a_channel_lets_messages_arrive_first,
    what_is_queued_is_counted_and_its_draining_told,
    what_is_too_much_is_refused,
    a_fingerprint_that_was_changed_on_the_way_is_noticed,
    nonsense_is_malformed,
    steps_out_of_order_are_refused,
    relay_only_gives_no_address_away,
    closing_a_connection_is_heard_at_the_other_end_only,
    an_ice_restart_keeps_the_channels,
    figures_name_the_pair_in_use,
)
