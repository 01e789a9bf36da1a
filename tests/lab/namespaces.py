"""The networks: a public one with the relay and the TURN server, three routers behind it, and the two clients.

    a eth0 ~cable~ router a (NAT) --+
    a eth1 ------- router m (NAT) --+-- public: relay 10.77.0.10, TURN and STUN 10.77.0.20
    b eth0 ------- router b (NAT) --+
    b eth1 ------- router a             (one local network with a)

Everything lies in network namespaces that are made here and removed again; the machine's own network is not touched.
"""

from __future__ import annotations

import fcntl
import subprocess
import sys
from pathlib import Path
from typing import IO

PREFIX = "darkswap-lab-"
NAMES = ("public", "ra", "rb", "rm", "a", "b")
ROUTERS = {"ra": 101, "rb": 102, "rm": 103}
"""Last number of a router's public address, and third of its local network's."""
RELAY, TURN = "10.77.0.10", "10.77.0.20"
RELAY6, TURN6 = "fd77::10", "fd77::20"
TIMEOUT = 20.0
LOCK = Path("/run/lock/darkswap-lab")
"""Held from `open` until `close`: the names are the machine's, so there is one lab at a time."""

NO_UDP = "meta l4proto udp drop"
ONLY_443 = "meta l4proto udp drop\n tcp dport 443 accept\n tcp sport 443 accept\n meta l4proto tcp drop"
FIREWALL6 = 'iifname "wan" meta nfproto ipv6 meta l4proto { tcp, udp } ct state new drop'


def inside(name: str, *command: str) -> list[str]:
    """The command line that runs `command` in a namespace."""
    return ["ip", "netns", "exec", PREFIX + name, *command]


def run(*command: str, text: str | None = None, must: bool = True) -> str:
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=TIMEOUT)
    if must and done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout


def ip(words: str, name: str, *, must: bool = True) -> None:
    run("ip", "-n", PREFIX + name, *words.split(), must=must)


class Networks:
    """All of them, from `open` until `close`."""

    def __init__(self) -> None:
        self._cable: subprocess.Popen[str] | None = None
        self._lock: IO[str] | None = None

    def open(self) -> None:
        """Waits while another lab of this machine is open."""
        self._lock = LOCK.open("w")
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        self._remove()
        for name in NAMES:
            run("ip", "netns", "add", PREFIX + name)
            ip("link set lo up", name)
            settings = ["net.ipv6.conf.all.accept_dad=0", "net.ipv6.conf.default.accept_dad=0"]
            settings += (
                ["net.ipv6.conf.all.accept_ra=0"]
                if name in ("a", "b")
                else ["net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1"]
            )
            run(*inside(name, "sysctl", "-qw", *settings))
        self._public()
        for router, number in ROUTERS.items():
            self._router(router, number)
        for client, port, router, end in (
            ("a", "eth1", "rm", "l0"),
            ("b", "eth0", "rb", "l0"),
            ("b", "eth1", "ra", "l1"),
        ):
            ip(f"link add {port} netns {PREFIX}{client} type veth peer name {end} netns {PREFIX}{router}", client)
            ip(f"link set {end} master lan up", router)
        self._cable = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("cable.py")), PREFIX + "a", "eth0", PREFIX + "ra", "l0"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._cable.stdout is not None
        self._cable.stdout.readline()
        ip("link set l0 master lan up", "ra")
        self.home()
        for router in ROUTERS:
            self.nat(router, "restricted")

    def close(self) -> None:
        """Idempotent."""
        if self._lock is None:
            return
        if self._cable is not None:
            assert self._cable.stdin is not None
            self._cable.stdin.close()
            self._cable.wait(TIMEOUT)
            self._cable = None
        self._remove()
        self._lock.close()
        self._lock = None

    def _remove(self) -> None:
        """Also what a run that was killed left."""
        for name in NAMES:
            if (Path("/run/netns") / (PREFIX + name)).exists():
                run("ip", "netns", "del", PREFIX + name, must=False)

    def _public(self) -> None:
        ip("link add br0 type bridge", "public")
        for address in ("10.77.0.1/24", f"{RELAY}/24", f"{TURN}/24", "10.77.0.21/24"):
            ip(f"addr add {address} dev br0", "public")
        for address in ("fd77::1/64", f"{RELAY6}/64", f"{TURN6}/64"):
            ip(f"-6 addr add {address} dev br0 nodad", "public")
        ip("link set br0 up", "public")

    def _router(self, router: str, number: int) -> None:
        ip(f"link add p-{router} netns {PREFIX}public type veth peer name wan netns {PREFIX}{router}", "public")
        ip(f"link set p-{router} master br0 up", "public")
        ip(f"addr add 10.77.0.{number}/24 dev wan", router)
        ip(f"-6 addr add fd77::{number}/64 dev wan nodad", router)
        ip("link set wan up", router)
        ip("link add lan type bridge", router)
        ip(f"addr add 192.168.{number}.1/24 dev lan", router)
        ip(f"-6 addr add fd00:{number}::1/64 dev lan nodad", router)
        ip("link set lan up", router)
        ip("route add default via 10.77.0.1", router)
        ip("-6 route add default via fd77::1", router)
        ip(f"route add 192.168.{number}.0/24 via 10.77.0.{number}", "public")
        ip(f"-6 route add fd00:{number}::/64 via fd77::{number}", "public")

    # --- the cable of a

    def cable(self, *, delay: float = 0, loss: float = 0, rate: float = 0, cut: bool = False) -> None:
        """Seconds each way, share of frames, bytes a second each way (0: unlimited)."""
        assert self._cable is not None and self._cable.stdin is not None
        self._cable.stdin.write(f"delay={delay} loss={loss} rate={rate} cut={int(cut)}\n")
        self._cable.stdin.flush()

    # --- where the clients are

    def home(self, *, v4: bool = True, v6: bool = False) -> None:
        """Each behind its own router."""
        for client, number in (("a", 101), ("b", 102)):
            self._attach(client, "eth0", f"192.168.{number}.2", number, v4=v4, v6=v6)

    def mobile(self) -> None:
        """a changes to another router, and so has another address."""
        self._attach("a", "eth1", "192.168.103.2", 103)

    def one_lan(self) -> None:
        self._attach("b", "eth1", "192.168.101.3", 101)

    def unplug(self) -> None:
        ip("link set eth0 down", "a")

    def renumber(self, number: int) -> None:
        """a's router gets another public address, and nobody tells a."""
        other = 111 if number == 101 else 101
        ip(f"addr del 10.77.0.{other}/24 dev wan", "ra", must=False)
        ip(f"addr replace 10.77.0.{number}/24 dev wan", "ra")
        ip("route replace default via 10.77.0.1", "ra")

    def _attach(self, client: str, port: str, address: str, number: int, *, v4: bool = True, v6: bool = False) -> None:
        other = "eth1" if port == "eth0" else "eth0"
        ip(f"link set {other} down", client)
        for device in (other, port):
            ip(f"addr flush dev {device}", client)
        ip(f"link set {port} up", client)
        if v4:
            ip(f"addr add {address}/24 dev {port}", client)
            ip(f"route replace default via 192.168.{number}.1", client)
        if v6:
            ip(f"-6 addr add fd00:{number}::2/64 dev {port} nodad", client)
            ip(f"-6 route replace default via fd00:{number}::1", client)

    # --- routers

    def nat(self, router: str, kind: str, forward: str = "") -> None:
        """`kind`: none, cone (anybody may answer), restricted (who was written to), symmetric (a port for each).
        `forward`: rules of nftables for what passes through."""
        number = ROUTERS[router]
        rules = ["flush ruleset"]
        if kind != "none":
            rules.append(
                "table ip hidden {\n chain pre {\n type filter hook prerouting priority -300;\n"
                ' iifname "wan" ip daddr 192.168.0.0/16 drop\n }\n}'
            )
            enters = f'iifname "wan" udp dport 1024-65535 dnat to 192.168.{number}.2' if kind == "cone" else ""
            leaves = "masquerade fully-random" if kind == "symmetric" else "masquerade"
            rules.append(
                f"table ip nat {{\n chain pre {{\n type nat hook prerouting priority -100;\n {enters}\n }}\n"
                f' chain post {{\n type nat hook postrouting priority 100;\n oifname "wan" {leaves}\n }}\n}}'
            )
        guard = "" if kind == "none" else 'iifname "wan" ct state new drop'
        rules.append(
            f"table inet guard {{\n chain inp {{\n type filter hook input priority 0;\n {guard}\n }}\n"
            f" chain forw {{\n type filter hook forward priority 0;\n {forward}\n }}\n}}"
        )
        run(*inside(router, "nft", "-f", "-"), text="\n".join(rules) + "\n")

    def multicast(self, *, allowed: bool) -> None:
        """Whether a may use mDNS in its local network."""
        rules = (
            ""
            if allowed
            else "table inet m {\n chain out {\n type filter hook output priority 0;\n udp dport 5353 drop\n }\n"
            " chain inp {\n type filter hook input priority 0;\n udp dport 5353 drop\n }\n}\n"
        )
        run(*inside("a", "nft", "-f", "-"), text="flush ruleset\n" + rules)
