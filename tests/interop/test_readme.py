"""The README's Python, run as it stands but for the relay's address."""

from __future__ import annotations

import re
import subprocess
import sys

from tests.interop.processes import ROOT, our_relay
from tests.support.readme import blocks


def test_the_python_of_the_readme_carries_a_message() -> None:
    (code,) = blocks("python")
    with our_relay() as relay:
        code, changed = re.subn(r'"/ip4/[^"]*"', f'"{relay}"', code)
        assert changed == 1
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
        )
    assert (done.stdout, done.returncode) == ("b'hello'\n", 0), done.stderr
