"""`build.py serve`: a relay and the page that knows it, until Ctrl-C."""

from __future__ import annotations

import argparse
import errno
import json
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from web.build.dist import DIST
from web.build.server import Site, WebServer
from web.build.wheels import ROOT

IDENTITY = ROOT / ".cache" / "relay-identity"
LOG = ROOT / ".cache" / "relay.log"
# What a relay gets to finish after it was told to end, before it is ended; seconds.
PATIENCE = 5.0


class Refused(Exception):
    """Serving cannot begin; says in one sentence what to do."""


def free(port: int, option: str) -> None:
    """Refuses with a sentence when someone listens on the port already."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            why = "is taken" if error.errno == errno.EADDRINUSE else f"cannot be used ({error.strerror})"
            raise Refused(f"Port {port} {why}: choose another with {option} PORT.") from error


class Relay:
    """Our relay as a process beside the web server."""

    def __init__(self, port: int, arguments: Sequence[str]) -> None:
        command = [sys.executable, "-m", "darkswap_browser.app.relay_server", "--identity", str(IDENTITY)]
        command += ["--listen", f"/ip4/127.0.0.1/tcp/{port}/ws", "--admin", "off", *arguments]
        LOG.parent.mkdir(exist_ok=True)
        with LOG.open("wb") as log:
            self._process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=log)

    def addresses(self) -> list[str]:
        """Waits until it listens. Each address ends with the relay's peer id."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith(b"{") and (said := json.loads(line)).get("event") == "ready":
                return [str(address) for address in said["addresses"]]
        code = self._process.wait()
        raise Refused(f"The relay did not start (exit code {code}): read why in {LOG.relative_to(ROOT)}.")

    def wait(self) -> int:
        return self._process.wait()

    def stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def run(options: argparse.Namespace, relay_arguments: Sequence[str]) -> int:
    free(options.port, "--port")
    if options.relay_port:
        free(options.relay_port, "--relay-port")
    relay = Relay(options.relay_port, relay_arguments)
    try:
        addresses = relay.addresses()
        site = Site({"/": options.folder})
        site.configure({"relays": [*addresses, *options.relay], "network": {}})
        server = WebServer(site, options.port)
        print(f"Relay  {addresses[0]}", flush=True)
        print(f"Page   {server.url.replace('127.0.0.1', 'localhost')}/   (Ctrl-C ends both)", flush=True)
        try:
            code = relay.wait()
            raise Refused(f"The relay ended (exit code {code}): read why in {LOG.relative_to(ROOT)}.")
        finally:
            server.close()
    finally:
        relay.stop()


def _end(*_: object) -> None:
    raise KeyboardInterrupt


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="build.py serve", description=__doc__, epilog="What follows -- goes to the relay; `-- --help` lists it."
    )
    parser.add_argument("--port", type=int, default=8000, help="of the page; 0 takes a free one (default 8000)")
    parser.add_argument("--relay-port", type=int, default=9095, help="of the relay; 0 takes a free one (default 9095)")
    parser.add_argument("--relay", action="append", default=[], metavar="MULTIADDR", help="one more relay for the page")
    parser.add_argument("--folder", type=Path, default=DIST, help="what is served (default dist/)")
    own = list(arguments)
    rest = own[own.index("--") + 1 :] if "--" in own else []
    options = parser.parse_args(own[: len(own) - len(rest) - ("--" in own)])
    signal.signal(signal.SIGTERM, _end)
    try:
        return run(options, rest)
    except Refused as refusal:
        print(refusal, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)
        return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
