"""`python -m darkswap_browser.cli`: the same as the console script `darkswap`."""

from __future__ import annotations

import sys

from darkswap_browser.cli.command import main

if __name__ == "__main__":
    sys.exit(main())
