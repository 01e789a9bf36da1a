"""What a peer may send to the page: only well-formed messages get through, and none makes the page throw."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

PAGE = Path(__file__).resolve().parents[2] / "web" / "src" / "page"

_PREAMBLE = """
const folder = new URL(process.argv[1]);
const { decodeMessage, encodeMessage, encodePart, FILE_LIMIT } = await import(new URL("messages.mjs", folder));
const { readTarget, readFragment, shareLink, relayProblem } = await import(new URL("link.mjs", folder));
const say = (value) => process.stdout.write(JSON.stringify(value));
"""
PEER = "12D3KooWHHzSeKaY8xuZVzkLbKFfvNgPPeKhFBGrMbNzbm5akpqu"
RELAY = f"/dns4/relay.example/tcp/443/wss/p2p/{PEER}"


def in_node(node: Path, script: str, *arguments: str) -> Any:
    command = [str(node), "--input-type=module", "--eval", _PREAMBLE + script, "--", PAGE.as_uri() + "/", *arguments]
    return json.loads(subprocess.run(command, check=True, capture_output=True, timeout=60).stdout)


def test_messages_come_back_as_they_were_sent(node: Path) -> None:
    found = in_node(
        node,
        """say([
          decodeMessage(encodeMessage("note", { id: 7, text: "grüß dich 👋" })),
          decodeMessage(encodeMessage("file-begin", { id: 8, name: "a.txt", size: FILE_LIMIT })),
          [...decodeMessage(encodePart(4294967295, new Uint8Array([1, 2, 3]))).part],
        ])""",
    )
    assert found == [
        {"id": 7, "text": "grüß dich 👋", "kind": "note"},
        {"id": 8, "name": "a.txt", "size": 16 * 1024 * 1024, "kind": "file-begin"},
        [1, 2, 3],
    ]


def test_what_breaks_a_rule_is_no_message(node: Path) -> None:
    found = in_node(
        node,
        """const wrong = [
          ["note", { id: 1 }], ["note", { id: 1, text: "x".repeat(65537) }], ["note", { id: -1, text: "" }],
          ["note", { id: 1.5, text: "" }], ["note", { text: "" }], ["note", []], ["note", null], ["note", 5],
          ["file-begin", { id: 1, name: "a", size: FILE_LIMIT + 1 }], ["file-begin", { id: 1, name: "a", size: -1 }],
          ["file-begin", { id: 1, name: "n".repeat(256), size: 1 }], ["file-begin", { id: 1, name: 5, size: 1 }],
          ["file-end", { id: 1, sha256: "00" }], ["file-end", { id: 1 }],
        ];
        say(wrong.map(([kind, fields]) => decodeMessage(encodeMessage(kind, fields))).filter((one) => one !== null))""",
    )
    assert found == []


def test_random_and_damaged_bytes_never_throw(node: Path) -> None:
    found = in_node(
        node,
        """let seed = 1;
        const random = () => (seed = (seed * 1103515245 + 12345) % 2147483648) / 2147483648;
        const whole = encodeMessage("file-begin", { id: 3, name: "picture.jpg", size: 99 });
        let rounds = 0;
        for (; rounds < 20000; rounds += 1) {
          const bytes = rounds % 2 ? Uint8Array.from({ length: random() * 40 }, () => random() * 256) : whole.slice();
          if (!(rounds % 2)) bytes[Math.floor(random() * bytes.length)] = random() * 256;
          bytes[0] = rounds % 8;
          decodeMessage(bytes.subarray(0, Math.ceil(random() * bytes.length)));
        }
        say(rounds)""",
    )
    assert found == 20000


def test_a_share_link_leads_back_to_its_peer_and_relays(node: Path) -> None:
    found = in_node(
        node,
        """const [peer, relay] = process.argv.slice(2);
        const base = { origin: "https://site.example", pathname: "/page/", search: "" };
        const link = shareLink(peer, [relay], base);
        say([link, readTarget(link), readTarget(peer), readTarget(`${relay}/p2p-circuit/webrtc/p2p/${peer}`)])""",
        PEER,
        RELAY,
    )
    target = {"peer": PEER, "relays": [RELAY]}
    assert found == [
        f"https://site.example/page/#/connect?peer={PEER}&relay={RELAY}",
        target,
        {"peer": PEER, "relays": []},
        target,
    ]


def test_targets_and_relays_that_cannot_be_are_told_why(node: Path) -> None:
    targets, relays = in_node(
        node,
        """const [peer, relay] = process.argv.slice(2);
        const targets = ["hello", "https://site.example/", "/ip4/1.2.3.4/tcp/1", peer.slice(0, -1), "#/connect?peer=x"];
        const relays = [["nonsense", true], [`${relay}/p2p-circuit`, true], ["/dns4/a/tcp/1/ws", true],
          [`/ip4/1.2.3.4/tcp/1/ws/p2p/${peer}`, true], [`/ip4/1.2.3.4/tcp/1/p2p/${peer}`, true]];
        say([targets.map((text) => readTarget(text).problem),
          relays.map(([text, secure]) => relayProblem(text, secure))])""",
        PEER,
        RELAY,
    )
    assert all(targets)
    assert len(set(relays)) == 5 and all(relays)


def test_relays_that_may_be_tried_are_not_refused(node: Path) -> None:
    found = in_node(
        node,
        """const [peer, relay] = process.argv.slice(2);
        say([relayProblem(relay, true), relayProblem(`/ip4/127.0.0.1/tcp/1/ws/p2p/${peer}`, false),
          relayProblem(`/dns/a/tcp/443/tls/ws/p2p/${peer}`, true),
          relayProblem(`/ip4/1.2.3.4/udp/1/webrtc-direct/certhash/uEiA/p2p/${peer}`, true), relayProblem("", true)])""",
        PEER,
        RELAY,
    )
    assert found == [""] * 5
