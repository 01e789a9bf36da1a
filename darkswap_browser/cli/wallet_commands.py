"""`darkswap wallet …`: made, shown and kept without starting a node."""

from __future__ import annotations

import json

from darkswap_browser.cli import formatting, prompts
from darkswap_browser.cli.session import WALLET, Session, resolve_prefix, to_dict, to_dicts
from darkswap_browser.cli.tables import pairs
from darkswap_browser.errors import ChainError, InvalidArgument, MalformedMessage
from darkswap_browser.wire.parsing import parse_json

WARNING = (
    "On mainnet its coins are real. This wallet is for test networks and small sums: its keys lie in this program's "
    "memory while it runs, and whoever has the store and the passphrase has the coins."
)
MAX_ANSWER = 64 * 1024
FAUCET_SECONDS = 30.0


async def create(session: Session) -> None:
    await _make(session, {})
    session.out.print_note("Write its words down on paper: darkswap wallet words")


async def restore(session: Session) -> None:
    await _free(session)
    await _make(session, {"mnemonic": prompts.prompt_mnemonic(session.terminal)})


async def _free(session: Session) -> None:
    if await session.has_wallet():
        hint = "darkswap wallet show tells of it; for another one use another --data folder."
        raise InvalidArgument("wallet", f"one is kept here for {session.config.bitcoin_network} already", hint)


async def _make(session: Session, words: dict[str, object]) -> None:
    await _free(session)
    if session.config.bitcoin_network == "mainnet":
        session.out.print_note(WARNING)
    passphrase = prompts.passphrase(session.environment, session.terminal, twice=True)
    info = await session.node.open_wallet({"type": "seed", "name": WALLET, "passphrase": passphrase, **words})
    where = [("Assets", info.address), ("Bitcoin", info.payment_address), ("Network", info.network)]
    session.out.value(info, pairs(where))


async def show(session: Session) -> None:
    info, _ = await session.unlock()
    balances = await session.node.get_balances()
    lines = formatting.wallet_lines(to_dict(info), to_dicts(balances))
    session.out.value({**to_dict(info), "balances": to_dicts(balances)}, lines)


async def coins(session: Session) -> None:
    await session.unlock()
    found = await session.node.get_coins()
    session.out.value(list(found), formatting.coin_lines(to_dicts(found)))


async def words(session: Session) -> None:
    _, passphrase = await session.unlock()
    shown = await session.node.export_mnemonic(passphrase)
    session.out.print_note("Whoever reads these words has the coins. Write them down on paper, in this order.")
    session.out.value({"mnemonic": shown}, [shown])


async def freeze(session: Session) -> None:
    await _freeze(session, on=True)


async def unfreeze(session: Session) -> None:
    await _freeze(session, on=False)


async def release(session: Session) -> None:
    outpoint = await _coin(session)
    await session.node.release_coin(outpoint)
    session.out.value({"outpoint": outpoint}, [f"{outpoint} is free."])


async def _coin(session: Session) -> str:
    await session.unlock()
    known = [each.outpoint for each in await session.node.get_coins()]
    return resolve_prefix("coin", session.given.coin, known)


async def _freeze(session: Session, *, on: bool) -> None:
    outpoint = await _coin(session)
    await session.node.freeze_coin(outpoint, on)
    session.out.value({"outpoint": outpoint, "frozen": on}, [f"{outpoint} is {'frozen' if on else 'free'}."])


async def faucet(session: Session) -> None:
    url = session.config.trading.faucet
    if not url:
        raise InvalidArgument("faucet", "is not named by the configuration", "Only test chains have one.")
    info, _ = await session.unlock()
    asset = await session.asset(session.given.asset)
    wanted = {"address": info.payment_address if asset == "BTC" else info.address, "asset": asset}
    if session.given.atoms is not None:
        wanted["atoms"] = str(session.given.atoms)
    answer = await session.runtime.fetch.request(
        "POST",
        url,
        headers={"Content-Type": "application/json"},
        body=json.dumps(wanted).encode(),
        timeout=FAUCET_SECONDS,
        max_bytes=MAX_ANSWER,
    )
    text = answer.body.decode("utf-8", "replace")
    if answer.status != 200:
        raise ChainError("the faucet", f"answers {answer.status}: {text[:200]}")
    session.out.value({"asset": asset, "txid": _txid(text)}, [f"{session.names.label(asset)} given by {_txid(text)}."])


def _txid(text: str) -> str:
    try:
        return str(parse_json("the faucet's answer", text, max_depth=4)["txid"])[:64]
    except (MalformedMessage, KeyError, TypeError):
        raise ChainError("the faucet", "answers something else than a txid") from None
