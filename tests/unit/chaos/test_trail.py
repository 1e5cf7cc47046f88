"""The check of an account's log on the cluster can fail: every kind of lie in it is found."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from tests.e2e.operator.trail import event_to_fill_s, judge_guards, judge_trail

Row = dict[str, Any]


def row(kind: str, **record: Any) -> Row:
    return {"sequence": 1, "index": 0, "kind": kind, "record": record}


def decision(name: str, at_ms: int) -> Row:
    known = {"id": name, "strategy": "s", "market": "BTC/USDT", "event_ordinal": 0, "index": 0}
    return row("accepted", decision={**known, "event_time_ms": at_ms})


def fill(trade_id: str, cid: str) -> Row:
    known = {"market": "BTC/USDT", "client_order_id": cid, "quantity": "0.01"}
    return row("fill", fill={**known, "trade_id": trade_id})


ROWS = [
    row("epoch", epoch=1),
    decision("d1", 1),
    row("intent", cid="c1"),
    fill("1", "c1"),
    row("closed", id="d1"),
    decision("d2", 2),
    row("intent", cid="c2"),
    fill("2", "c2"),
    row("closed", id="d2"),
]
TRADES = [
    {"trade_id": 1, "client_order_id": "c1", "last_quantity": "0.01"},
    {"trade_id": 2, "client_order_id": "c2", "last_quantity": "0.010"},
]


def test_an_honest_log_passes() -> None:
    assert judge_trail(ROWS, TRADES) == {"decisions": 2, "orders": 2, "fills": 2, "epochs": 1}


LIES = {
    "an outcome is missing": (8, None),
    "two outcomes": (8, row("closed", id="d1")),
    "a decision twice": (5, decision("d1", 2)),
    "an older decision after a newer one": (5, decision("d2", 0)),
    "a client order id twice": (6, row("intent", cid="c1")),
    "a trade of an order that nobody intended": (6, row("intent", cid="c9")),
    "a fill twice": (7, fill("1", "c1")),
    "a fill that never happened": (7, fill("3", "c2")),
    "a fill that is missing": (7, None),
    "a fill of another order": (7, fill("2", "c1")),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_lie_is_found(lie: str) -> None:
    position, told = LIES[lie]
    rows = copy.deepcopy(ROWS)
    rows[position : position + 1] = [told] if told else []
    with pytest.raises(AssertionError):
        judge_trail(rows, TRADES)


def test_a_trade_that_the_log_does_not_know_is_found() -> None:
    with pytest.raises(AssertionError):
        judge_trail(ROWS, [*TRADES, {"trade_id": 3, "client_order_id": "c2", "last_quantity": "0.01"}])


def test_a_fill_took_from_the_event_that_was_decided_on_until_it_is_in_the_log() -> None:
    rows = [
        decision("d1", 1000),
        row("intent", cid="c1", decision_id="d1"),
        row("fill", fill={"client_order_id": "c1"}) | {"time": "1970-01-01T00:00:01.250000+00:00"},
    ]
    assert event_to_fill_s(rows) == [0.25]


def entry(kind: str, cid: str, at_ms: int, **more: Any) -> Row:
    known = {"symbol": "BTC/USDT", "side": "SELL", "quantity": "2", "price": "95", "stop_price": "0"}
    known |= {"filled": "0", "status": "NEW", "commission": "0", "commission_asset": "USDT"}
    return {**known, "kind": kind, "client_order_id": cid, "time_ms": at_ms, **more}


def guard(cid: str, trigger: str | None, group: str = "pair") -> Row:
    known = {"purpose": "Protective", "quantity": "2", "price": "95", "trigger": trigger, "group": group}
    return row("intent", cid=cid, **known)


FILLED = {"status": "FILLED", "filled": "2", "last_quantity": "2"}
GUARDS = [
    row("intent", cid="buy", purpose="Target", group=""),
    guard("stop", "96"),
    guard("profit", None),
]
SOLD_ONCE = [
    entry("NEW", "buy", 1, side="BUY"),
    entry("TRADE", "buy", 1, side="BUY", **FILLED),
    entry("NEW", "stop", 2, stop_price="96"),
    entry("NEW", "profit", 2),
    entry("TRIGGERED", "stop", 3, stop_price="96"),
    entry("TRADE", "stop", 3, stop_price="96", **FILLED),
    entry("EXPIRED", "profit", 3, status="EXPIRED"),
]


def test_a_pair_of_which_one_sold_passes() -> None:
    assert judge_guards(GUARDS, SOLD_ONCE) == {"protective": 2, "sold by protection": 1}


OF_GUARDS = {
    "the other is left behind": [*SOLD_ONCE[:-1]],
    "another quantity": [*SOLD_ONCE[:2], entry("NEW", "stop", 2, stop_price="96", quantity="1")],
    "another trigger": [*SOLD_ONCE[:2], entry("NEW", "stop", 2, stop_price="97"), *SOLD_ONCE[3:]],
    "a buy that protects": [*SOLD_ONCE[:2], entry("NEW", "stop", 2, stop_price="96", side="BUY")],
    "nothing is held": [*SOLD_ONCE[2:4], entry("CANCELED", "stop", 4, status="CANCELED")],
}


@pytest.mark.parametrize("lie", OF_GUARDS)
def test_a_lie_about_protection_is_found(lie: str) -> None:
    with pytest.raises(AssertionError):
        judge_guards(GUARDS, OF_GUARDS[lie])


def test_two_orders_that_do_not_cancel_one_another_sell_too_much() -> None:
    apart = [GUARDS[0], guard("stop", "96", ""), guard("profit", None, "")]
    with pytest.raises(AssertionError):
        judge_guards(apart, SOLD_ONCE)
