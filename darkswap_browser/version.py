"""The one place in the package that says its version; the same as in pyproject.toml, which a test compares."""

from __future__ import annotations

VERSION = "0.1.0"
AGENT = f"darkswap-browser/{VERSION}"
"""How we call ourselves in identify."""
