"""What a relay of ours grants, each number with its reason. Sizes in bytes, times in seconds, 0 = unlimited."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

from darkswap_browser.net.connection import CircuitLimit
from darkswap_browser.net.limits import KIB, MIB
from darkswap_browser.net.rate_limit import Rate


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayLimits:
    reservations: int = 1024
    """Held at once, one per peer. go and rust ship 128, which public operators raise first of all."""
    reservations_per_ip: int = 16
    """A household or an office behind one address; IPv6 counts by /64. go: 8."""
    reservation_ttl: float = 3600.0
    """go's and rust's; js counts anything below ten minutes as already due for renewal."""
    peer_reservations: Rate = Rate(10, 60.0)
    """Renewals come every half hour; ten at once leave room for a page that is reloaded in anger."""
    ip_reservations: Rate = Rate(60, 60.0)
    """rust's bucket per address."""
    circuits: int = 512
    """Relayed connections at once."""
    circuits_per_peer: int = 16
    """That one peer opens, as go has it. Ours end them once a direct link stands."""
    circuits_per_pair: int = 3
    """From one peer to another: one in use, one that takes its place, one that is dying unnoticed."""
    circuits_per_target: int = 64
    """To one peer. Far more than it opens itself: others decide over them, and a maker has many visitors."""
    circuits_per_ip: int = 64
    """That peers behind one address open; IPv6 counts by /64, and four times as many by /48."""
    circuits_per_ip_and_target: int = 16
    """Of them, to one peer: a quarter of what that may have, so that no single address keeps everybody else out."""
    peer_circuits: Rate = Rate(30, 10.0)
    """Opened by one peer. Faster than rust's (30, 120 s): an upgrade to WebRTC that fails is tried again."""
    ip_circuits: Rate = Rate(120, 2.0)
    circuit_duration: int = 15 * 60
    """Long enough for two visitors without a direct path to finish a trade."""
    circuit_data: int = 32 * MIB
    """Per direction. One application message of the largest size (16 MiB) passes with room for talk around it."""
    buffered: int = 64 * KIB
    """Bytes taken from one side of a circuit and not yet accepted by the other, per direction."""
    stream_timeout: float = 10.0
    """For a hop request to arrive, and for the target to accept a stop stream. js: 30, py: 15."""
    hop_streams: int = 64
    """Hop streams open at once on one connection, circuits included."""
    tracked: int = 8192
    """Token buckets remembered per kind; the fullest are forgotten first, which forgives nobody who is at a limit."""

    @property
    def circuit_limit(self) -> CircuitLimit | None:
        """What is announced to both ends; None says unlimited."""
        if not (self.circuit_duration or self.circuit_data):
            return None
        return CircuitLimit(self.circuit_duration, self.circuit_data)


PRESETS = MappingProxyType(
    {
        "default": RelayLimits(),
        # A 1-GB machine open to the public: enough for signaling, too little to move files through.
        "small": RelayLimits(
            reservations=256, circuits=128, circuits_per_peer=8, circuit_duration=120, circuit_data=128 * KIB
        ),
    }
)
