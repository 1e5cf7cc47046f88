"""An account's own log against the exchange's journal, after a run on the cluster.

The log is what `smarttrade audit export` reads, one row a record. What the rows say of every decision must be
one story, and the journal's trades must be the ledger's fills, each once. What protects is judged by the
journal: it sells what is held, once, where it was meant to, and nothing of it is left in the end.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any

Row = dict[str, Any]
_DUST = Decimal("0.0001")


def judge_trail(rows: Iterable[Row], trades: Iterable[Row]) -> dict[str, int]:
    """How much there was to judge; AssertionError names what is lost or doubled."""
    of: dict[str, list[Row]] = {}
    for row in rows:
        of.setdefault(row["kind"], []).append(row["record"])
    accepted = [record["decision"] for record in of.get("accepted", [])]
    closed = Counter(record["id"] for record in of.get("closed", []))
    intents = of.get("intent", [])
    fills = [record["fill"] for record in of.get("fill", [])]
    _once("decision accepted", (decision["id"] for decision in accepted))
    for decision in accepted:
        assert closed[decision["id"]] == 1, f"{decision['id']} has {closed[decision['id']]} outcomes"
    _rising(accepted)
    _once("client order id intended", (intent["cid"] for intent in intents))
    _once("fill recorded", ((fill["market"], fill["trade_id"]) for fill in fills))
    known = {intent["cid"] for intent in intents}
    happened = {str(trade["trade_id"]): trade for trade in trades}
    for trade in happened.values():
        assert trade["client_order_id"] in known, f"nobody intended {trade}"
    recorded = {fill["trade_id"]: fill for fill in fills}
    assert recorded.keys() == happened.keys(), recorded.keys() ^ happened.keys()
    for trade_id, fill in recorded.items():
        told = happened[trade_id]
        assert Decimal(fill["quantity"]) == Decimal(told["last_quantity"]), (fill, told)
        assert fill["client_order_id"] == told["client_order_id"], (fill, told)
    return {
        "decisions": len(accepted),
        "orders": len(intents),
        "fills": len(fills),
        "epochs": len(of["epoch"]),
    }


def judge_guards(rows: Iterable[Row], entries: Iterable[Row]) -> dict[str, int]:
    """Of one market that ended with nothing open. How many orders protected, and how many of them sold;
    AssertionError names what sold, or might have sold, more than was held."""
    intents = {row["record"]["cid"]: row["record"] for row in rows if row["kind"] == "intent"}
    guards = {cid: each for cid, each in intents.items() if each["purpose"] == "Protective"}
    position, open_sells = Decimal(0), dict[str, Decimal]()
    rested, sold, last_ms = set[str](), set[str](), 0
    for entry in entries:
        cid = entry["client_order_id"]
        if entry["time_ms"] != last_ms:  # one moment ends a pair's other order too
            _covered(position, open_sells, intents)
        last_ms = entry["time_ms"]
        if entry["kind"] == "NEW" and cid in guards:
            _as_intended(entry, guards[cid])
            rested.add(cid)
        if entry["kind"] == "TRADE":
            position += _received(entry)
            sold |= {cid} & rested
        if entry["side"] == "SELL":
            left = Decimal(entry["quantity"]) - Decimal(entry["filled"])
            open_sells[cid] = left if entry["status"] in ("NEW", "PARTIALLY_FILLED") else Decimal(0)
    assert not any(open_sells.values()), f"left behind: {open_sells}"
    return {"protective": len(rested), "sold by protection": len(sold)}


def _covered(position: Decimal, open_sells: dict[str, Decimal], intents: dict[str, Row]) -> None:
    """Working sells, a pair once, are no more than is held."""
    locked: dict[str, Decimal] = {}
    for cid, left in open_sells.items():
        place = intents[cid]["group"] or cid
        locked[place] = max(locked.get(place, Decimal(0)), left)
    total = sum(locked.values(), Decimal(0))
    assert total <= position + _DUST, f"{total} is to be sold of {position}: {locked}"


def _as_intended(entry: Row, intent: Row) -> None:
    told = [Decimal(entry[name]) for name in ("quantity", "price", "stop_price")]
    meant = [Decimal(intent[name] or 0) for name in ("quantity", "price", "trigger")]
    assert entry["side"] == "SELL", entry
    assert told == meant, (entry, intent)


def _received(trade: Row) -> Decimal:
    """What a trade changes the position by."""
    base = trade["symbol"].partition("/")[0]
    fee = Decimal(trade["commission"]) if trade["commission_asset"] == base else Decimal(0)
    quantity = Decimal(trade["last_quantity"])
    return quantity - fee if trade["side"] == "BUY" else -quantity


def event_to_fill_s(rows: Iterable[Row]) -> list[float]:
    """Of each fill, oldest first: from the market's event that was decided on until the log has the fill."""
    events_ms: dict[str, int] = {}
    decided: dict[str, str] = {}
    taken_s = []
    for row in rows:
        record = row["record"]
        if row["kind"] == "accepted":
            events_ms[record["decision"]["id"]] = record["decision"]["event_time_ms"]
        elif row["kind"] == "intent":
            decided[record["cid"]] = record["decision_id"]
        elif row["kind"] == "fill":
            began_ms = events_ms[decided[record["fill"]["client_order_id"]]]
            taken_s.append(datetime.fromisoformat(row["time"]).timestamp() - began_ms / 1000)
    return taken_s


def _once(what: str, names: Iterable[Any]) -> None:
    doubled = [name for name, count in Counter(names).items() if count > 1]
    assert not doubled, f"{what} twice: {doubled}"


def _rising(accepted: Iterable[Row]) -> None:
    """No decision is taken after a newer one of its strategy and market."""
    marks: dict[tuple[str, str], tuple[int, int, int]] = {}
    for decision in accepted:
        key = (decision["event_time_ms"], decision["event_ordinal"], decision["index"])
        stream = (decision["strategy"], decision["market"])
        assert key > marks.get(stream, (-1, -1, -1)), f"{decision['id']} is older than one before it"
        marks[stream] = key
