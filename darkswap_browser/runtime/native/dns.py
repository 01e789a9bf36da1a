"""TXT records from the system's resolver: what `/dnsaddr` needs and asyncio's `getaddrinfo` cannot ask for.

Over UDP, one server after the other; an answer that does not fit is an error.
"""

from __future__ import annotations

import asyncio
import ipaddress
import secrets
from pathlib import Path
from typing import cast

from darkswap_browser.errors import ConnectionLost, MalformedMessage
from darkswap_browser.runtime.base.dns import parse_txt, txt_question

RESOLV_CONF = Path("/etc/resolv.conf")
QUERY_SECONDS = 3.0


async def lookup_txt(name: str, servers: tuple[str, ...] = ()) -> tuple[str, ...]:
    """The texts of a name's TXT records, the strings of each joined.

    Args:
        servers: "IP" or "IP:port" of resolvers to ask; those of the system where there are none.
    Raises:
        InvalidArgument: The name cannot be one.
        ConnectionLost: No resolver gave an answer that can be read.

    Cancellation: Safe.
    """
    question = txt_question(name, secrets.randbits(16))
    reason = "no resolver is named in /etc/resolv.conf"
    for server in servers or _system_servers():
        try:
            async with asyncio.timeout(QUERY_SECONDS):
                return parse_txt(await _ask(server, question), question)
        except TimeoutError:
            reason = f"{server} did not answer"
        except (OSError, MalformedMessage) as error:
            reason = f"{server}: {error}"
    raise ConnectionLost(f"looking up {name}", reason)


def _system_servers() -> tuple[str, ...]:
    try:
        lines = RESOLV_CONF.read_text().splitlines()
    except OSError:
        return ()
    words = [line.split() for line in lines]
    return tuple(each[1] for each in words if len(each) > 1 and each[0] == "nameserver")[:3]


async def _ask(server: str, question: bytes) -> bytes:
    host, port = _endpoint(server)
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[bytes] = loop.create_future()
    transport, _ = await loop.create_datagram_endpoint(lambda: _Asking(question, answer), remote_addr=(host, port))
    try:
        return await answer
    finally:
        transport.close()


def _endpoint(server: str) -> tuple[str, int]:
    try:
        return str(ipaddress.ip_address(server.partition("%")[0])), 53
    except ValueError:
        host, _, port = server.rpartition(":")
        return host, int(port)


class _Asking(asyncio.DatagramProtocol):
    """Sends the question and takes the first datagram that answers it."""

    def __init__(self, question: bytes, answer: asyncio.Future[bytes]) -> None:
        self._question = question
        self._answer = answer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast(asyncio.DatagramTransport, transport).sendto(self._question)

    def datagram_received(self, data: bytes, addr: object) -> None:
        if data[:2] == self._question[:2] and not self._answer.done():
            self._answer.set_result(data)

    def error_received(self, exc: Exception) -> None:
        if not self._answer.done():
            self._answer.set_exception(exc)
