"""`build.py interop`: our nodes beside those of other implementations, with those that toolchains of this machine make.

js-libp2p and py-libp2p come with the ordinary tests; go-libp2p needs Go, and is left out by name where there is none.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence

from tests.interop.toolchains import GO_PEER, build_go

TESTS = ("tests/interop/test_native_nodes.py", "tests/interop/test_relays.py", "tests/browser/test_webrtc_direct.py")


def main(arguments: Sequence[str]) -> int:
    """Exit status of the tests; 1 where a peer does not compile."""
    assert __doc__ is not None
    parser = argparse.ArgumentParser("build.py interop", description=__doc__, epilog="Further arguments go to pytest.")
    _, rest = parser.parse_known_args(arguments)
    try:
        go = build_go()
    except subprocess.CalledProcessError:
        print("The go-libp2p peer of tests/interop/go does not compile: see above.", file=sys.stderr)
        return 1
    if go is None:
        print("go-libp2p is left out: there is no Go here (https://go.dev/dl).", flush=True)
    else:
        os.environ[GO_PEER] = str(go)
    return subprocess.run([sys.executable, "-m", "pytest", "-v", *TESTS, *rest]).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
