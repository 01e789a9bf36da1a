"""Wallets, orders and trades in words and tables. A sheet is a plain mapping, from a call or an event."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from darkswap_browser.cli.tables import cut, pairs, table
from darkswap_browser.market.amounts import format_amount

Record = Mapping[str, Any]
SHORT = 10
"""Characters of an id in tables: enough to name one of thousands."""
MAX_NAME = 40
PHASES = {
    "requesting": "the maker is asked",
    "validating": "somebody takes it; the coins are being checked",
    "verifying": "the transaction is built again and checked",
    "reviewing": "waits for your yes",
    "signing": "signing",
    "offered": "the taker decides",
    "countersigning": "the taker has signed; signing",
    "broadcasting": "signed by both; offered to the network",
    "signatures_out": "signed; the maker completes it",
    "exposed": "your signature is out, and the maker does not answer",
    "revoking": "your signature is being taken back",
    "conflicted": "another transaction spent one of its coins",
    "completed": "completed",
    "settled": "completed, for good",
    "revoked": "your signature was taken back",
    "failed": "failed",
    "canceled": "canceled",
    "expired": "took too long",
}
ORDER_EVENTS = {"order_created", "order_updated", "order_canceled", "order_expired", "order_filled"}


class AssetNames:
    """What assets are called, as far as sheets have told."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {"BTC": "BTC"}

    def learn(self, asset: str, name: str) -> None:
        self._names[asset] = name

    def learn_orders(self, orders: Iterable[Record]) -> None:
        for order in orders:
            for side in ("base", "quote"):
                self.learn(order[f"{side}_asset"], order[side]["name"])

    def label(self, asset: str) -> str:
        """The name never stands without the id: names identify nothing."""
        name = self._names.get(asset, asset)
        return asset if asset == "BTC" or name == asset else f"{cut(name, MAX_NAME)} ({asset})"

    def legend(self, assets: Iterable[str]) -> list[str]:
        known = sorted({asset for asset in assets if asset != "BTC" and self._names.get(asset, asset) != asset})
        return ["", *(f"{asset} is {cut(self._names[asset], MAX_NAME)}" for asset in known)] if known else []


def short(identity: str) -> str:
    return identity[:SHORT]


def short_coin(outpoint: str) -> str:
    txid, _, vout = outpoint.partition(":")
    return f"{short(txid)}:{vout}"


def moment(seconds: float | None) -> str:
    """Local time."""
    return "" if seconds is None else f"{datetime.datetime.fromtimestamp(seconds):%Y-%m-%d %H:%M:%S}"


def left(until: int, now: float) -> str:
    seconds = int(until - now)
    for unit, size in (("d", 86_400), ("h", 3600), ("m", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s" if seconds > 0 else "over"


# --- wallets


def wallet_lines(info: Record, balances: Sequence[Record]) -> list[str]:
    rows = [
        [each["asset"], cut(each["name"], MAX_NAME), each["available"], each["pending"], each["locked"]]
        for each in balances
    ]
    figures = ("FREE", "PENDING", "RESERVED")
    where = [("Assets", info["address"]), ("Bitcoin", info["payment_address"]), ("Network", info["network"])]
    unknown = sum(each["unknown_atoms"] for each in balances)
    doubt = [f"{unknown} sats lie on coins that no index vouches for; they are not spent."] if unknown else []
    return [*pairs(where), "", *table(["ASSET", "NAME", *figures], rows, right=figures), *doubt]


def coin_lines(coins: Sequence[Record]) -> list[str]:
    def holds(coin: Record) -> str:
        assets = [f"{each['amount']} {each['asset']}" for each in coin["assets"]]
        return ", ".join([*assets, *("an inscription" for _ in coin["inscriptions"])]) or ("" if coin["known"] else "?")

    names = AssetNames()
    for coin in coins:
        for each in coin["assets"]:
            names.learn(each["asset"], each["name"])
    rows = [[short_coin(each["outpoint"]), str(each["sats"]), each["state"], holds(each)] for each in coins]
    legend = names.legend(asset["asset"] for coin in coins for asset in coin["assets"])
    return [*table(["COIN", "SATS", "STATE", "HOLDS"], rows, right=["SATS"]), *legend] if rows else ["No coins."]


# --- orders


def offer(order: Record, names: AssetNames) -> str:
    """What its maker does: "sell 100 NAME (RUNE:1:1) for 0.0005 BTC"."""
    base, quote = names.label(order["base_asset"]), names.label(order["quote_asset"])
    return f"{order['side']} {order['amount']} {base} for {order['total']} {quote}"


def order_table(orders: Sequence[Record], names: AssetNames, now: float) -> list[str]:
    if not orders:
        return ["No orders."]
    titles = ("ORDER", "MAKER", "SIDE", "AMOUNT", "ASSET", "TOTAL", "FOR", "LEFT", "STATUS", "ENDS")
    rows = [
        [
            short(each["id"]),
            "you" if each["is_local"] else each["maker"][-6:],
            each["side"],
            each["amount"],
            each["base_asset"],
            each["total"],
            each["quote_asset"],
            each["remaining_amount"],
            each["status"],
            left(each["expires_at"], now),
        ]
        for each in orders
    ]
    legend = names.legend(asset for each in orders for asset in (each["base_asset"], each["quote_asset"]))
    return [*table(titles, rows, right=("AMOUNT", "TOTAL", "LEFT")), *legend]


def order_lines(order: Record, names: AssetNames) -> list[str]:
    base, quote = names.label(order["base_asset"]), names.label(order["quote_asset"])
    funded = {True: "yes", False: "no: its coins are spent", None: "not known now"}[order.get("funded")]
    return pairs(
        [
            ("Order", order["id"]),
            ("Maker", order["maker"] + (" (you)" if order["is_local"] else "")),
            ("Offer", offer(order, names)),
            ("Price", f"{order['price']} {quote} for 1 {base}"),
            ("Left", f"{order['remaining_amount']} (at least {order['min_amount']} at once)"),
            ("Filled", order["filled_amount"]),
            ("Fee", {"own_weight": "each pays its own weight", "taker_pays": "the taker pays"}[order["fee_rule"]]),
            ("Most", f"{order['max_fee_sats']} sats of fee are the maker's for one part"),
            ("To sign", f"a taker has {order['signing_seconds']} seconds"),
            ("Status", order["status"]),
            ("Funded", funded),
            ("Made", moment(order["created_at"])),
            ("Ends", moment(order["expires_at"])),
        ]
    )


def order_line(order: Record, names: AssetNames) -> str:
    lacking = " Its coins are spent." if order.get("funded") is False else ""
    done = f"{order['remaining_amount']} of {order['amount']} {names.label(order['base_asset'])} left"
    return f"order {short(order['id'])}: {order['status']}, {done}.{lacking}"


# --- trades


def status_line(trade: Record) -> str:
    """Where it stands, in a few words."""
    phase = str(trade["phase"])
    if phase != "pending":
        return PHASES.get(phase, phase)
    if not is_sent(trade):
        return "both have signed; it is sent to the network"
    return f"waits for a block ({trade['confirmations']} so far)" if trade["confirmations"] else "waits for a block"


def is_sent(trade: Record) -> bool:
    """The network has its transaction."""
    return any(step["name"] == "confirm" and step["state"] in ("active", "done") for step in trade["steps"])


def sent_txid(trade: Record) -> str:
    """Of a transaction that others may have seen; empty before both have signed it."""
    known = any(step["name"] == "confirm" and step["state"] != "todo" for step in trade["steps"])
    return str(trade.get("txid", "")) if known else ""


def is_over(trade: Record) -> bool:
    return trade["status"] in ("completed", "failed", "canceled")


def trade_summary(trade: Record, names: AssetNames) -> str:
    """From this side: "give 50 NAME (RUNE:1:1), get 0.0005 BTC"."""
    base = f"{trade['amount']} {names.label(trade['base_asset'])}"
    quote = f"{trade['total']} {names.label(trade['quote_asset'])}"
    gives_base = (trade["side"] == "sell") == (trade["role"] == "maker")
    return f"give {base}, get {quote}" if gives_base else f"give {quote}, get {base}"


def trade_table(trades: Sequence[Record], names: AssetNames) -> list[str]:
    if not trades:
        return ["No trades."]
    titles = ("TRADE", "ORDER", "ROLE", "SIDE", "AMOUNT", "ASSET", "TOTAL", "FOR", "STATUS", "BEGAN")
    rows = [
        [
            short(each["id"]),
            short(each["order_id"]),
            each["role"],
            each["side"],
            each["amount"],
            each["base_asset"],
            each["total"],
            each["quote_asset"],
            each["status"],
            moment(each["created_at"])[5:16],
        ]
        for each in trades
    ]
    legend = names.legend(asset for each in trades for asset in (each["base_asset"], each["quote_asset"]))
    return [*table(titles, rows, right=("AMOUNT", "TOTAL")), *legend]


def trade_lines(trade: Record, names: AssetNames) -> list[str]:
    reason = trade.get("reason")
    return pairs(
        [
            ("Trade", trade["id"]),
            ("Order", trade["order_id"]),
            ("With", trade["peer_id"]),
            ("You", f"{trade_summary(trade, names)} (as its {trade['role']})"),
            ("Status", f"{trade['status']}: {status_line(trade)}"),
            ("Why", reason["message"] if reason else ""),
            ("Advice", trade["advice"]),
            ("Txid", sent_txid(trade)),
            ("Began", moment(trade["created_at"])),
            ("Done", moment(trade.get("completed_at"))),
        ]
    )


def voucher_line(trade: Record) -> str:
    """Whose word it is that the other side's coins hold what they are said to."""
    needed, servers = int(trade["vouched_by"]), trade["vouchers"]
    who = "ONE server" if needed == 1 else f"{needed} servers that agree"
    return f"The contents of the other side's coins are vouched for by {who}: {', '.join(servers) or 'none is set'}."


def effect_lines(effect: Record, names: AssetNames) -> list[str]:
    """What the very transaction does, as the engine computed it from its inputs and outputs."""

    def amounts(of: Sequence[Record]) -> str:
        for each in of:
            names.learn(each["asset"], each["name"])
        return ", ".join(f"{each['amount']} {names.label(each['asset'])}" for each in of)

    fee = f"{effect['fee_sats']} sats ({format_amount(int(effect['fee_sats']), 8)} BTC)"
    return pairs(
        [
            ("You give", amounts(effect["gives"]) or "nothing"),
            ("You get", amounts(effect["gets"]) or "nothing"),
            ("Fee", fee),
        ]
    )


def trade_line(trade: Record) -> str:
    reason, txid = trade.get("reason"), sent_txid(trade)
    why = f" {reason['message']}" if reason else ""
    return f"trade {short(trade['id'])}: {status_line(trade)}.{why}" + (f" Txid {txid}." if txid else "")


# --- events


def event_line(kind: str, fields: Record, names: AssetNames) -> str:
    """Empty for what people need not know."""
    if kind in ORDER_EVENTS:
        names.learn_orders([fields["order"]])
        return order_line(fields["order"], names)
    if kind.startswith("trade_"):
        return trade_line(fields["trade"])
    if kind == "relay:reserved":
        return f"relay {fields['relay_peer_id'][-8:]}: can be met there."
    if kind in ("relay:lost", "relay:failed"):
        what = "lost" if kind == "relay:lost" else "no reservation"
        again = " It is asked again." if fields.get("retrying") else ""
        return f"relay {fields['relay_peer_id'][-8:]}: {what}. {fields['reason']}.{again}"
    return f"{fields['message']} {fields.get('hint', '')}" if kind == "error" else ""
