"""Two connections that meet, and all that each tells, for any `runtime.base.WebRtc`. Sent to the page as well."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from darkswap_browser.errors import DarkSwapError
from darkswap_browser.runtime.base.webrtc import (
    DataChannel,
    IceCandidate,
    PeerConnection,
    RtcConfiguration,
    SessionDescription,
    WebRtc,
)

SOON = 10.0
"""Seconds that anything here may take, on a busy machine."""


class Waiting:
    """`until` sleeps until something changed and a condition holds."""

    def __init__(self) -> None:
        self._changed = asyncio.Event()

    def change(self) -> None:
        self._changed.set()

    async def until(self, condition: Callable[[], bool], seconds: float = SOON) -> None:
        async with asyncio.timeout(seconds):
            while not condition():
                self._changed.clear()
                await self._changed.wait()


class Channel(Waiting):
    """A listener that notes everything, in order."""

    def __init__(self, channel: DataChannel, low: int = 0) -> None:
        super().__init__()
        self.channel = channel
        self.events: list[str | bytes] = []
        channel.listen(self, low)

    def opened(self) -> None:
        self._note("opened")

    def received(self, data: bytes) -> None:
        self._note(data)

    def drained(self) -> None:
        self._note("drained")

    def closed(self) -> None:
        self._note("closed")

    @property
    def messages(self) -> list[bytes]:
        return [event for event in self.events if isinstance(event, bytes)]

    async def has(self, event: str) -> None:
        await self.until(lambda: event in self.events)

    def _note(self, event: str | bytes) -> None:
        self.events.append(event)
        self.change()


class Side(Waiting):
    """One connection and all that it tells. Candidates go to the other side by themselves while `trickle`."""

    def __init__(self, webrtc: WebRtc, configuration: RtcConfiguration | None = None, *, trickle: bool = True) -> None:
        super().__init__()
        self.connection: PeerConnection = webrtc.create_peer_connection(configuration or RtcConfiguration(), self)
        self.trickle = trickle
        self.other: Side = self
        self.states: list[str] = []
        self.candidates: list[IceCandidate] = []
        self.gathered = False
        self.inbound: list[Channel] = []
        self.ready = False
        """Candidates of the other side may come in."""
        self._early: list[IceCandidate] = []
        self._tasks: list[asyncio.Task[None]] = []

    def ice_candidate_error(self, url: str, code: int) -> None:
        """A host that has no servers to ask tells none."""

    def ice_candidate(self, candidate: IceCandidate | None) -> None:
        if candidate is None:
            self.gathered = True
        elif candidate.candidate:
            self.candidates.append(candidate)
            if self.trickle:
                self.other.take(candidate)
        self.change()

    def data_channel(self, channel: DataChannel) -> None:
        self.inbound.append(Channel(channel))
        self.change()

    def state_changed(self, state: str) -> None:
        self.states.append(state)
        self.change()

    def take(self, candidate: IceCandidate) -> None:
        if not self.ready:
            self._early.append(candidate)
        else:
            self._tasks.append(asyncio.ensure_future(self.connection.add_ice_candidate(candidate)))

    def heard(self) -> None:
        self.ready = True
        early, self._early = self._early, []
        for candidate in early:
            self.take(candidate)


@dataclass
class RtcPair:
    """`hosts` of two connections; `alter` may change the offer on its way."""

    hosts: tuple[WebRtc, WebRtc]
    alter: Callable[[str], str] = str
    trickle: bool = True
    sides: list[Side] = field(default_factory=list)

    async def __aenter__(self) -> RtcPair:
        self.sides = [Side(host, trickle=self.trickle) for host in self.hosts]
        one, two = self.sides
        one.other, two.other = two, one
        return self

    async def __aexit__(self, *_: object) -> None:
        for side in self.sides:
            side.connection.close()

    async def negotiate(self, *, ice_restart: bool = False) -> None:
        one, two = (side.connection for side in self.sides)
        if ice_restart:
            self.sides[0].ready = self.sides[1].ready = False
        offer = await one.create_offer(ice_restart=ice_restart)
        await one.set_local_description(offer)
        await two.set_remote_description(SessionDescription("offer", self.alter(offer.sdp)))
        self.sides[1].heard()
        answer = await two.create_answer()
        await two.set_local_description(answer)
        await one.set_remote_description(answer)
        self.sides[0].heard()

    async def open(self, label: str = "init") -> tuple[Channel, Channel]:
        """Negotiates, and waits until a channel is open on both sides."""
        ours = Channel(self.sides[0].connection.create_data_channel(label))
        await self.negotiate()
        return ours, await self.inbound(ours)

    async def inbound(self, ours: Channel) -> Channel:
        side, before = self.sides[1], len(self.sides[1].inbound)
        await ours.has("opened")
        await side.until(lambda: len(side.inbound) > max(0, before - 1))
        await side.inbound[-1].has("opened")
        return side.inbound[-1]


def error_of(call: Callable[[], object]) -> type[DarkSwapError] | None:
    try:
        call()
    except DarkSwapError as error:
        return type(error)
    return None


async def failure(work: Awaitable[object]) -> type[DarkSwapError] | None:
    try:
        await work
    except DarkSwapError as error:
        return type(error)
    return None
