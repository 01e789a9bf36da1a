"""Going on with what another program left: its sessions, and messages that it kept in the store."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from darkswap_browser.concurrency.faults import ReportFault
from darkswap_browser.errors import DarkSwapError, EndOfStream
from darkswap_browser.identity.peer_id import PeerId
from darkswap_browser.net.limits import Limits
from darkswap_browser.net.our_peers import OurPeers
from darkswap_browser.protocols.channels.channel import Channel
from darkswap_browser.protocols.channels.hand_over import HandOver
from darkswap_browser.protocols.channels.machine import ChannelMachine
from darkswap_browser.protocols.channels.table import ChannelTable


class ChannelHeir:
    """Its calls come before the node listens. `create` puts a channel into the table, `search` seeks a path for it."""

    def __init__(
        self,
        table: ChannelTable,
        ours: OurPeers,
        limits: Limits,
        report: ReportFault,
        new_machine: Callable[[PeerId], ChannelMachine],
        create: Callable[[PeerId, ChannelMachine], Channel],
        search: Callable[[PeerId, Channel], None],
    ) -> None:
        self._table = table
        self._ours = ours
        self._limits = limits
        self._report = report
        self._new_machine = new_machine
        self._create = create
        self._search = search

    def take_up(self, handed: HandOver) -> None:
        """Go on with the sessions of another program. One that cannot go on is reported."""
        self._table.last_id = handed.last_id
        for each in handed.channels:
            try:
                peer = PeerId.parse(each.peer)
                snapshot = each.session
                machine = ChannelMachine.restore(snapshot, self._limits) if snapshot else self._new_machine(peer)
            except DarkSwapError as error:
                self._report("a channel session that was handed over", error)
                continue
            if each.is_ours:
                self._ours.add(peer)
            channel = self._create(peer, machine)
            for name in each.kept:
                channel.sending.kept.add(name.id, name.name, is_marked=False)
            channel.take_up(each.earlier)
            if snapshot is None:
                channel.end(EndOfStream())
            else:
                self._search(peer, channel)

    def send_kept(self, messages: Mapping[str, Sequence[tuple[str, bytes]]]) -> None:
        """Send to each peer messages, as (name in the store, message), that were never written. A path is sought as
        long as it takes. Raises `InvalidArgument` for what is no peer."""
        for text, unwritten in messages.items():
            peer = PeerId.parse(text)
            self._ours.add(peer)
            channel = self._table.get(peer) or self._create(peer, self._new_machine(peer))
            for name, message in unwritten:
                channel.sending.kept.add(channel.machine.outbox.accept(message), name, is_marked=False)
            if not channel.was_open:
                channel.take_up(())
                self._search(peer, channel)
