"""One reservation kept for good: renewed in time, made again whenever the relay or the network comes back."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from darkswap_browser.concurrency.backoff import Backoff
from darkswap_browser.concurrency.tasks import Tasks, result_of, wait_ended
from darkswap_browser.errors import Aborted, ConnectionLost, DarkSwapError, RelayRefused
from darkswap_browser.identity.multiaddr import Multiaddr
from darkswap_browser.identity.peer_id import PeerId
from darkswap_browser.net.connection import CircuitLimit, Connection
from darkswap_browser.net.limits import Limits
from darkswap_browser.protocols.relay.renewal import renew_after

logger = logging.getLogger(__name__)

MIN_REFRESH_SECONDS = 60.0
"""Seconds after a request in which a host that wakes up is no reason for another: relays count requests."""


@dataclass(frozen=True, slots=True)
class Reservation:
    """What a relay granted. `expires_at` in unix seconds by our clock, `lifetime_seconds` in seconds from the answer.

    `addresses` are those that others reach us at; `limit` is that of circuits through this relay.
    """

    relay: PeerId
    id: str
    expires_at: float
    lifetime_seconds: float
    addresses: tuple[Multiaddr, ...]
    limit: CircuitLimit | None
    voucher: bytes


@dataclass(frozen=True, slots=True)
class ReservationGranted:
    """A relay granted a reservation, or renewed the one that stood."""

    reservation: Reservation


@dataclass(frozen=True, slots=True)
class ReservationFailed:
    """A request for a reservation failed; one that stood before stands on until it ends.

    `retry_in`: seconds to the next request; None when there will be none.
    """

    relay: PeerId
    error: DarkSwapError
    retry_in: float | None


@dataclass(frozen=True, slots=True)
class ReservationLost:
    """A reservation that stood is gone. `error` is why; None when it was released on this side.

    `retry_in`: seconds to the next request; None when there will be none.
    """

    relay: PeerId
    error: DarkSwapError | None
    retry_in: float | None


ReservationEvent = ReservationGranted | ReservationFailed | ReservationLost

Request = Callable[[], Awaitable[tuple[Reservation, Connection]]]
"""Ask the relay once. Raises `DarkSwapError`."""

Publish = Callable[[ReservationEvent], None]
"""Called after `ReservationKeeper.reservation` has changed."""


class ReservationKeeper:
    """A task of `tasks` that never gives up until `stop`. The old reservation stands while a renewal is under way.

    Args:
        publish: Called with every event of this reservation.
        chance: Gives numbers in 0…1 for jitter.
    """

    def __init__(
        self,
        relay: PeerId,
        request: Request,
        publish: Publish,
        limits: Limits,
        chance: Callable[[], float],
        tasks: Tasks,
    ) -> None:
        self._relay = relay
        self._request = request
        self._publish = publish
        self._chance = chance
        self._backoff = Backoff(limits.relay_retry_first, limits.relay_retry_max)
        self._wake = asyncio.Event()
        self._asked_at = 0.0
        self._ends_at = 0.0
        self._outcome: asyncio.Future[Reservation] | None = None
        self._is_pausing = False
        self.is_kept = False
        """Requested again after a failure. Otherwise whoever made this stops it when the first request fails."""
        self.reservation: Reservation | None = None
        self.error: DarkSwapError | None = None
        """Why the last request failed; None after one that did not."""
        self.callers = 0
        """How many wait for the outcome."""
        self._task = tasks.spawn(self._run(), "relay holding")
        self._task.add_done_callback(lambda _: self.abort())

    @property
    def is_over(self) -> bool:
        return self._task.done()

    async def outcome(self) -> Reservation:
        """The reservation that stands, or the end of the request under way. Raises what it raised.

        Cancellation: Safe; the request goes on.
        """
        if self.reservation is not None:
            return self.reservation
        if self._outcome is None:
            self._outcome = asyncio.get_running_loop().create_future()
        self.wake()
        self.callers += 1
        try:
            return await result_of(self._outcome)
        finally:
            self.callers -= 1

    def wake(self) -> None:
        """The host is online or visible again: waits end, and what was settled long ago is looked at."""
        self._backoff.reset()
        if self.reservation is None or _now() - self._asked_at > MIN_REFRESH_SECONDS:
            self._wake.set()

    def connected(self) -> None:
        """Somebody else reached the relay: ask now, unless it has just refused."""
        if self._is_pausing and not isinstance(self.error, RelayRefused):
            self.wake()

    async def stop(self) -> None:
        """Withdraw. Whoever waits for the outcome sees `Aborted`. Idempotent.

        Cancellation: Safe; it was withdrawn before the first await.
        """
        self.abort()
        await wait_ended((self._task,))

    def abort(self) -> None:
        """As `stop`, without waiting."""
        self._task.cancel()
        self._lost(None, None)
        self._settle(Aborted("reservation"))

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            self._asked_at = _now()
            try:
                reservation, connection = await self._request()
            except DarkSwapError as error:
                wait = self._backoff.wait(self._chance())
                if isinstance(error, RelayRefused):
                    wait = max(wait, float(error.retry_after))
                self._failed(error, wait)
                await self._pause(wait)
                continue
            self.error = None
            self.is_kept = True
            self._backoff.reset()
            # Whatever woke us during the request has what it wanted.
            self._wake.clear()
            self._ends_at = _now() + reservation.lifetime_seconds
            self.reservation = reservation
            seconds = reservation.lifetime_seconds
            logger.info("reservation granted relay=%s expires_in=%ds", self._relay.short, seconds)
            self._publish(ReservationGranted(reservation))
            self._settle(reservation)
            await self._while_held(connection, renew_after(reservation.lifetime_seconds, self._chance()))
            if connection.is_closed:
                # The relay dropped the reservation together with the connection.
                wait = self._backoff.wait(self._chance())
                self._lost(ConnectionLost("connection to the relay", connection.close_reason), wait)
                await self._pause(wait)

    def _failed(self, error: DarkSwapError, wait: float) -> None:
        self.error = error
        if _now() >= self._ends_at:
            self._lost(error, wait)
        logger.warning("reservation failed relay=%s again_in=%.1fs: %s", self._relay.short, wait, error)
        self._publish(ReservationFailed(self._relay, error, wait if self.is_kept else None))
        self._settle(error)

    async def _while_held(self, connection: Connection, seconds: float) -> None:
        """Until the renewal is due, the connection is gone or the host woke up."""
        closed = asyncio.ensure_future(connection.wait_closed())
        woken = asyncio.ensure_future(self._wake.wait())
        try:
            await asyncio.wait((closed, woken), timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            closed.cancel()
            woken.cancel()

    async def _pause(self, seconds: float) -> None:
        self._is_pausing = True
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            return
        finally:
            self._is_pausing = False

    def _lost(self, error: DarkSwapError | None, retry_in: float | None) -> None:
        if self.reservation is not None:
            self.reservation = None
            self._publish(ReservationLost(self._relay, error, retry_in))

    def _settle(self, outcome: Reservation | DarkSwapError) -> None:
        waiting, self._outcome = self._outcome, None
        if waiting is None or waiting.done():
            return
        if isinstance(outcome, Reservation):
            waiting.set_result(outcome)
        else:
            waiting.set_exception(outcome)
            # Whoever asked may have been cancelled meanwhile; an error nobody waits for is not news to the loop.
            waiting.exception()


def _now() -> float:
    return asyncio.get_running_loop().time()
