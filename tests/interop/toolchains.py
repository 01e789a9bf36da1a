"""Peers that are compiled with the machine's own toolchains, once for each version of their sources and lock files."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

from platformdirs import user_cache_path

GO_SOURCE = Path(__file__).with_name("go")
GO_PEER = "DARKSWAP_GO_PEER"
"""Environment variable: the go-libp2p peer, where `build.py interop` has made it. Without it no test asks for it."""


def go_peer() -> str | None:
    """The program that the tests of this run use."""
    return os.environ.get(GO_PEER)


def build_go() -> Path | None:
    """The go-libp2p peer, compiled if need be; None where there is no Go.

    Raises:
        subprocess.CalledProcessError: It does not compile.
    """
    go = shutil.which("go")
    if go is None:
        return None
    version = subprocess.run([go, "version"], capture_output=True, check=True).stdout
    parts = [version, *(path.read_bytes() for path in sorted(GO_SOURCE.iterdir()) if path.is_file())]
    digest = hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]
    program = user_cache_path("darkswap-browser") / "interop" / digest / "go-peer"
    if not program.exists():
        program.parent.mkdir(parents=True, exist_ok=True)
        command = [go, "build", "-mod=readonly", "-trimpath", "-o", f"{program}.new", "."]
        subprocess.run(command, cwd=GO_SOURCE, check=True, env={**os.environ, "CGO_ENABLED": "0"})
        Path(f"{program}.new").rename(program)
    return program
