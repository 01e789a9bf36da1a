"""Headers against hand-written bytes."""

from __future__ import annotations

import pytest

from darkswap_browser.net.yamux.frames import ACK, DATA, FIN, GO_AWAY, PING, RST, SYN, WINDOW_UPDATE, pack

FRAMES = [
    ((WINDOW_UPDATE, SYN, 1, 0), "000100010000000100000000"),
    ((WINDOW_UPDATE, ACK, 2, 0), "000100020000000200000000"),
    ((PING, SYN, 0, 7), "000200010000000000000007"),
    ((PING, ACK, 0, 7), "000200020000000000000007"),
    ((DATA, FIN, 3, 5), "000000040000000300000005"),
    ((WINDOW_UPDATE, RST, 0x7FFFFFFF, 0), "000100087fffffff00000000"),
    ((GO_AWAY, 0, 0, 1), "000300000000000000000001"),
]


@pytest.mark.parametrize(("fields", "data"), FRAMES, ids=[data for _, data in FRAMES])
def test_header(fields: tuple[int, int, int, int], data: str):
    assert pack(*fields).hex() == data
