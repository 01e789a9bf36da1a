"""The lab: networks, relay, TURN server and two clients, and what a row of its tables is made from."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.lab.namespaces import RELAY, RELAY6, TURN, TURN6, Networks, inside

ROOT = Path(__file__).resolve().parents[2]
OUT = ROOT / "artifacts" / "lab"
STUN_SERVER: dict[str, Any] = {"urls": f"stun:{TURN}:3478"}
TURN_SERVER: dict[str, Any] = {
    "urls": [f"turn:{TURN}:3478?transport=udp", f"turn:{TURN}:3478?transport=tcp", f"turn:{TURN}:443?transport=tcp"],
    "username": "u",
    "credential": "p",
}
ICE: dict[str, list[dict[str, Any]]] = {"none": [], "STUN": [STUN_SERVER], "TURN": [STUN_SERVER, TURN_SERVER]}

STATION = "const station = globalThis.stations[args[0]];\n"


class ClientFailed(Exception):
    """A script of a client failed, or the client ended."""


class ClientProcess:
    """`client.py` in a namespace."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._log = (OUT / f"client-{name}.log").open("a")
        self._process = subprocess.Popen(
            inside(name, sys.executable, "-m", "tests.lab.client"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            cwd=ROOT,
        )
        self._take()

    def ask(self, op: str, **more: object) -> Any:
        self.begin(op, **more)
        return self._take()

    def begin(self, op: str, **more: object) -> None:
        """As `ask`, whose answer `finish` returns."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"op": op, **more}) + "\n")
        self._process.stdin.flush()

    def finish(self) -> Any:
        return self._take()

    def run(self, station: int, script: str, *args: object, timeout: float = 30.0, tab: str = "main") -> Any:
        """An async function body with `station` in it; its arguments begin at `args[1]`."""
        return self.ask("js", tab=tab, script=STATION + script, args=[station, *args], timeout=timeout)

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()

    def _take(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise ClientFailed(f"client {self.name} ended; see {self._log.name}")
        answer = json.loads(line)
        if "error" in answer:
            raise ClientFailed(f"{self.name}: {answer['error']}")
        return answer["value"]


class RelayProcess:
    """Our relay in the public network; it keeps its identity when it is started again."""

    def __init__(self, *options: str) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="darkswap-lab-relay-"))
        self._options = options
        self._process: subprocess.Popen[str] | None = None
        self.start()

    @property
    def runs(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        if self.runs:
            return
        where = [f"/ip4/{RELAY}/tcp/9095/ws", f"/ip4/{RELAY}/tcp/443/ws", f"/ip6/{RELAY6}/tcp/9095/ws"]
        command = [sys.executable, "-m", "darkswap_browser.relayd", "--identity", str(self._folder / "id")]
        command += ["--admin", "off", *(word for each in where for word in ("--listen", each)), *self._options]
        with (OUT / "relay.log").open("a") as log:
            self._process = subprocess.Popen(
                inside("public", *command), stdout=subprocess.PIPE, stderr=log, text=True, cwd=ROOT
            )
        assert self._process.stdout is not None
        peer = json.loads(self._process.stdout.readline())["peer_id"]
        self.address, self.on_443, self.on_ipv6 = (f"{each}/p2p/{peer}" for each in where)

    def kill(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()

    def close(self) -> None:
        self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)


class Lab:
    """Open from entering until leaving it."""

    def __init__(self) -> None:
        OUT.mkdir(parents=True, exist_ok=True)
        self.networks = Networks()

    def __enter__(self) -> Lab:
        self._open: list[Any] = [self.networks]
        try:
            self.networks.open()
            self._turn = self._start_turn()
            self.relay = RelayProcess("--verbose", "--reservations-per-ip", "200")
            self._open.append(self.relay)
            self.clients: list[ClientProcess] = []
            for name in ("a", "b"):
                self.clients.append(ClientProcess(name))
                self._open.append(self.clients[-1])
            self.fresh()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for each in reversed(self._open[1:]):
            each.close()
        if hasattr(self, "_turn"):
            self._turn.terminate()
            self._turn.wait(10)
        self.networks.close()

    def fresh(self) -> None:
        """New pages in both browsers."""
        for client in self.clients:
            client.begin("fresh")
        for client in self.clients:
            client.finish()

    def reset(self) -> None:
        """Networks and relay as at the beginning."""
        self.networks.cable()
        self.networks.home()
        self.networks.renumber(101)
        self.networks.multicast(allowed=True)
        for router in ("ra", "rb", "rm"):
            self.networks.nat(router, "restricted")
        self.relay.start()

    def nodes(
        self, station: int, ice: Sequence[object], *, relay: str | None = None, **network: object
    ) -> tuple[str, str]:
        """A new node at a station of both pages, each with a place at the relay; their peer ids."""
        where = relay or self.relay.address
        config = {"network": {"relays": [where], "ice_servers": ice, **network}}
        peers = []
        for client in self.clients:
            peers.append(client.run(station, "return await station.begin(args[1])", config, timeout=60))
            reserve = "await station.node.make_webrtc_relay_reservation(args[1], { timeout_ms: 15000 })"
            client.run(station, reserve, where, timeout=20)
        return peers[0], peers[1]

    def _start_turn(self) -> subprocess.Popen[bytes]:
        words = ["-n", f"--listening-ip={TURN}", f"--listening-ip={TURN6}", f"--relay-ip={TURN}", f"--relay-ip={TURN6}"]
        words += [f"--aux-server={TURN}:443", "--realm=lab", "--user=u:p", "--lt-cred-mech", "--no-tls", "--no-dtls"]
        words += ["--no-cli", "--pidfile=/dev/null", "--log-file=stdout", "--min-port=50000", "--max-port=51000"]
        with (OUT / "turn.log").open("w") as log:
            return subprocess.Popen(inside("public", "turnserver", *words), stdout=log, stderr=log, cwd=OUT)
