"""Relays that do not behave: refusals, nonsense, silence, false vouchers and addresses of others."""

from __future__ import annotations

import asyncio

import pytest

from darkswap_browser.errors import (
    DarkSwapError,
    MalformedMessage,
    ProtocolViolation,
    RelayRefused,
    StreamError,
    TimedOut,
    VoucherInvalid,
)
from darkswap_browser.identity.multiaddr import Multiaddr
from darkswap_browser.net.connection import Connection
from darkswap_browser.net.stream import BufferedStream
from darkswap_browser.protocols.relay.messages import (
    HOP_PROTOCOL,
    MAX_MESSAGE,
    HopMessage,
    HopType,
    ReservationInfo,
    Status,
    encode_hop,
)
from darkswap_browser.protocols.relay.voucher import issue_voucher
from tests.support.native_identity import identity
from tests.support.relays import EPOCH, Lan, Node, circuits, node


async def against(reply: bytes | None, *, then_reset: bool = False) -> tuple[Node, Node]:
    """Bob, and somebody who answers every hop request with `reply` (None: with silence)."""
    lan = Lan()
    liar, bob = await node(lan, "relay", "10.0.0.1"), await node(lan, "bob", "10.0.0.3")
    await liar.swarm.listen(liar.address)

    async def answer(connection: Connection, stream: BufferedStream, protocol: str) -> None:
        await stream.read_message(MAX_MESSAGE)
        if then_reset:
            stream.reset()
        elif reply is None:
            await asyncio.sleep(1000)
        else:
            await stream.write_message(reply)
            await asyncio.sleep(1000)

    liar.swarm.handle(HOP_PROTOCOL, answer)
    bob.client.add_relay(liar.full_address)
    return liar, bob


REFUSALS = [status for status in Status if status != Status.OK]


@pytest.mark.parametrize("status", [*REFUSALS, 999])
async def test_each_refusal_has_its_name(status: int) -> None:
    liar, bob = await against(encode_hop(HopMessage(HopType.STATUS, status=status)))
    for attempt in (bob.client.reserve(liar.peer), bob.client.connect(liar.peer, (await identity("carol")).peer_id)):
        with pytest.raises(RelayRefused) as caught:
            await attempt
        assert caught.value.status == status
        assert caught.value.name == (Status(status).name if status != 999 else "STATUS_999")
    await bob.close()
    await liar.swarm.close()


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (b"\xff\xff", MalformedMessage),
        (encode_hop(HopMessage(HopType.RESERVE)), ProtocolViolation),
        (encode_hop(HopMessage(HopType.STATUS)), RelayRefused),
        (encode_hop(HopMessage(HopType.STATUS, status=Status.OK)), ProtocolViolation),
        (None, TimedOut),
    ],
    ids=["garbage", "not a status", "no status", "no reservation", "silence"],
)
async def test_an_answer_that_makes_no_sense_is_a_typed_error(reply: bytes | None, error: type[DarkSwapError]) -> None:
    liar, bob = await against(reply)
    with pytest.raises(error):
        await bob.client.reserve(liar.peer)
    await bob.close()
    await liar.swarm.close()


async def test_a_stream_reset_by_the_relay_is_a_stream_error() -> None:
    liar, bob = await against(None, then_reset=True)
    with pytest.raises(StreamError):
        await bob.client.reserve(liar.peer)
    await bob.close()
    await liar.swarm.close()


@pytest.mark.parametrize("honest", [True, False])
async def test_a_voucher_is_verified_when_there_is_one(honest: bool) -> None:
    bob_id = (await identity("bob")).peer_id
    voucher = await issue_voucher(await identity("relay" if honest else "mallory"), bob_id, int(EPOCH) + 3600)
    info = ReservationInfo(int(EPOCH) + 3600, (), voucher)
    liar, bob = await against(encode_hop(HopMessage(HopType.STATUS, reservation=info, status=Status.OK)))
    if honest:
        assert (await bob.client.reserve(liar.peer)).voucher == voucher
    else:
        with pytest.raises(VoucherInvalid):
            await bob.client.reserve(liar.peer)
        assert not circuits(bob)
    await bob.close()
    await liar.swarm.close()


async def test_a_reservation_without_voucher_or_addresses_is_good() -> None:
    info = ReservationInfo(int(EPOCH) + 3600)
    liar, bob = await against(encode_hop(HopMessage(HopType.STATUS, reservation=info, status=Status.OK)))
    got = await bob.client.reserve(liar.peer)
    assert got.addresses[0] == liar.full_address.encapsulate(f"/p2p-circuit/webrtc/p2p/{bob.peer}")
    await bob.close()
    await liar.swarm.close()


async def test_addresses_of_others_and_circuits_are_not_announced() -> None:
    mallory = (await identity("mallory")).peer_id
    listed = tuple(
        Multiaddr.parse(text)
        for text in (
            "/ip4/10.9.9.9/tcp/1",
            f"/ip4/10.9.9.8/tcp/1/p2p/{mallory}",
            f"/ip4/10.9.9.7/tcp/1/p2p/{mallory}/p2p-circuit",
        )
    )
    info = ReservationInfo(int(EPOCH) + 3600, listed)
    liar, bob = await against(encode_hop(HopMessage(HopType.STATUS, reservation=info, status=Status.OK)))
    got = await bob.client.reserve(liar.peer)
    hosts = {address.host() for address in got.addresses}
    assert hosts == {"10.0.0.1", "10.9.9.9"}
    assert not any(str(address).count(str(liar.peer)) > 1 for address in got.addresses)
    await bob.close()
    await liar.swarm.close()
