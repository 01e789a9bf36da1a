"""STUN at the relay: RFC 5769's vector, what gets no answer, rates, and a relay process asked over UDP."""

from __future__ import annotations

import asyncio
import random
import socket
import struct

import pytest

from darkswap_browser.errors import ListenFailed
from darkswap_browser.protocols.stun import STUN_FACT, stun_fact, stun_port, stun_url
from darkswap_browser.relayd.options import parse_options
from darkswap_browser.relayd.stun.machine import ALTOGETHER, PER_ADDRESS, StunResponder, longest_answer
from darkswap_browser.relayd.stun.messages import MAGIC, decode_request, encode_answer
from darkswap_browser.relayd.stun.server import StunServer
from tests.relayd.test_main import relay
from tests.support.native_nodes import native_node

# RFC 5769 §2.2 and §2.3: the mapped addresses of the sample answers.
TRANSACTION = bytes.fromhex("b7e7a701bc34d686fa87dfae")
IPV4_ATTRIBUTE = bytes.fromhex("002000080001a147e112a643")
IPV6_ATTRIBUTE = bytes.fromhex("002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d9")


def request(*attributes: tuple[int, bytes], transaction: bytes = TRANSACTION, kind: int = 1) -> bytes:
    body = b"".join(struct.pack("!HH", t, len(v)) + v + bytes(-len(v) % 4) for t, v in attributes)
    return struct.pack("!HHI", kind, len(body), MAGIC) + transaction + body


def test_answers_carry_the_addresses_of_the_rfcs_vectors():
    assert encode_answer(TRANSACTION, "192.0.2.1", 32853)[20:] == IPV4_ATTRIBUTE
    assert encode_answer(TRANSACTION, "2001:db8:1234:5678:11:2233:4455:6677", 32853)[20:] == IPV6_ATTRIBUTE
    answer = encode_answer(TRANSACTION, "192.0.2.1", 1)
    assert answer[:2] == b"\x01\x01" and answer[8:20] == TRANSACTION and len(answer) == 32


@pytest.mark.parametrize(
    "datagram",
    [
        b"",
        bytes(20),
        request()[:19],
        request() + b"\0",
        request(kind=0x0011),  # an indication
        request(kind=0x0003),  # TURN's Allocate
        request(kind=0x0101),  # an answer: two servers must not go on between themselves
        request()[:4] + bytes(4) + request()[8:],  # RFC 3489, without the cookie
        request((0x0003, bytes(4))),  # CHANGE-REQUEST: to answer from another address
        request((0x0024, bytes(4))),  # PRIORITY: a check of ICE
        struct.pack("!HHI", 1, 8, MAGIC) + TRANSACTION + struct.pack("!HH", 0x8022, 60) + bytes(4),
        struct.pack("!HHI", 1, 2, MAGIC) + TRANSACTION + bytes(2),
        random.Random(1).randbytes(1500),
    ],
)
def test_what_is_no_binding_request_gets_no_answer(datagram: bytes):
    responder = StunResponder()
    assert responder.respond(datagram, "203.0.113.5", 4000, 0.0) is None
    assert (responder.answered, responder.ignored) == (0, 1)


@pytest.mark.parametrize("attributes", [[], [(0x8028, bytes(4))], [(0x8022, b"a browser")], [(0x0006, b"user:name")]])
@pytest.mark.parametrize("ip", ["203.0.113.5", "2001:db8::5"])
def test_no_answer_is_longer_than_the_question_or_the_least_there_is(attributes, ip: str):
    question = request(*attributes)
    assert decode_request(question) is not None
    answer = StunResponder().respond(question, ip, 4000, 0.0)
    assert answer is not None
    assert len(answer) <= longest_answer(len(question), ip) <= max(len(question), 44)


def test_one_address_and_all_together_have_their_rates():
    responder = StunResponder()
    answers = [responder.respond(request(), "203.0.113.5", port, 0.0) for port in range(1, 201)]
    assert sum(answer is not None for answer in answers) == PER_ADDRESS.burst == responder.answered
    assert responder.respond(request(), "203.0.113.6", 1, 0.0) is not None, "another address is not held up"
    assert responder.respond(request(), "203.0.113.5", 1, 1.0) is not None
    neighbours = [responder.respond(request(), f"2001:db8::{n:x}", 1, 9.0) for n in range(1, 201)]
    assert sum(answer is not None for answer in neighbours) == PER_ADDRESS.burst, "a /64 is one address"
    many = [responder.respond(request(), f"10.{n >> 8}.{n & 255}.1", 1, 99.0) for n in range(1, 5001)]
    assert sum(answer is not None for answer in many) == ALTOGETHER.burst


@pytest.mark.parametrize(
    ("told", "port"),
    [
        (stun_fact(3478), 3478),
        (STUN_FACT + "0", None),
        (STUN_FACT + "65536", None),
        (STUN_FACT + "9" * 5000, None),
        (STUN_FACT + "-1", None),
        (STUN_FACT + "٣", None),
        (STUN_FACT, None),
        ("/ipfs/id/1.0.0", None),
    ],
)
def test_a_port_is_read_from_what_a_peer_says_it_speaks(told: str, port: int | None):
    assert stun_port(["/ipfs/ping/1.0.0", told]) == port


def test_a_url_has_brackets_around_an_ipv6_address():
    assert stun_url("relay.example", 1) == "stun:relay.example:1"
    assert stun_url("2001:db8::1", 2) == "stun:[2001:db8::1]:2"


class Asker(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.answers: asyncio.Queue[bytes] = asyncio.Queue()

    def datagram_received(self, data: bytes, addr: object) -> None:
        self.answers.put_nowait(data)


async def ask(host: str, port: int) -> tuple[bytes, tuple[str, int]]:
    """The answer, and our own address."""
    loop = asyncio.get_running_loop()
    transport, asker = await loop.create_datagram_endpoint(Asker, remote_addr=(host, port))
    try:
        transport.sendto(request())
        return await asyncio.wait_for(asker.answers.get(), 10), transport.get_extra_info("sockname")[:2]
    finally:
        transport.close()


@pytest.mark.native
async def test_a_relay_answers_on_udp_and_tells_its_port_to_peers() -> None:
    async with relay("--no-identity-file") as it, native_node() as alice:
        port = it.address("ws").port()
        answer, own = await ask("127.0.0.1", port)
        assert answer == encode_answer(TRANSACTION, *own)
        connection = await alice.swarm.dial_address(it.address("ws"))
        identified = asyncio.Event()
        alice.swarm.subscribe(lambda _: identified.set())
        while stun_port(alice.swarm.address_book.protocols(connection.remote_peer)) is None:
            await identified.wait()
            identified.clear()
        assert stun_port(alice.swarm.address_book.protocols(connection.remote_peer)) == port
        assert await it.figure("darkswap_relay_stun_answered") == 1


@pytest.mark.native
async def test_a_relay_told_so_answers_no_stun() -> None:
    async with relay("--no-identity-file", "--stun", "off") as it:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
            free.bind(("127.0.0.1", it.address("ws").port()))


@pytest.mark.native
async def test_a_port_that_is_taken_is_an_error_where_it_was_asked_for() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(ListenFailed):
            await StunServer().open(["127.0.0.1"], taken.getsockname()[1])


@pytest.mark.parametrize(("given", "port"), [((), 0), (("--stun", "off"), None), (("--stun", "3478"), 3478)])
def test_the_option_names_a_port_or_none(given: tuple[str, ...], port: int | None):
    assert parse_options(given).stun == port


@pytest.mark.parametrize("given", ["0", "65536", "on", "-1"])
def test_another_option_is_refused(given: str):
    with pytest.raises(SystemExit):
        parse_options(("--stun", given))
