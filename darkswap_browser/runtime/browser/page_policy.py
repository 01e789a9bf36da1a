"""Which requests the page's Content-Security-Policy forbids: browsers tell it beside the failure, in an event."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import js

from darkswap_browser.runtime.browser.ffi import Handlers


def forbidden_origin(js_event: Any, url: str) -> str | None:
    """The origin of `url` where a `securitypolicyviolation` is about it. The blocked address comes whole or as its
    origin, depending on the browser.
    """
    blocked = str(js_event.blockedURI).rstrip("/")
    if js_event.disposition != "enforce" or not blocked or not (url.rstrip("/") + "/").startswith(blocked + "/"):
        return None
    return "/".join(url.split("/")[:3])


def watch_policy(told: Callable[[Any], None]) -> Handlers:
    """Every violation from now on, until `destroy`."""
    return Handlers(getattr(js, "document", None) or js.globalThis, {"securitypolicyviolation": told})
