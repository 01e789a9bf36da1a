"""One run of a verb: the store, the configuration, the node, and what it tells; ended in order, whatever happens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from darkswap_browser.api.darkswap import DarkSwap
from darkswap_browser.api.network import Network
from darkswap_browser.api.records import DarkSwapEvent
from darkswap_browser.api.serialization import plain
from darkswap_browser.api.trading.records import WalletInfo
from darkswap_browser.cli import configuration, formatting, prompts
from darkswap_browser.cli.options import Options
from darkswap_browser.cli.output import Output
from darkswap_browser.cli.prompts import Terminal
from darkswap_browser.errors import DarkSwapError, InvalidArgument
from darkswap_browser.identity.peer_id import PeerId
from darkswap_browser.node.config import NetworkConfig
from darkswap_browser.node.identity import hold_identity, load_identity
from darkswap_browser.runtime.base.host import Runtime
from darkswap_browser.wallets.seed import SeedWalletStore

WALLET = "default"
RELAY_SECONDS = 15.0
"""Until a relay that does not answer is no longer waited for; it is asked again in the background."""
LEAST_PREFIX = 4
TOLD = ("order_", "trade_", "relay:", "error")
NO_RELAY = "Name one with --relay /dns4/…/tcp/443/wss/p2p/12D3KooW…, or in the configuration."


class Session:
    """`runtime` has the store; the node is made of it and started by `running_node` alone, for others may be using
    it.
    """

    def __init__(
        self,
        options: Options,
        config: NetworkConfig,
        runtime: Runtime,
        out: Output,
        terminal: Terminal,
        environment: Mapping[str, str],
    ) -> None:
        self.given: Any = options.given
        self.config = config
        self.runtime = runtime
        self.out = out
        self.terminal = terminal
        self.environment = environment
        self.names = formatting.AssetNames()
        self.node = DarkSwap(config, runtime)
        self.events: asyncio.Queue[DarkSwapEvent] = asyncio.Queue()
        """Those that this program tells: of orders, trades and relays."""
        self.node.subscribe(self._happened)

    @classmethod
    async def open(
        cls, options: Options, runtime: Runtime, out: Output, terminal: Terminal, environment: Mapping[str, str]
    ) -> Session:
        config = await configuration.load(options, runtime.fetch)
        return cls(options, config, runtime, out, terminal, environment)

    def _happened(self, event: DarkSwapEvent) -> None:
        if event.type.startswith(TOLD):
            self.events.put_nowait(event)

    # --- the wallet

    async def has_wallet(self) -> bool:
        vault = SeedWalletStore(self.runtime.store, self.runtime.crypto, self.runtime.entropy, self.runtime.locks)
        return WALLET in await vault.names(self.config.bitcoin_network)

    async def unlock(self) -> tuple[WalletInfo, str]:
        """The wallet that is kept, and its passphrase. Raises `InvalidArgument`, `WalletFailed`."""
        if not await self.has_wallet():
            hint = "Make one: darkswap wallet create. Or: darkswap wallet restore."
            raise InvalidArgument("wallet", f"none is kept here for {self.config.bitcoin_network}", hint)
        passphrase = prompts.passphrase(self.environment, self.terminal)
        return await self.node.open_wallet({"type": "seed", "name": WALLET, "passphrase": passphrase}), passphrase

    # --- the node

    @asynccontextmanager
    async def running_node(self, *, meet: bool = False, patient: bool = False) -> AsyncIterator[DarkSwap]:
        """The node, up, with its wallet and what was going on. `meet`: takers must find us, so a relay is needed, at
        once or, when `patient`, as soon as one serves.

        Raises `IdentityInUse` before anything is done: a second node of one identity would take the first one's
        place at the relays.
        """
        await self._alone()
        if meet and not self.config.relays:
            raise InvalidArgument("relays", "are missing: nobody could find you", NO_RELAY)
        await self.unlock()
        try:
            await Network.start(self.node)
            if meet:
                # Before the orders: one that is renewed at once must say where its maker is met.
                await self._reserve(patient=patient)
            await self.node.resume_trades()
            yield self.node
        finally:
            await self.node.stop()

    async def _alone(self) -> None:
        identity = await load_identity(self.config, self.runtime)
        held = await hold_identity(self.config, self.runtime, identity)
        await held.aclose()

    async def _reserve(self, *, patient: bool) -> None:
        """A place at each relay. Raises what the last one said when none gives one and nobody is `patient`."""
        relays = {relay for address in self.config.relays if (relay := address.peer_id()) is not None}
        said = await asyncio.gather(*(self._reserve_at(relay) for relay in relays))
        failures = [error for error in said if error is not None]
        if failures and len(failures) == len(said) and not patient:
            raise failures[-1]
        for error in failures:
            self.out.print_note(f"A relay does not serve now: {error}. It is asked again.")

    async def _reserve_at(self, relay: PeerId) -> DarkSwapError | None:
        try:
            async with asyncio.timeout(RELAY_SECONDS):
                await self.node.make_relay_reservation(str(relay))
        except TimeoutError:
            return InvalidArgument("relay", f"{relay} does not answer", "Check its address, and that it runs.")
        except DarkSwapError as error:
            return error
        return None

    # --- things by the beginning of their names

    async def order_id(self, prefix: str, *, local: bool = True) -> str:
        """`local`: of ours only."""
        orders = [each for each in await self.node.kept_orders() if each.is_local or not local]
        return resolve_prefix("order", prefix, [each.id for each in orders])

    async def trade_id(self, prefix: str) -> str:
        return resolve_prefix("trade", prefix, [each.id for each in await self.node.kept_trades()])

    async def asset(self, text: str) -> str:
        """The id of an asset, which may be given as a rune's name."""
        if text == "BTC" or ":" in text:
            return text
        found = await self.node.get_rune_info(text)
        if found is None:
            raise InvalidArgument("asset", f"no rune is called {text!r}", "Write RUNE:840000:1 or ALKANE:2:0.")
        self.names.learn(found.asset, found.name)
        return found.asset

    async def learn_names(self) -> None:
        self.names.learn_orders(to_dicts(await self.node.kept_orders()))

    def now(self) -> float:
        return self.runtime.clock.now()


def resolve_prefix(what: str, prefix: str, known: Sequence[str]) -> str:
    """The one of `known` that begins so; a coin's may be cut short before its colon. Raises `InvalidArgument`."""
    begin, colon, end = prefix.strip().lower().partition(":")
    if prefix.strip().lower() in known:
        return prefix.strip().lower()
    if len(begin) < LEAST_PREFIX:
        raise InvalidArgument(what, f"{prefix!r} is too short", f"Write at least {LEAST_PREFIX} characters of its id.")
    found = [each for each in known if each.startswith(begin) and (not colon or each.partition(":")[2] == end)]
    if not found:
        raise InvalidArgument(what, f"none that is kept here begins with {prefix!r}", "List them to see their ids.")
    if len(found) > 1:
        raise InvalidArgument(what, f"{len(found)} begin with {prefix!r}", "Write more of its id.")
    return found[0]


def to_dict(record: object) -> dict[str, Any]:
    """A record as the plain mapping that events hold too."""
    shape = plain(record)
    return shape if isinstance(shape, dict) else {}


def to_dicts(records: Sequence[object]) -> list[dict[str, Any]]:
    return [to_dict(each) for each in records]
