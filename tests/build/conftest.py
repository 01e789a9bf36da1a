"""The built `dist/`, as the browser's tests have it."""

from __future__ import annotations

from tests.browser.conftest import built, node

__all__ = ["built", "node"]
