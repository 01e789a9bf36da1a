"""One channel per peer: opened, accepted, moved to better paths and found again when a path dies."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from darkswap_browser.concurrency.backoff import Backoff
from darkswap_browser.concurrency.tasks import Tasks
from darkswap_browser.errors import (
    ConnectionLost,
    DarkSwapError,
    DialFailed,
    EndOfStream,
    LocalError,
    NoDirectPath,
    NotConnected,
    ProtocolUnsupported,
    ProtocolViolation,
    StreamClosed,
)
from darkswap_browser.identity.peer_id import PeerId
from darkswap_browser.net.connection import Connection, is_direct
from darkswap_browser.net.limits import Limits
from darkswap_browser.net.stream import BufferedStream
from darkswap_browser.net.swarm import Swarm
from darkswap_browser.protocols.channels.arrivals import Arrivals
from darkswap_browser.protocols.channels.channel import Channel, ChannelListener
from darkswap_browser.protocols.channels.channel_stream import ChannelStream
from darkswap_browser.protocols.channels.circuits import CircuitRenewer
from darkswap_browser.protocols.channels.greeting import Doubt, read_confirmation, read_greeting, refuse
from darkswap_browser.protocols.channels.hand_over import HandOver
from darkswap_browser.protocols.channels.heir import ChannelHeir
from darkswap_browser.protocols.channels.kept_messages import MessageKeeper
from darkswap_browser.protocols.channels.listener import ChannelState
from darkswap_browser.protocols.channels.machine import ChannelMachine, HelloVerdict
from darkswap_browser.protocols.channels.messages import (
    PROTOCOL,
    SESSION_BYTES,
    Close,
    Hello,
    Leave,
    Restart,
    encode_control,
)
from darkswap_browser.protocols.channels.outbox import Undelivered
from darkswap_browser.protocols.channels.peer_watch import PeerWatch
from darkswap_browser.protocols.channels.table import ChannelTable
from darkswap_browser.protocols.channels.upgrades import STEP_BACK, Upgrades

logger = logging.getLogger(__name__)

Reach = Callable[[PeerId], Awaitable[Connection]]
"""A connection to a peer that has none now. Raises `DarkSwapError`."""


@dataclass(slots=True)
class _Attempt:
    task: asyncio.Task[None]
    connection: Connection


@dataclass(slots=True)
class _Search:
    task: asyncio.Task[None]
    channel: Channel


class Channels:
    """`reach` is asked for a connection; `listener` is told of every change of every channel."""

    def __init__(
        self, swarm: Swarm, random: Callable[[int], bytes], limits: Limits, reach: Reach, listener: ChannelListener
    ) -> None:
        self._swarm = swarm
        self._random = random
        self._limits = limits
        self._reach = reach
        self._listener = listener
        self._table = ChannelTable(limits, swarm.ours)
        self._attempts: dict[PeerId, _Attempt] = {}
        self._doubts: dict[PeerId, Doubt] = {}
        """Peers that seem to have begun anew; no stream of ours is opened until it is sure."""
        self._searches: dict[PeerId, _Search] = {}
        self._tasks = Tasks(swarm.faults.report)
        self.arrivals = Arrivals(self._table.get, self._table.all)
        self._circuits = CircuitRenewer(swarm, self._tasks, self._attach)
        self._upgrades = Upgrades(swarm, self._tasks, self._table, self._attach)
        self.heir = ChannelHeir(
            self._table, swarm.ours, limits, self._tasks.report, self._machine, self._create, self._search
        )
        self.keeper: MessageKeeper | None = None
        """Of messages that outlive the process; set before the first channel is there."""
        self._unsubscribe: Callable[[], None] = lambda: None
        self.direct_only = False
        """Channels of ours are not opened over relayed connections."""

    def start(self) -> None:
        self._swarm.handle(PROTOCOL, self._accept, allow_limited=True, max_inbound=4)
        self._unsubscribe = self._swarm.subscribe(self._upgrades.event)

    def hand_over(self, error: DarkSwapError) -> HandOver:
        """End every channel because of `error`, without a word to the peers: another program goes on with them."""
        self._stop_serving()
        return self._table.hand_over(error)

    def get(self, peer: PeerId) -> Channel | None:
        """A closed one too: messages may still wait in it."""
        return self._table.get(peer)

    def all(self) -> tuple[Channel, ...]:
        return self._table.all()

    async def open(self, peer: PeerId) -> Channel:
        """As `begin`, once it is open. Raises why it cannot be. Cancellation: Safe; the channel goes on opening."""
        channel = self.begin(peer)
        await channel.wait_open()
        return channel

    def begin(self, peer: PeerId) -> Channel:
        """The channel with `peer`, which begins to be opened now if it was not. Raises `TooManyRequests`."""
        self._swarm.ours.add(peer)
        channel = self._table.get(peer)
        if channel is None or channel.state is ChannelState.CLOSED:
            self._table.make_room(peer)
            # A peer that left may still have the session.
            left = channel.machine if channel is not None and channel.left else None
            channel = self._create(peer, left or self._machine(peer))
        if channel.link is None:
            self._search(peer, channel)
        return channel

    async def close(self) -> None:
        """Close every channel, politely. Idempotent.

        Cancellation: Safe; the channels are then ended without a word.
        """
        self._stop_accepting()
        try:
            await asyncio.gather(*(channel.close("stopped") for channel in self._table.all()))
        finally:
            self.abort("stopped")
        await self._tasks.close()

    def leave(self, reason: str) -> None:
        """Say goodbye to every peer without waiting; sessions are kept, for this node may come back."""
        for channel in self._table.all():
            channel.say_nowait(Leave(reason))

    def abort(self, reason: str) -> None:
        """End every channel without waiting: what can be said at once is said, and no path is sought any more."""
        self._stop_serving()
        for channel in self.all():
            channel.say_nowait(Close(reason))
            channel.end(StreamClosed(), reason)

    def _stop_accepting(self) -> None:
        self._unsubscribe()
        self._swarm.unhandle(PROTOCOL)
        for channel in self.all():
            channel.sending.goes_on_later = True

    def _stop_serving(self) -> None:
        self._stop_accepting()
        self._tasks.cancel()
        self.arrivals.end()

    def _create(self, peer: PeerId, machine: ChannelMachine) -> Channel:
        channel = Channel(str(peer), machine, self._limits, PeerWatch(self, peer), self._tasks)
        channel.delivery.on_waiting = self.arrivals.wake
        channel.on_spent = lambda: self._circuits.renew(peer, channel)
        channel.sending.kept.keeper = self.keeper
        channel.sending.on_sent = lambda: self._swarm.ours.add(peer)
        self._table.put(peer, channel)
        self.arrivals.wake()
        return channel

    def _machine(self, peer: PeerId, hello: Hello | None = None) -> ChannelMachine:
        """A new session, which `hello` asked for. Raises `ProtocolViolation` for a HELLO that cannot be."""
        machine = ChannelMachine(self._random(SESSION_BYTES), self._limits, self._table.next_id(peer))
        before = self._table.get(peer)
        if before is not None:
            machine.tell_of(before.machine)
        if hello is not None:
            machine.attach(hello)
        return machine

    # --- finding a path

    def changed(self, peer: PeerId, channel: Channel, reason: str) -> None:
        logger.debug("channel %s peer=%s path=%s %s", channel.state, peer.short, channel.path, reason)
        self._listener.changed(channel, reason)
        if self._table.get(peer) is not channel:
            return
        if channel.state is ChannelState.CLOSED:
            self._circuits.forget(peer)
        if channel.state is ChannelState.OPEN:
            self._circuits.watch(peer, channel)
            return
        self._circuits.unwatch(peer)
        if channel.state is ChannelState.RECONNECTING:
            if channel.left and not channel.send_queue:
                channel.end(EndOfStream(), reason)
            else:
                self._search(peer, channel)
        elif channel.state is ChannelState.CLOSED and not channel.was_open:
            self._table.remove(peer)

    def progressed(self, channel: Channel, received: int, total: int) -> None:
        self._listener.progressed(channel, received, total)

    def undelivered(self, channel: Channel, messages: Undelivered) -> None:
        logger.info("messages undelivered peer=%s count=%d", channel.peer[-6:], messages.count)
        self._listener.undelivered(channel, messages)

    def discarded(self, channel: Channel, count: int) -> None:
        logger.warning("messages discarded peer=%s count=%d: nobody receives", channel.peer[-6:], count)
        self._listener.discarded(channel, count)

    def _search(self, peer: PeerId, channel: Channel) -> None:
        running = self._searches.get(peer)
        if running is not None and not running.task.done():
            if running.channel is channel:
                return
            # It looks for a channel that was closed meanwhile.
            running.task.cancel()
        task = self._tasks.spawn(self._find_path(peer, channel), "channel path")
        self._searches[peer] = search = _Search(task, channel)
        task.add_done_callback(lambda _: self._searches.pop(peer) if self._searches.get(peer) is search else None)

    async def _find_path(self, peer: PeerId, channel: Channel) -> None:
        loop = asyncio.get_running_loop()
        was_open = channel.was_open
        limits = self._limits
        give_up = loop.time() + (limits.channel_idle_timeout if was_open else limits.channel_connect_timeout)
        backoff = Backoff(self._limits.channel_resume_first, self._limits.channel_resume_max)
        if channel.left or (channel.state is ChannelState.RECONNECTING and peer < self._swarm.local_peer):
            await asyncio.sleep(STEP_BACK)
        while channel.link is None and channel.state is not ChannelState.CLOSED:
            error = await self._try_path(peer, channel)
            if error is None or channel.link is not None:
                continue
            final = isinstance(error, (ProtocolUnsupported, LocalError, DialFailed, NoDirectPath))
            # What was accepted is kept as long as this node lives: its peer may come back.
            if (final and not was_open) or (loop.time() >= give_up and not (was_open and channel.send_queue)):
                # A peer that sends is still looking for us, and goes on with the session.
                channel.left = was_open
                channel.end(error)
                return
            await asyncio.sleep(backoff.wait())

    async def _try_path(self, peer: PeerId, channel: Channel) -> DarkSwapError | None:
        connection = self._swarm.best_connection(peer)
        if self.direct_only and connection is not None and not is_direct(connection) and peer in self._swarm.ours:
            connection = None
        try:
            if connection is None and peer not in self._swarm.ours:
                raise NotConnected(str(peer))  # it looks for us: nobody else makes this node dial
            connection = connection or await self._reach(peer)
        except DarkSwapError as error:
            return error
        if connection.limit is not None:
            await self._circuits.pause(peer, channel)
            connection = self._swarm.best_connection(peer) or connection
        if channel.link is not None or connection.is_closed:
            return None
        return await self._attach(peer, channel, connection)

    async def _attach(self, peer: PeerId, channel: Channel, connection: Connection) -> DarkSwapError | None:
        """Open a stream on `connection` for `channel`; None also when the peer's stream won meanwhile."""
        if peer in self._doubts or peer in self._attempts:
            await asyncio.wait([self._doubts[peer].over if peer in self._doubts else self._attempts[peer].task])
            return None
        # What it raises is handled below.
        task = self._tasks.spawn(self._greet(channel, connection), "channel greeting", expected=Exception)
        self._attempts[peer] = _Attempt(task, connection)
        try:
            await asyncio.wait((task,))
        finally:
            task.cancel()
            del self._attempts[peer]
        if task.cancelled():
            return None
        error = task.exception()
        if error is None or isinstance(error, DarkSwapError):
            return error
        raise error

    async def _greet(self, channel: Channel, connection: Connection) -> None:
        machine = channel.machine
        channel.pause()
        stream: BufferedStream | None = None
        try:
            greeting = encode_control(machine.hello())
            opened = await self._swarm.new_stream(connection, (PROTOCOL,), allow_limited=True, first=greeting)
            stream = opened.stream
            answer = await read_greeting(stream, self._limits)
            if isinstance(answer, Restart):
                fresh = self._machine(connection.remote_peer)
                channel.reset_session(fresh, fresh.follow(machine))
                raise ConnectionLost("channel", "the peer began anew")
            if answer.peer_session != machine.session or machine.peer_session not in (b"", answer.session):
                raise ProtocolViolation(PROTOCOL, "answers for another session")
            machine.attach(answer)
        except BaseException:
            if stream is not None:
                stream.reset()
            channel.unpause()
            raise
        link = ChannelStream(stream, connection)
        # The ACK tells a peer that would have to end another session for ours that we are there.
        channel.attach_stream(link, encode_control(machine.inbox.grant()))
        self._tasks.spawn(channel.reader.read(link), "channel read")

    # --- the peer's streams

    async def _accept(self, connection: Connection, stream: BufferedStream, protocol: str) -> None:
        hello = await read_greeting(stream, self._limits)
        if isinstance(hello, Restart):
            raise ProtocolViolation(protocol, "begins with RESTART")
        peer = connection.remote_peer
        channel = self._table.get(peer)
        if channel is None or channel.state is ChannelState.CLOSED:
            left = channel.machine if channel is not None and channel.left else None
            if left is not None and left.judge(hello) is HelloVerdict.CONTINUE:
                left.attach(hello)
            elif hello.peer_session:
                await refuse(stream)
                return
            else:
                left = self._machine(peer, hello)
            self._table.make_room_for_stranger(peer)
            channel = self._create(peer, left)
            self.arrivals.accepted(channel)
            await self._serve(channel, ChannelStream(stream, connection))
            return
        doubt = self._doubts.get(peer)
        if doubt is not None and doubt.is_dispelled_by(hello):
            self._end_doubt(peer, doubt)
            doubt.stream.reset()
            self._begin_session(peer, channel, doubt.machine)
        verdict = channel.machine.judge(hello)
        if verdict is HelloVerdict.UNKNOWN:
            await refuse(stream)
            return
        attempt = self._attempts.get(peer)
        if verdict is HelloVerdict.RESTARTED:
            await self._replace_session(peer, channel, hello, ChannelStream(stream, connection))
            return
        if attempt is not None and not self._yields(attempt.connection, connection):
            stream.reset()
            return
        channel.machine.attach(hello)
        if attempt is not None:
            attempt.task.cancel()
        await self._serve(channel, ChannelStream(stream, connection))

    async def _replace_session(self, peer: PeerId, channel: Channel, hello: Hello, link: ChannelStream) -> None:
        """The peer begins anew, if it is there to answer; until it does, the session that we have goes on."""
        machine = self._machine(peer, hello)
        before = channel.machine.inbox
        machine.inbox.window, machine.inbox.most_messages = before.window, before.most_messages
        doubt = self._doubts[peer] = Doubt(machine, link.stream, asyncio.get_running_loop().create_future())
        try:
            controls = await read_confirmation(doubt, self._limits)
        finally:
            self._end_doubt(peer, doubt)
        if channel.state is ChannelState.CLOSED or channel.machine.peer_session == hello.session:
            raise ConnectionLost("channel", "another stream was first")
        self._begin_session(peer, channel, machine)
        channel.attach_stream(link)
        channel.arrived(link, b"", controls)
        await channel.reader.read(link)

    def _end_doubt(self, peer: PeerId, doubt: Doubt) -> None:
        if not doubt.over.done():
            doubt.over.set_result(None)
        if self._doubts.get(peer) is doubt:
            del self._doubts[peer]

    def _begin_session(self, peer: PeerId, channel: Channel, machine: ChannelMachine) -> None:
        """The peer began anew, `machine` goes on with it."""
        if peer in self._attempts:
            self._attempts[peer].task.cancel()
        channel.reset_session(machine, machine.follow(channel.machine))

    async def _serve(self, channel: Channel, link: ChannelStream) -> None:
        channel.attach_stream(link, encode_control(channel.machine.hello()))
        await channel.reader.read(link)

    def _yields(self, ours: Connection, theirs: Connection) -> bool:
        """Both opened a stream at once; both sides come to the same answer: a direct path, else the smaller id."""
        if is_direct(ours) is not is_direct(theirs):
            return is_direct(theirs)
        return theirs.remote_peer < self._swarm.local_peer
