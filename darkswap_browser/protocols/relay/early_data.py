"""Bytes of a circuit that travel with the request for it, a round trip before it is granted. Pure.

https://github.com/libp2p/specs/blob/master/relay/circuit-v2.md says of the stream only that it becomes the circuit
after STATUS. A reader that takes exactly one message, or keeps what it read beyond, passes early bytes on; one that
drops its buffer loses them. So they are sent to implementations that were tested to keep them (tests/interop), named
by the agent of their identify answer. Whoever claims another's name only breaks circuits of its own.
"""

from __future__ import annotations

from enum import StrEnum

MAX_EARLY_DATA = 1024
"""Bytes. The proposal of Noise and its first message are 62; a relay may send them to a target in vain."""
RELAYS = ("darkswap-browser/", "js-libp2p/", "py-libp2p/", "go-libp2p", "github.com/libp2p/go-libp2p")
TARGETS = ("darkswap-browser/", "js-libp2p/")


class EarlyData(StrEnum):
    """To which relays a client sends early bytes."""

    KNOWN = "known"
    ALWAYS = "always"
    NEVER = "never"


def relay_keeps_early_data(agent: str, mode: EarlyData) -> bool:
    """Whether to send early bytes to the relay with this agent; "" while it is not identified."""
    return mode is EarlyData.ALWAYS or (mode is EarlyData.KNOWN and agent.startswith(RELAYS))


def target_keeps_early_data(agent: str) -> bool:
    """Whether our relay may send a dialer's early bytes to the target with this agent before it accepts."""
    return agent.startswith(TARGETS)
