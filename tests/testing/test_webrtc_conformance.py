"""Simulated WebRTC under the suite that Chromium's passes too (`tests/browser/test_rtc_conformance.py`)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from darkswap_browser.runtime.base.webrtc import WebRtc
from darkswap_browser.testing.conformance.check_rtc import CHECKS
from darkswap_browser.testing.world import SimulatedWorld
from tests.support.native_identity import CRYPTO


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
async def test_two_hosts(check: Callable[[tuple[WebRtc, WebRtc]], Awaitable[None]], seed: int) -> None:
    world = SimulatedWorld(seed, crypto=CRYPTO)
    await check((world.runtime("one").webrtc, world.runtime("two").webrtc))


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
async def test_one_page(check: Callable[[tuple[WebRtc, WebRtc]], Awaitable[None]]) -> None:
    """Both connections on one host, where nothing takes time."""
    webrtc = SimulatedWorld(0, crypto=CRYPTO).runtime("page").webrtc
    await check((webrtc, webrtc))
