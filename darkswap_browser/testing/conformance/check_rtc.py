"""What every `runtime.base.WebRtc` must do, whichever browser or simulation is behind it. Sent to the page as well."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from functools import partial

from darkswap_browser.errors import ConnectionLost, MalformedMessage, MessageTooLarge, StreamClosed, TooManyRequests
from darkswap_browser.runtime.base.webrtc import IceCandidate, RtcConfiguration, SessionDescription, WebRtc
from darkswap_browser.testing.conformance.rtc_pair import Channel, RtcPair, Side, error_of, failure

Hosts = tuple[WebRtc, WebRtc]


def _is_connected(side: Side) -> bool:
    return side.states[-1:] == ["connected"]


async def two_connections_meet(hosts: Hosts) -> None:
    async with RtcPair(hosts) as couple:
        ours, theirs = await couple.open("a label")
        for side in couple.sides:
            # A channel may open a moment before the browser tells of the connection.
            await side.until(partial(_is_connected, side))
            assert side.connection.connection_state == "connected"
            assert side.states == ["connecting", "connected"], side.states
        assert (ours.channel.label, theirs.channel.label) == ("a label", "a label")
        assert (ours.channel.ready_state, theirs.channel.ready_state) == ("open", "open")
        ours.channel.send(b"ping")
        await theirs.until(lambda: theirs.messages == [b"ping"])
        theirs.channel.send(b"pong")
        await ours.until(lambda: ours.messages == [b"pong"])


async def descriptions_and_candidates_are_text_as_browsers_write_it(hosts: Hosts) -> None:
    async with RtcPair(hosts) as couple:
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
    async with RtcPair(hosts, trickle=False) as couple:
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
    async with RtcPair(hosts) as couple:
        ours, theirs = await couple.open()
        sent = [bytes([number % 256]) * (number * 37 % 3000 + 1) for number in range(200)]
        for message in sent:
            ours.channel.send(message)
        await theirs.until(lambda: len(theirs.messages) == len(sent))
        assert theirs.messages == sent


async def channels_open_in_both_directions_once_connected(hosts: Hosts) -> None:
    async with RtcPair(hosts) as couple:
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
    async with RtcPair(hosts) as couple:
        early = couple.sides[0].connection.create_data_channel("init")
        assert early.ready_state == "connecting"
        assert error_of(lambda: early.send(b"x")) is StreamClosed
        early.close()
        ours, _ = await couple.open()
        ours.channel.close()
        assert ours.channel.ready_state in ("closing", "closed")
        assert error_of(lambda: ours.channel.send(b"x")) is StreamClosed


async def closing_a_channel_lets_messages_arrive_first(hosts: Hosts) -> None:
    async with RtcPair(hosts) as couple:
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
    async with RtcPair(hosts) as couple:
        ours, theirs = await couple.open()
        for _ in range(64):
            ours.channel.send(bytes(16384))
        assert 0 < ours.channel.buffered_amount <= 64 * 16384
        await ours.has("drained")
        assert ours.channel.buffered_amount == 0
        await theirs.until(lambda: len(theirs.messages) == 64)


async def what_is_too_much_is_refused(hosts: Hosts) -> None:
    async with RtcPair(hosts) as couple:
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

    async with RtcPair(hosts, alter=forge) as couple:
        ours = Channel(couple.sides[0].connection.create_data_channel("init"))
        await couple.negotiate()
        two = couple.sides[1]
        await two.until(lambda: "failed" in two.states or "closed" in two.states, 30)
        assert "connected" not in two.states
        assert "opened" not in ours.events
        assert not two.inbound


async def nonsense_is_malformed(hosts: Hosts) -> None:
    async with RtcPair(hosts) as couple:
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
    async with RtcPair(hosts) as couple:
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
    async with RtcPair(hosts) as couple:
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
    async with RtcPair(hosts) as couple:
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
    async with RtcPair(hosts) as couple:
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
