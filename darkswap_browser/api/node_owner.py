"""Start and stop of the one node that a `Network` is, what hangs on them, and its events."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Self

from darkswap_browser.api.durable_messages import DurableMessages, Loaded
from darkswap_browser.api.events import EventPublisher
from darkswap_browser.api.inspection import NodeInspector
from darkswap_browser.api.lifecycle import NodeLifecycle
from darkswap_browser.errors import InvalidArgument, NodeMoved, Unsupported
from darkswap_browser.net.limits import DEFAULT_LIMITS, Limits
from darkswap_browser.node import node
from darkswap_browser.node.config import NetworkConfig
from darkswap_browser.node.node import Node
from darkswap_browser.protocols.channels.channel import Channel
from darkswap_browser.protocols.channels.hand_over import HandOver, decode_hand_over, encode_hand_over
from darkswap_browser.runtime import select
from darkswap_browser.runtime.base.host import Runtime
from darkswap_browser.runtime.select import DataFolder


class NodeOwner:
    """At most one node at a time, of one configuration on one host."""

    def __init__(
        self,
        config: NetworkConfig | None = None,
        runtime: Runtime | None = None,
        *,
        data: DataFolder | None = None,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        if not isinstance(config, NetworkConfig | None):
            hint = "NetworkConfig.from_mapping makes one of a dict."
            raise InvalidArgument("config", f"is {type(config).__name__} and not NetworkConfig", hint)
        self.config = config or NetworkConfig()
        self.runtime = runtime or select.load(data, persist=self.config.persist)
        self._limits = limits
        self._owns_runtime = runtime is None
        self._facts = EventPublisher(self.runtime, self._channel_changed)
        self._lifecycle = NodeLifecycle(self._build, self._started, self._stopped)
        self._inspection: NodeInspector | None = None
        self._end_life: Callable[[], None] = lambda: None
        self._handed: HandOver | None = None
        self._durable: DurableMessages
        self._left = Loaded({}, {})

    # --- life

    async def start(self) -> None:
        """Bring the node up. Idempotent; callers at once share one start, and a stop under way is waited for.

        Raises:
            Aborted: It was stopped meanwhile, or this is called in a stop hook of it.
            IdentityInUse: Another program runs the identity of this data folder (CPython).
            Unsupported: It was started on another event loop, which runs, and not stopped there.

        Cancellation: Safe. A node that nobody else waited for is taken down again, and nothing of it is left.
        """
        await self._lifecycle.start()

    async def _build(self) -> Node:
        facts = self._facts
        facts.publish("node", {"state": "starting", "peer_id": ""})
        try:
            return await node.create_node(
                self.config, self.runtime, self._limits, facts, facts.signaled, facts.faults, self._prepare
            )
        except BaseException:
            facts.publish("node", {"state": "stopped", "peer_id": ""})
            self._close_runtime()
            raise

    async def _prepare(self, built: Node) -> None:
        """Take up what other programs of this identity left."""
        heir, handed = built.channels.heir, self._handed
        durable = DurableMessages(
            self.runtime.store, str(built.swarm.local_peer), self._facts.faults.report, self._facts.set_aside
        )
        built.channels.keeper = self._durable = durable
        built.held.push_async_callback(durable.finish)
        if handed is not None:
            heir.take_up(handed)
        known = {name.name for each in (() if handed is None else handed.channels) for name in each.kept}
        with suppress(Unsupported):  # storage is blocked: nothing was kept
            self._left = await durable.load(known)
            heir.send_kept(self._left.unwritten)

    def _started(self, built: Node) -> None:
        self._handed = None
        for peer, names in self._left.written.items():
            fields = {"peer_id": peer, "count": len(names), "ids": [], "maybe_delivered": True}
            self._facts.publish("message:undelivered", fields)
            self._durable.settled(names)
        self._left = Loaded({}, {})
        self._inspection = NodeInspector(built, self._facts)
        self._facts.attach(built)
        self._end_life = self.runtime.lifecycle.subscribe(self._life)

    async def stop(self) -> None:
        """Say goodbye to every peer and take the node down. Idempotent; it can be started again.

        A node that is starting is not waited for: whoever started it sees `Aborted`. Awaited in a message sink or in a
        handler of a protocol, it ends that task too, which then sees `CancelledError`; in a stop hook it returns at
        once.

        Cancellation: Safe. When the last caller gives up, connections are dropped without a goodbye; a moment later
        nothing is left.
        """
        await self._lifecycle.stop()
        self._facts.flush()
        self._close_runtime()

    def _stopped(self, built: Node) -> None:
        self._end_life()
        self._facts.detach(built)
        self._close_runtime()

    def _close_runtime(self) -> None:
        """A runtime of the caller's is the caller's to close."""
        if self._owns_runtime and self._lifecycle.running is None:
            self.runtime.close()

    def _life(self, word: str) -> None:
        if word == "leaving":
            self.send_goodbye()
        elif (built := self._lifecycle.running) is None:
            return
        elif word == "online":
            built.liveness.network_changed()
        elif word == "resumed":
            built.liveness.check_now()

    @property
    def durable(self) -> DurableMessages:
        """Of the running node. Raises `InvalidArgument` where nothing is kept."""
        if not self.config.persist:
            raise InvalidArgument("durable", "needs a store that is kept", "Leave `persist` on.")
        return self._durable

    @property
    def is_running(self) -> bool:
        return self._lifecycle.running is not None

    async def running_node(self) -> Node:
        """All parts of the running node, for what is built on top of it. Cancellation: As `start`."""
        return await self._up()

    def add_stop_hook(self, close: Callable[[], Awaitable[None]]) -> None:
        """`close` is awaited whenever the node stops, while its connections are still there.

        It is cancelled when the stop is given up, and must leave nothing behind then either. Calls in it that need the
        node raise `Aborted`; a task that it starts and does not wait for may start the node again.
        """
        self._lifecycle.add_hook(close)

    def publish(self, kind: str, fields: Mapping[str, object]) -> None:
        """One more event for all who subscribed."""
        self._facts.publish(kind, fields)

    def flush_events(self) -> None:
        """Tell at once what was to be told from the loop's next turn."""
        self._facts.flush()

    async def _up(self) -> Node:
        return await self._lifecycle.start()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.stop()

    def send_goodbye(self) -> None:
        """The page goes: tell every peer without waiting, and drop every connection.

        The node goes on: a page that comes back from the browser's cache connects again.
        """
        if (built := self._lifecycle.running) is not None:
            built.channels.leave("leaving")
            for connection in built.swarm.connections():
                connection.abort()

    def abandon(self) -> None:
        """Another program goes on with this node: drop everything at once, and say nothing to any peer.

        What was accepted and not acknowledged is told before this returns; `stop` takes the rest down.
        """
        if (built := self._lifecycle.running) is not None:
            built.swarm.abort()
            built.abort()
            self._facts.flush()

    def hand_over(self) -> bytes:
        """As `abandon`, with the channels: what `take_up` of the other program takes. Peers see a path that broke.

        Senders that wait see `NodeMoved`: what was accepted is told as undelivered by the other program, if at all.
        """
        built = self._lifecycle.running
        if built is None:
            return b""
        self._facts.flush()
        handed = encode_hand_over(built.channels.hand_over(NodeMoved(self.config.identity_name)))
        self.abandon()
        return handed

    def take_up(self, handed: bytes) -> None:
        """Go on with the channels of another program, from the next start.

        Raises:
            MalformedMessage: It is not what `hand_over` returned.
        """
        self._handed = decode_hand_over(handed) if handed else None

    def _channel_changed(self, channel: Channel) -> None:
        """Called after each change of a channel was told."""
        raise NotImplementedError
