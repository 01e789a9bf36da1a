"""A cable between two network namespaces that can be cut, slow, narrow or lossy: two TAP devices and a loop between.

Not every kernel has netem. Run as a process of its own, `cable.py NAMESPACE DEVICE NAMESPACE DEVICE`; each line on
standard input says how the cable is from then on, as `delay=0.3 loss=0.05 rate=125000 cut=0`.
"""

from __future__ import annotations

import ctypes
import fcntl
import heapq
import os
import random
import select
import struct
import sys
import time
from dataclasses import dataclass, field

CLONE_NEWNET = 0x40000000
TUNSETIFF = 0x400454CA
IFF_TAP = 0x0002
IFF_NO_PI = 0x1000
MAX_FRAME = 65536
QUEUE_BYTES = 125_000
"""What a narrow cable keeps; more is dropped at its end, as by a router."""


def open_tap(namespace: str, device: str) -> int:
    """The file descriptor of a new TAP device in a namespace; this process stays in that namespace."""
    libc = ctypes.CDLL("libc.so.6", use_errno=True)
    with open(f"/run/netns/{namespace}") as handle:
        if libc.setns(handle.fileno(), CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), f"setns {namespace}")
    descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(descriptor, TUNSETIFF, struct.pack("16sH22x", device.encode(), IFF_TAP | IFF_NO_PI))
    return descriptor


@dataclass
class Cable:
    """`delay` in seconds each way, `loss` from 0 to 1, `rate` in bytes a second each way (0: unlimited)."""

    ends: tuple[int, int]
    delay: float = 0.0
    loss: float = 0.0
    rate: float = 0.0
    cut: float = 0.0
    _due: list[tuple[float, int, int, bytes]] = field(default_factory=list)
    _count: int = 0
    _busy: dict[int, float] = field(default_factory=dict)
    _chance: random.Random = field(default_factory=lambda: random.Random(7))

    def change(self, line: str) -> None:
        for word in line.split():
            name, _, value = word.partition("=")
            setattr(self, name, float(value))

    def take(self, end: int, frame: bytes, now: float) -> None:
        """A frame came in at one end."""
        if self.cut or self._chance.random() < self.loss:
            return
        other = self.ends[0] if end == self.ends[1] else self.ends[1]
        leaves = now
        if self.rate:
            leaves = max(now, self._busy.get(end, 0.0))
            if leaves - now > QUEUE_BYTES / self.rate:
                return
            leaves += len(frame) / self.rate
            self._busy[end] = leaves
        if not self.delay and not self.rate:
            put(other, frame)
            return
        self._count += 1
        heapq.heappush(self._due, (leaves + self.delay, self._count, other, frame))

    def deliver(self, now: float) -> float:
        """Puts out what is due; returns the seconds until something else is."""
        while self._due and self._due[0][0] <= now:
            _, _, end, frame = heapq.heappop(self._due)
            if not self.cut:
                put(end, frame)
        return self._due[0][0] - now if self._due else 1.0


def put(end: int, frame: bytes) -> None:
    try:
        os.write(end, frame)
    except OSError:
        return  # The device is down, as a cable that leads nowhere.


def frames(end: int, most: int = 64) -> list[bytes]:
    found = []
    for _ in range(most):
        try:
            found.append(os.read(end, MAX_FRAME))
        except OSError:
            break
    return found


def main() -> None:
    cable = Cable((open_tap(*sys.argv[1:3]), open_tap(*sys.argv[3:5])))
    print("ready", flush=True)
    os.set_blocking(0, False)
    poll = select.poll()
    for descriptor in (0, *cable.ends):
        poll.register(descriptor, select.POLLIN)
    while True:
        wait = cable.deliver(time.monotonic())
        for descriptor, _ in poll.poll(max(wait * 1000, 0)):
            if descriptor:
                for frame in frames(descriptor):
                    cable.take(descriptor, frame, time.monotonic())
            elif line := os.read(0, MAX_FRAME).decode():
                cable.change(line)
            else:
                return


if __name__ == "__main__":
    main()
