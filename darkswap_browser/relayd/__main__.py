"""`python -m darkswap_browser.relayd`: the same as the console script `darkswap-relay`."""

from __future__ import annotations

import sys

from darkswap_browser.relayd.main import main

if __name__ == "__main__":
    sys.exit(main())
