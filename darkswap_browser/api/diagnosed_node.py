"""A node that says whether it works here, and what it has done so far."""

from __future__ import annotations

import sys
from abc import abstractmethod
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from types import MappingProxyType

from darkswap_browser.api.diagnostics import Checks, DiagnosticCheck, NodeChecks, judged
from darkswap_browser.api.inspection import NodeInspector
from darkswap_browser.api.node_owner import NodeOwner
from darkswap_browser.api.records import DarkSwapEvent, NodeStats
from darkswap_browser.api.redaction import redacted
from darkswap_browser.api.serialization import plain
from darkswap_browser.errors import InvalidArgument, NotConnected
from darkswap_browser.net.limits import DEFAULT_LIMITS, Limits
from darkswap_browser.node.config import NetworkConfig
from darkswap_browser.runtime.base.host import Runtime
from darkswap_browser.runtime.select import DataFolder
from darkswap_browser.version import AGENT

MAX_EVENTS = 50
"""The latest, of which a report tells."""
TOLD_FIELDS = ("state", "code", "reason", "retrying", "transport", "path", "count")


class DiagnosedNode(NodeOwner):
    def __init__(
        self,
        config: NetworkConfig | None = None,
        runtime: Runtime | None = None,
        *,
        data: DataFolder | None = None,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        super().__init__(config, runtime, data=data, limits=limits)
        self._recent: deque[Mapping[str, object]] = deque(maxlen=MAX_EVENTS)
        self._facts.subscribe(self._remember)

    _more_checks: Checks = MappingProxyType({})
    _dated: tuple[str, ...] = ()

    async def run_diagnostics(self) -> AsyncIterator[DiagnosticCheck]:
        """`async for check in network.run_diagnostics()`: what the node needs is tried out, part by part.

        No check raises what it finds; one that takes longer than 15 s has failed.

        Cancellation: Safe, as is leaving the loop; what the check began is ended.
        """
        for name in self.diagnostic_names():
            yield await self.run_diagnostic(name)

    def diagnostic_names(self) -> tuple[str, ...]:
        """The checks of `run_diagnostics`, in their order."""
        return tuple(self._checks())

    async def run_diagnostic(self, name: str) -> DiagnosticCheck:
        """One check of `run_diagnostics`. Raises `InvalidArgument`. Cancellation: Safe; what it began is ended."""
        checks = self._checks()
        if name not in checks:
            raise InvalidArgument("name", f"{name!r} is no check", f"There are {', '.join(checks)}.")
        return await judged(name, checks[name], self.runtime)

    async def create_report(self, checks: Sequence[DiagnosticCheck] = ()) -> Mapping[str, object]:
        """What to hand to whoever helps: versions, the checks, figures and the latest events, as plain values.

        It names no peer, address, server or key: parts of texts that could are replaced by what they are.

        Args:
            checks: Of `run_diagnostics`; none: they are run now.

        Cancellation: Safe; it only reads.
        """
        made = checks or [check async for check in self.run_diagnostics()]
        stats = plain(await self.get_stats()) if self.is_running else {}
        report = {
            "package": AGENT,
            "python": f"{sys.implementation.name} {sys.version.split()[0]} on {sys.platform}",
            "host": self.runtime.name,
            "configuration": {
                "network": self.config.bitcoin_network,
                "relays": len(self.config.relays),
                "ice_servers": len(self.config.ice_servers),
                "direct": self.config.direct,
                "relay_only": self.config.relay_only,
                "accept": self.config.accept,
                "signaling": self.config.signaling,
                "persist": self.config.persist,
            },
            "checks": [plain(each) for each in made],
            "stats": stats,
            "events": [plain(each) for each in self._recent],
        }
        found = redacted(report)
        assert isinstance(found, dict)
        return found

    def _remember(self, event: DarkSwapEvent) -> None:
        told = {name: event.fields[name] for name in TOLD_FIELDS if name in event.fields}
        self._recent.append({"at": event.at, "type": event.type, **told})

    async def get_stats(self) -> NodeStats:
        """Figures of the whole node, its relays and peers. Cancellation: As `start`."""
        await self._up()
        return await self._inspect().node_stats()

    def _inspect(self) -> NodeInspector:
        if self._inspection is None:
            raise NotConnected("a node that was not started")
        return self._inspection

    def add_checks(self, checks: Checks, dated: Sequence[str]) -> None:
        """More of `run_diagnostics`. `dated`: URLs whose answers may tell the time."""
        self._more_checks = {**self._more_checks, **checks}
        self._dated = (*self._dated, *dated)

    def _checks(self) -> Checks:
        return {**NodeChecks(self, self._make_other, self._dated).checks(), **self._more_checks}

    @abstractmethod
    def _make_other(self, config: NetworkConfig) -> NodeOwner:
        """A second node on the same host, of an identity of its own."""
