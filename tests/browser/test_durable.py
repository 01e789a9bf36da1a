"""Durable messages in a page: they are in IndexedDB, and outlive a reload."""

from __future__ import annotations

import pytest

from tests.browser.face import OpenPage
from tests.browser.tabs import HELPERS, OPEN
from tests.interop.processes import our_relay
from tests.support.chrome import Chrome
from web.build.server import WebServer

pytestmark = pytest.mark.takes(30)

SEND = """for (const number of args[1]) {
  await node.send_webrtc_message(args[0], new Uint8Array([number]), { durable: true });
}"""
TAKEN = "return got.map(([, data]) => data[0])"


def test_durable_messages_outlive_a_reload_of_their_sender(chrome: Chrome, site: WebServer) -> None:
    with our_relay() as address:
        network = {"network": {"relays": [address], "direct": False}}

        def begin(page: OpenPage) -> str:
            page.run(HELPERS)
            found = str(page.run(OPEN, network, timeout=60)["id"])
            page.run("await node.make_webrtc_relay_reservation(args[0])", address)
            return found

        sender = OpenPage(chrome.new_page(site.url).open("/blank.html"))
        other = OpenPage(chrome.new_page(site.url).open("/blank.html"))
        begin(sender)
        peer = begin(other)
        sender.run("await node.create_webrtc_data_channel(args[0])", peer, timeout=30)
        # It takes the first and no other until its callback is done, which it never is.
        other.run("node.on_webrtc_message(() => new Promise(() => {}))")
        sender.run(SEND, peer, [1, 2, 3])
        other.run("await until(() => got.length === 1)")
        beside = chrome.new_page(site.url, share_with=other.page)  # keeps the profile
        other.page.crash()
        sender.run('await until(() => events.some(({ state }) => state === "reconnecting"))')
        sender.run(SEND, peer, [4, 5])
        sender.page.driver.refresh()
        begin(sender)
        sender.run('await until(() => events.some(({ type }) => type === "message:undelivered"))')
        told = "return events.filter(({ type }) => type === 'message:undelivered').map(({ count }) => count)"
        assert sender.run(told) in ([3], [2])  # the first may have been acknowledged
        again = OpenPage(beside.open("/blank.html"))
        assert begin(again) == peer
        again.run("await until(() => got.length === 2)", timeout=30)
        assert again.run(TAKEN) == [4, 5]
        for page in (sender, again):
            page.page.close()
