"""`darkswap-relay` as a process: peers over ws and tcp, figures, health, identity, the end."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import stat
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from darkswap_browser.errors import ListenFailed
from darkswap_browser.identity.multiaddr import Multiaddr
from darkswap_browser.net.connection import CircuitLimit
from darkswap_browser.relayd.options import parse_options
from darkswap_browser.version import VERSION
from tests.support.certificate import self_signed
from tests.support.native_nodes import NativeNode, native_node

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Process:
    process: asyncio.subprocess.Process
    peer_id: str
    addresses: list[Multiaddr]
    admin: str

    def address(self, name: str) -> Multiaddr:
        return next(each for each in self.addresses if each.has(name))

    async def get(self, path: str) -> tuple[int, str]:
        return await asyncio.to_thread(_get, self.admin + path)

    async def figure(self, name: str) -> float:
        _, text = await self.get("/metrics")
        return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(name))

    async def end(self) -> list[dict[str, object]]:
        """SIGTERM; returns the log."""
        self.process.send_signal(signal.SIGTERM)
        _, errors = await self.process.communicate()
        return [json.loads(line) for line in errors.splitlines()]


def _get(url: str) -> tuple[int, str]:
    try:
        with urlopen(Request(url), timeout=10) as answer:
            return answer.status, answer.read().decode()
    except OSError as error:
        status = getattr(error, "code", None)
        if status is None:
            raise
        return int(status), error.read().decode()  # type: ignore[attr-defined]


@asynccontextmanager
async def relay(*arguments: str, descriptors: int | None = None) -> AsyncIterator[Process]:
    """`descriptors`: how many files it may have open."""
    limit = () if descriptors is None else ("prlimit", f"--nofile={descriptors}:{descriptors}")
    process = await asyncio.create_subprocess_exec(
        *limit,
        sys.executable,
        *("-m", "darkswap_browser.relayd", "--admin", "127.0.0.1:0", "--verbose"),
        *("--listen", "/ip4/127.0.0.1/tcp/0/ws", *arguments),
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        ready = json.loads(await process.stdout.readline())
        assert ready["event"] == "ready"
        addresses = [Multiaddr.parse(each) for each in ready["addresses"]]
        yield Process(process, ready["peer_id"], addresses, ready["admin"])
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def until(node: NativeNode, holds: Callable[[], bool]) -> None:
    """Looks again at each event of the swarm."""
    happened = asyncio.Event()
    unsubscribe = node.swarm.subscribe(lambda _: happened.set())
    while not holds():
        await happened.wait()
        happened.clear()
    unsubscribe()


@pytest.mark.native
async def test_peers_meet_through_it_over_ws_and_tcp_and_the_figures_tell() -> None:
    async with relay("--no-identity-file", "--listen", "/ip4/127.0.0.1/tcp/0") as it:
        async with native_node() as alice, native_node() as bob:
            tcp = next(each for each in it.addresses if each.is_tcp)
            assert str(tcp.peer_id()) == it.peer_id
            reservation = await bob.client.reserve(bob.client.add_relay(tcp))
            assert reservation.limit == CircuitLimit(900, 32 * 1024 * 1024)
            assert reservation.voucher
            alice.client.add_relay(it.address("ws"))
            through_ws = it.address("ws").encapsulate(f"/p2p-circuit/p2p/{bob.peer}")
            connection = await alice.swarm.dial(bob.peer, [through_ws])
            assert connection.transport == "circuit"
            assert await alice.echoes(connection, os.urandom(300_000))
            assert await alice.ping.ping(connection) < 5
            assert await it.figure("darkswap_relay_reservations_held") == 1
            assert await it.figure("darkswap_relay_circuits_running") == 1
            assert await it.figure("libp2p_relaysvc_data_transferred_bytes_total") > 600_000
            assert await it.figure('libp2p_relaysvc_reservations_total{type="opened"}') == 1
            assert await it.figure('darkswap_relay_bytes_total{direction="received"}') > 600_000
            assert await it.figure("darkswap_relay_open_sockets") == 2
            assert await it.figure("darkswap_relay_handshake_seconds_count") == 2
        log = await it.end()
        assert it.process.returncode == 0
        assert {"started", "reservation", "circuit", "circuit-closed", "stopped"} <= {line["event"] for line in log}
        assert "127.0.0.1" not in json.dumps(log)


@pytest.mark.native
async def test_health_readiness_and_a_browser_on_the_relay_port() -> None:
    async with relay("--no-identity-file") as it:
        assert (await it.get("/healthz"))[0] == 200
        assert await it.get("/readyz") == (200, "ready\n")
        status, text = await it.get("/nothing")
        assert (status, "/metrics" in text) == (404, True)
        assert f'version="{VERSION}"' in (await it.get("/metrics"))[1]
        address = it.address("ws")
        status, text = await asyncio.to_thread(_get, f"http://127.0.0.1:{address.port()}/")
        assert (status, "relay" in text) == (200, True)


@pytest.mark.native
async def test_wss_with_its_own_certificate(tmp_path: Path) -> None:
    certificate = self_signed(tmp_path)
    tls = ("--tls-cert", certificate.chain, "--tls-key", certificate.key)
    listen = ("--listen", "/dns4/localhost/tcp/0/wss")
    async with relay("--no-identity-file", *listen, *tls) as it, native_node(trusted=certificate.chain) as bob:
        address = it.address("wss")
        await bob.client.reserve(bob.client.add_relay(address))
        assert any(each.has("wss") for each in bob.swarm.listen_addresses())


@pytest.mark.native
async def test_the_identity_stays_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "identity.db"
    async with relay("--identity", str(file)) as first:
        peer_id = first.peer_id
        await first.end()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    async with relay("--identity", str(file)) as second:
        assert second.peer_id == peer_id
        await second.end()


@pytest.mark.native
async def test_sigterm_waits_for_a_circuit_and_not_longer_than_it_is_told() -> None:
    async with (
        relay("--no-identity-file", "--drain-seconds", "1.5") as it,
        native_node() as alice,
        native_node() as bob,
    ):
        await bob.client.reserve(bob.client.add_relay(it.address("ws")))
        connection = await alice.swarm.dial(bob.peer, bob.swarm.listen_addresses())
        ending = asyncio.create_task(it.end())
        await asyncio.sleep(0.5)
        assert not connection.is_closed
        assert await alice.echoes(connection, b"still here")
        log = await ending
        assert log[-1]["reason"] == "timeout"
        assert it.process.returncode == 0
        await connection.wait_closed()


@pytest.mark.native
async def test_a_second_signal_does_not_wait() -> None:
    async with relay("--no-identity-file") as it, native_node() as alice, native_node() as bob:
        await bob.client.reserve(bob.client.add_relay(it.address("ws")))
        await alice.swarm.dial(bob.peer, bob.swarm.listen_addresses())
        it.process.send_signal(signal.SIGTERM)
        assert it.process.stderr is not None
        while b"draining" not in await it.process.stderr.readline():
            pass
        log = await it.end()
        assert [line["reason"] for line in log if line["event"] == "stopped"] == ["interrupted"]
        assert it.process.returncode == 0


@pytest.mark.native
async def test_a_client_gets_its_reservation_back_after_the_relay_restarted(tmp_path: Path) -> None:
    file = str(tmp_path / "identity.db")
    async with native_node() as bob:
        async with relay("--identity", file) as it:
            port = it.address("ws").port()
            await bob.client.reserve(bob.client.add_relay(it.address("ws")))
            await it.end()
        relay_id = bob.client.relays[0]
        await until(bob, lambda: bob.client.reservation(relay_id) is None)
        async with relay("--identity", file, "--listen", f"/ip4/127.0.0.1/tcp/{port}/ws"):
            await until(bob, lambda: bob.client.reservation(relay_id) is not None)


@pytest.mark.native
async def test_sockets_above_the_limit_are_turned_away() -> None:
    async with relay("--no-identity-file", "--connections", "1") as it, native_node() as alice, native_node() as bob:
        await alice.swarm.dial_address(it.address("ws"))
        with pytest.raises(Exception, match=r"lost|hung up|failed"):
            await bob.swarm.dial_address(it.address("ws"))
        assert await it.figure("darkswap_relay_refused_sockets_total") == 1


@pytest.mark.native
async def test_a_port_that_is_taken_is_one_sentence_and_exit_status_1() -> None:
    async with relay("--no-identity-file") as it:
        port = it.address("ws").port()
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "darkswap_browser.relayd", "--no-identity-file", "--admin", "off"),
            *("--listen", f"/ip4/127.0.0.1/tcp/{port}/ws"),
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stderr=asyncio.subprocess.PIPE,
        )
        _, errors = await process.communicate()
        assert process.returncode == 1
        assert f"darkswap-relay: cannot listen on 127.0.0.1 port {port}: " in errors.decode()
        assert errors.decode().endswith(f"{ListenFailed.hint}\n")
        assert b"Traceback" not in errors


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--listen", "nonsense"], "multiaddr"),
        (["--listen", "/ip4/0.0.0.0/tcp/443/wss"], "--tls-cert"),
        (["--tls-cert", "x.pem"], "--tls-key"),
        (["--circuit-data", "-1"], "negative"),
        (["--reservations", "0"], "at least 1"),
        (["--admin", "9096"], "HOST:PORT"),
        (["--preset", "huge"], "default"),
        (["--drain-seconds", "-1"], "'-1' is no number of seconds"),
        (["--drain-seconds", "nan"], "'nan' is no number of seconds"),
        (["--drain-seconds", "inf"], "'inf' is no number of seconds"),
        (["--drain-seconds", "soon"], "'soon' is no number of seconds"),
    ],
)
def test_a_wrong_option_is_named(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        parse_options(arguments)
    assert caught.value.code == 2
    assert said in capsys.readouterr().err


def test_options_and_presets_become_limits() -> None:
    small = parse_options(["--preset", "small", "--reservations", "7"]).limits
    assert (small.reservations, small.circuit_duration, small.circuit_data) == (7, 120, 128 * 1024)
    assert parse_options(["--circuit-duration", "0", "--circuit-data", "0"]).limits.circuit_limit is None
    assert parse_options(["--admin", "[::1]:9"]).admin == ("::1", 9)
    assert parse_options(["--admin", "off"]).admin is None


def test_help_teaches(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse_options(["--help"])
    text = capsys.readouterr().out
    assert "examples:" in text
    assert "--announce" in text
    assert "/dns4/relay.example/tcp/443/wss" in text


def test_the_version_is_that_of_the_wheel() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    assert f'version = "{VERSION}"' in text
