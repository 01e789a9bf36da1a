"""`darkswap-relay` as a process, with more sockets than it can take, of one address and of many."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from tests.relayd.test_main import Process, relay
from tests.support.certificate import self_signed
from tests.support.native_nodes import native_node

pytestmark = pytest.mark.native

UPGRADE = (
    "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\nSec-WebSocket-Version: 13\r\nX-Forwarded-For: {}\r\n\r\n"
)
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def socket_to(it: Process, name: str, first: bytes) -> Streams:
    reader, writer = await asyncio.open_connection("127.0.0.1", it.address(name).port())
    writer.write(first)
    return reader, writer


async def upgraded(it: Process, ip: str) -> tuple[str, Streams]:
    """The status of an upgrade that a proxy in front says comes from `ip`."""
    streams = await socket_to(it, "ws", UPGRADE.format(ip).encode())
    try:
        async with asyncio.timeout(10):
            head = await streams[0].readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return "cut", streams
    return head.split(b" ")[1].decode(), streams


def close_all(links: list[Streams]) -> None:
    for _, writer in links:
        writer.transport.abort()


async def test_clients_behind_a_trusted_proxy_are_counted_each_by_its_own_address() -> None:
    options = ("--no-identity-file", "--trusted-proxy", "127.0.0.1", "--connections-per-ip", "20")
    async with relay(*options) as it:
        answers = [await upgraded(it, "1.2.3.4, 203.0.113.1") for _ in range(25)]
        assert [status for status, _ in answers] == ["101"] * 20 + ["503"] * 5
        other, streams = await upgraded(it, "203.0.113.2")
        assert other == "101"
        close_all([streams, *(each for _, each in answers)])


async def test_header_of_a_proxy_that_is_not_trusted_means_nothing() -> None:
    async with relay("--no-identity-file", "--connections-per-ip", "1") as it:
        answers = [await upgraded(it, "203.0.113.1") for _ in range(3)]
        assert [status for status, _ in answers] == ["101"] * 3
        close_all([each for _, each in answers])
        warnings = [line["event"] for line in await it.end() if line["level"] == "warning"]
        assert len(warnings) == 1 and "--trusted-proxy" in str(warnings[0])


async def test_proxy_protocol_names_clients_of_tcp_and_of_websockets() -> None:
    options = ("--no-identity-file", "--listen", "/ip4/127.0.0.1/tcp/0", "--trusted-proxy", "127.0.0.0/8")
    async with relay(*options, "--connections-per-ip", "2") as it:
        tcp = next(each for each in it.addresses if not each.has("ws"))
        links: list[Streams] = []
        for ip in ("192.0.2.1", "192.0.2.1", "192.0.2.1", "192.0.2.2"):
            reader, writer = await asyncio.open_connection("127.0.0.1", tcp.port())
            links.append((reader, writer))
            writer.write(f"PROXY TCP4 {ip} 10.0.0.1 5000 443\r\n".encode() + b"\x13/multistream/1.0.0\n")
        answers = [await reader.read(20) for reader, _ in links]
        assert [bool(answer) for answer in answers] == [True, True, False, True]
        plain_reader, plain_writer = await asyncio.open_connection("127.0.0.1", tcp.port())
        plain_writer.write(b"\x13/multistream/1.0.0\n")
        assert (await plain_reader.read(20)).startswith(b"\x13/multistream")
        streams = await socket_to(it, "ws", b"PROXY TCP4 192.0.2.1 10.0.0.1 5000 443\r\n")
        assert await streams[0].read() == b"", "the same client by another way"
        close_all([*links, (plain_reader, plain_writer), streams])


async def test_links_of_a_proxy_that_say_nothing_or_half_a_header_give_their_places_back() -> None:
    async with relay("--no-identity-file", "--trusted-proxy", "127.0.0.1") as it:
        links = [await socket_to(it, "ws", first) for first in (b"", b"PROXY TCP4 192.0", b"PROXY nonsense\r\n", b"G")]
        assert await links[2][0].read() == b""
        assert await it.figure("darkswap_relay_open_sockets") == 3
        for _, writer in links[:2]:
            writer.write_eof()
        assert [await reader.read() for reader, _ in links[:2]] == [b"", b""]
        close_all(links)
        async with native_node() as honest:
            await honest.client.reserve(honest.client.add_relay(it.address("ws")))
        assert await it.figure("darkswap_relay_open_sockets") <= 1


async def test_reservations_are_counted_by_the_client_that_the_proxy_names() -> None:
    options = ("--no-identity-file", "--listen", "/ip4/127.0.0.1/tcp/0", "--trusted-proxy", "127.0.0.1")
    async with relay(*options, "--connections-per-ip", "30") as it, native_node() as honest:
        crowd = [await upgraded(it, "203.0.113.1") for _ in range(40)]
        assert await honest.client.reserve(honest.client.add_relay(it.address("ws")))
        close_all([each for _, each in crowd])


async def test_crowd_of_silent_sockets_of_one_address_keeps_nobody_out() -> None:
    async with relay("--no-identity-file", "--trusted-proxy", "127.0.0.1", "--connections", "400") as it:
        crowd = await asyncio.gather(*(upgraded(it, "203.0.113.1") for _ in range(600)))
        served = 0
        for _ in range(10):
            async with native_node() as honest:
                await honest.client.reserve(honest.client.add_relay(it.address("ws")))
                served += 1
        assert served == 10
        assert await it.figure("darkswap_relay_open_sockets") < 60
        close_all([each for _, each in crowd])


async def test_few_descriptors_are_enough_for_those_who_came_and_for_a_short_log() -> None:
    async with relay("--no-identity-file", descriptors=256) as it, native_node() as honest:
        await honest.client.reserve(honest.client.add_relay(it.address("ws")))
        crowd: list[Streams] = []
        for _ in range(400):
            crowd.append(await socket_to(it, "ws", b""))
        assert await it.figure("darkswap_relay_open_sockets") <= 106
        await honest.ping.ping(honest.client.relays[0])
        close_all(crowd)
        log = await it.end()
        assert len(log) < 30


async def test_half_open_tls_costs_little_memory(tmp_path: Path) -> None:
    certificate = self_signed(tmp_path)
    tls = ("--tls-cert", certificate.chain, "--tls-key", certificate.key, "--listen", "/ip4/127.0.0.1/tcp/0/wss")
    async with relay("--no-identity-file", *tls) as it:
        before = resident(it)
        crowd = [await socket_to(it, "wss", b"\x16\x03\x01\x02\x00\x01") for _ in range(200)]
        await asyncio.sleep(0.5)
        grown = resident(it) - before
        close_all(crowd)
    assert grown / len(crowd) < 150_000


def resident(it: Process) -> int:
    """Bytes."""
    return int(Path(f"/proc/{it.process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
