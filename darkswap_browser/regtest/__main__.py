"""`python -m darkswap_browser.regtest`: the same as the console script `darkswap-regtest`."""

from __future__ import annotations

import sys

from darkswap_browser.regtest.command import main

if __name__ == "__main__":
    sys.exit(main())
