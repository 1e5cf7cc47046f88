from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smarttrade.execution.equity import LossState
from smarttrade.execution.orders import Purpose
from smarttrade.execution.risk import CHECKS, Answer, Kind, check, reserve
from smarttrade.execution.view import Hold, Proposal, View
from smarttrade.messages import EffectiveState, Side
from tests.unit.execution_risk.building import BTC, ETH, NOW, order, spec, valuation, view

D = Decimal
S = EffectiveState


def buy(quantity: str = "1", price: str = "100", **more: Any) -> Proposal:
    return Proposal(**{"market": BTC, "side": Side.BUY, "quantity": D(quantity), "price": D(price), **more})


def sell(quantity: str = "1", price: str = "100", **more: Any) -> Proposal:
    return Proposal(**{"market": BTC, "side": Side.SELL, "quantity": D(quantity), "price": D(price), **more})


def verdict(proposal: Proposal, seen: View) -> tuple[Answer, str]:
    judged = check(proposal, seen)
    return judged.answer, judged.code


ALLOWED = (Answer.ALLOWED, "")


def test_an_order_within_every_limit_is_allowed_whole() -> None:
    judged = check(buy("10"), view())
    assert (judged.answer, judged.quantity) == (Answer.ALLOWED, D(10))


# Each row violates one limit for an opening order: code, proposal, view, and what the message must name.
LOST = LossState(day="2026-11-18", baseline=D(0), peak=D(0))
DENIALS: list[tuple[str, Proposal, View, tuple[str, ...]]] = [
    ("MarketNotListed", buy(market="DOGE/USDT"), view(), ("DOGE/USDT", "spec.markets")),
    ("DailyLoss", buy(), view(valuation=valuation("-200")), ("200", "risk.maxDailyLoss")),
    (
        "Drawdown",
        buy(),
        view(
            account=spec(risk={"maxDailyLoss": "9000"}),
            valuation=valuation("-1000"),
        ),
        ("0.1", "risk.maxDrawdown"),
    ),
    ("StateReduceOnly", buy(), view(state=S.REDUCE_ONLY), ("ReduceOnly by spec.state",)),
    ("StatePaused", buy(), view(state=S.PAUSED), ("Paused",)),
    ("StateFlatten", buy(), view(state=S.FLATTEN), ("Flatten",)),
    ("StateHalted", buy(), view(state=S.HALTED), ("Halted",)),
    ("ClockSkew", buy(), view(holds=(Hold("ClockSkew", "error 300 ms, limit 200 ms"),)), ("300", "200")),
    ("AllowedSides", buy(), view(account=spec(risk={"allowedSides": ["Sell"]})), ("Buy", "[Sell]")),
    ("PriceCollar", buy(price="102.01"), view(), ("102.01", "102", "0.02")),
    ("PriceCollar", buy(market=ETH, price="1"), view(marks={BTC: D(100)}), (ETH, "no price")),
    ("StaleData", buy(), view(fresh={ETH}), (BTC, "risk.staleDataSeconds 5")),
    ("StaleData", buy(), view(valuation=valuation(stale=(ETH,))), (ETH, "risk.staleDataSeconds 5")),
    ("StaleData", buy(), view(losses=LossState()), ("the account cannot be valued",)),
    (
        "Cooldown",
        buy(),
        view(account=spec(risk={"cooldownSeconds": 60}), last_losses_ms={BTC: NOW - 59_900}),
        ("59.9", "risk.cooldownSeconds is 60"),
    ),
    ("MaxOrderNotional", buy("10.01"), view(), ("1001", "risk.maxOrderNotional is 1000")),
    ("MaxPositionNotional", buy("6"), view(positions={BTC: "35"}), ("4100", BTC, "4000")),
    (
        "MaxPositionNotional",
        buy("6"),
        view(positions={BTC: "30"}, orders=(order(Side.BUY, "5"),)),
        ("4100", BTC, "4000"),
    ),
    (
        "MaxPositionNotional",
        buy("6"),
        view(positions={ETH: "450"}),
        ("5100", "risk.maxPositionNotional is 5000"),
    ),
    (
        "InsufficientCapital",
        buy("6"),
        view(account=spec(capital={"allocation": "5000", "perMarket": "5000"}), costs={ETH: D(4500)}),
        ("5100", "capital.allocation", "5000"),
    ),
    (
        "InsufficientCapital",
        buy("6"),
        view(account=spec(capital={"perMarket": "500"})),
        ("600", "capital.perMarket is 500"),
    ),
    (
        "InsufficientCapital",
        buy("10"),
        view(
            account=spec(capital={"allocation": "5000", "perMarket": "5000"}),
            valuation=valuation("-150"),
            costs={BTC: D(3900)},
        ),
        ("4900", "4850"),
    ),
    (
        "MinimumBalance",
        buy(),
        view(account=spec(risk={"minimumBalance": "50"}), free_balance=D(149)),
        ("49", "risk.minimumBalance is 50"),
    ),
    ("MinimumBalance", buy(), view(account=spec(risk={"minimumBalance": "50"})), ("unknown",)),
    (
        "MaxOpenPositions",
        buy(),
        view(account=spec(capital={"maxOpenPositions": 1}), orders=(order(Side.BUY, "1", market=ETH),)),
        ("1", "capital.maxOpenPositions is 1"),
    ),
    ("MaxOpenOrders", buy(rests=True), view(resting=20), ("20", "risk.maxOpenOrders is 20")),
    ("ExchangeMaxOrders", buy(rests=True), view(listed=196, listable=200), ("196", BTC, "200", "4 are kept")),
    (
        "ExchangeMaxStops",
        sell(purpose=Purpose.PROTECTIVE, rests=True, waits=True),
        view(positions={BTC: "35"}, stops=5, stoppable=5),
        ("5", BTC, "the exchange allows 5"),
    ),
    ("WouldCrossZero", sell(), view(), ("Sell 1", "0 held", "0 of it free")),
]


@pytest.mark.parametrize(
    ("code", "proposal", "seen", "named"), DENIALS, ids=[f"{n}-{row[0]}" for n, row in enumerate(DENIALS)]
)
def test_each_denial_has_its_code_and_names_value_and_limit(
    code: str, proposal: Proposal, seen: View, named: tuple[str, ...]
) -> None:
    judged = check(proposal, seen)
    assert (judged.answer, judged.code) == (Answer.DENIED, code)
    assert [word for word in named if word not in judged.message] == []


def test_every_check_denies_somewhere_in_the_table_of_denials() -> None:
    seen = {row[0] for row in DENIALS}
    named = {each.code for each in CHECKS} - {"State", "FirstOrder", "Hold"}
    assert named <= seen


@pytest.mark.parametrize(
    "proposal",
    [
        pytest.param(buy(price="102"), id="collar"),
        pytest.param(buy(price="50"), id="a bid below the market is no danger"),
        pytest.param(buy("10"), id="order notional"),
        pytest.param(sell("1", price="98"), id="selling at the collar"),
        pytest.param(sell("1", price="300"), id="an offer above the market is no danger"),
    ],
)
def test_exactly_at_a_limit_is_allowed(proposal: Proposal) -> None:
    assert verdict(proposal, view(positions={BTC: "5"})) == ALLOWED


def test_a_price_rise_past_the_limit_blocks_additions_only() -> None:
    risen = view(positions={BTC: "35"}, marks={BTC: D(200), ETH: D(10)}, costs={BTC: D(3500)})
    assert verdict(buy("1", "200"), risen) == (Answer.DENIED, "MaxPositionNotional")
    assert verdict(sell("5", "200"), risen) == ALLOWED


def test_profit_does_not_raise_what_may_be_used() -> None:
    account = spec(capital={"allocation": "5000", "perMarket": "5000"})
    seen = view(account=account, costs={BTC: D(4500)}, valuation=valuation("5000"))
    assert verdict(buy("6"), seen) == (Answer.DENIED, "InsufficientCapital")


def test_without_a_cooldown_a_loss_stamped_ahead_of_the_clock_holds_nothing_up() -> None:
    assert verdict(buy(), view(last_losses_ms={BTC: NOW + 3_000})) == ALLOWED


# --- the table: check x (opening, reducing, protective) ---

PROTECT = {"purpose": Purpose.PROTECTIVE, "rests": True}
HELD = {"positions": {BTC: "35"}}
COVERED = {"MarketNotListed", "DailyLoss", "Drawdown", "Hold", "StaleData", "Cooldown", "MaxOrderNotional"}
COVERED |= {"MaxPositionNotional", "InsufficientCapital", "MinimumBalance", "MaxOpenPositions"}


def everything_wrong(*listed: str, **more: Any) -> View:
    """A view in which every limit that may hold up an opening order does, with 35 BTC held."""
    account = spec(
        risk={"cooldownSeconds": 60, "minimumBalance": "50", "maxOrdersPerMinute": 1},
        capital={"maxOpenPositions": 1, "allocation": "5000", "perMarket": "1000"},
        markets=[{"symbol": market} for market in (ETH, *listed)],
    )
    wrong: dict[str, Any] = {
        "account": account,
        "marks": {BTC: D(1000), ETH: D(10)},
        "valuation": valuation("-9000", stale=(ETH,)),
        "fresh": set(),
        "last_losses_ms": {BTC: NOW},
        "free_balance": D(0),
        "sent_ms": (NOW - 10,),
        "holds": (Hold("ClockSkew", "bad clock"),),
        **HELD,
    }
    return view(**{**wrong, **more})


def test_nothing_but_side_collar_state_and_open_orders_holds_up_a_reducing_order() -> None:
    assert verdict(sell("1", "1000"), everything_wrong()) == ALLOWED
    for kind in (Kind.REDUCING, Kind.PROTECTIVE):
        assert not COVERED & {each.code for each in CHECKS if kind in each.applies_to}


@pytest.mark.parametrize("code", sorted(COVERED))
def test_the_same_view_denies_an_opening_order(code: str) -> None:
    """So that the exemption above is not for want of a violation: each check by itself finds something."""
    opening = buy("2", "1000", rests=True)
    listed = () if code == "MarketNotListed" else (BTC,)
    seen = everything_wrong(*listed, positions={ETH: "500"}, costs={ETH: D(5000)})
    findings = [each.test(opening, seen) for each in CHECKS if each.code == code]
    assert any(findings)


@pytest.mark.parametrize(
    ("kind", "proposal", "expected"),
    [
        ("AllowedSides", sell(), (Answer.DENIED, "AllowedSides")),
        ("AllowedSides", sell(purpose=Purpose.PROTECTIVE), ALLOWED),
        ("AllowedSides", sell(purpose=Purpose.FLATTEN), ALLOWED),
        ("PriceCollar", sell(price="97.99"), (Answer.DENIED, "PriceCollar")),
        ("PriceCollar", sell(price="50", purpose=Purpose.PROTECTIVE), ALLOWED),
        ("PriceCollar", sell(price="97.99", purpose=Purpose.FLATTEN), (Answer.DENIED, "PriceCollar")),
        ("MaxOpenOrders", sell(rests=True), (Answer.DENIED, "MaxOpenOrders")),
        ("MaxOpenOrders", sell(), ALLOWED),
        ("MaxOpenOrders", sell(purpose=Purpose.PROTECTIVE, rests=True), ALLOWED),
        ("ExchangeMaxOrders", sell(rests=True), (Answer.DENIED, "ExchangeMaxOrders")),
        ("ExchangeMaxOrders", sell(), ALLOWED),
        ("ExchangeMaxOrders", sell(purpose=Purpose.PROTECTIVE, rests=True), ALLOWED),
        ("WouldCrossZero", sell("36"), (Answer.DENIED, "WouldCrossZero")),
        ("WouldCrossZero", sell("36", purpose=Purpose.PROTECTIVE), (Answer.DENIED, "WouldCrossZero")),
        ("WouldCrossZero", sell("36", purpose=Purpose.FLATTEN), (Answer.DENIED, "WouldCrossZero")),
    ],
)
def test_which_checks_a_reducing_and_a_protective_order_must_pass(
    kind: str, proposal: Proposal, expected: tuple[Answer, str]
) -> None:
    seen = {
        "AllowedSides": view(account=spec(risk={"allowedSides": ["Buy"]}), **HELD),
        "MaxOpenOrders": view(resting=20, **HELD),
        "ExchangeMaxOrders": view(listed=196, listable=200, **HELD),
    }.get(kind, view(**HELD))
    assert verdict(proposal, seen) == expected


@pytest.mark.parametrize(
    ("state", "reducing", "exiting", "protective"),
    [
        (S.ACTIVE, True, True, True),
        (S.REDUCE_ONLY, True, True, True),
        (S.PAUSED, False, False, True),
        (S.FLATTEN, False, True, False),
        (S.HALTED, False, False, False),
    ],
)
def test_what_each_state_lets_reduce(
    state: EffectiveState, reducing: bool, exiting: bool, protective: bool
) -> None:
    seen = view(state=state, **HELD)
    purposes = [
        (Purpose.TARGET, reducing),
        (Purpose.FLATTEN, exiting),
        (Purpose.PROTECTIVE, protective),
    ]
    for purpose, allowed in purposes:
        expected = ALLOWED if allowed else (Answer.DENIED, f"State{state}")
        assert verdict(sell(purpose=purpose), seen) == expected


def test_a_reducing_order_is_cut_to_the_order_limit_and_protection_is_not() -> None:
    seen = view(**HELD)
    assert check(sell("35"), seen).quantity == 10
    assert check(sell("35", purpose=Purpose.PROTECTIVE), seen).quantity == 35


# --- pace ---


def test_a_throttled_order_waits_and_is_not_denied() -> None:
    account = spec(risk={"maxOrdersPerMinute": 3})
    sent = (NOW - 60_000, NOW - 50_000, NOW - 20_000, NOW - 10_000)
    judged = check(buy(), view(account=account, sent_ms=sent))
    assert (judged.answer, judged.code, judged.until_ms) == (Answer.WAIT, "MaxOrdersPerMinute", NOW + 10_000)
    assert verdict(buy(), view(account=account, sent_ms=sent[2:])) == ALLOWED


def test_reducing_orders_draw_on_a_reserve_and_protection_never_waits() -> None:
    account = spec(risk={"maxOrdersPerMinute": 3})
    sent = tuple(NOW - 30_000 for _ in range(3))
    used_up = sent + tuple(NOW - 20_000 for _ in range(reserve(3)))
    assert verdict(sell(), view(account=account, sent_ms=sent, **HELD)) == ALLOWED
    assert check(sell(), view(account=account, sent_ms=used_up, **HELD)).answer is Answer.WAIT
    protective = sell(purpose=Purpose.PROTECTIVE)
    assert verdict(protective, view(account=account, sent_ms=used_up, **HELD)) == ALLOWED


def test_a_denial_comes_before_a_wait() -> None:
    account = spec(risk={"maxOrdersPerMinute": 1})
    seen = view(account=account, sent_ms=(NOW,), state=S.PAUSED)
    assert verdict(buy(), seen) == (Answer.DENIED, "StatePaused")


# --- never crossing zero, never beyond the limits, whatever happens to what is unknown ---

steps = st.lists(
    st.tuples(
        st.sampled_from(list(Side)),
        st.integers(1, 12),
        st.sampled_from([Purpose.TARGET, Purpose.PROTECTIVE, Purpose.FLATTEN]),
        st.sampled_from(["unknown", "fills", "void", "half"]),
    ),
    max_size=25,
)


@given(st.integers(0, 30), steps, st.randoms(use_true_random=False))
def test_no_interleaving_of_unknown_outcomes_crosses_zero_or_passes_a_limit(
    start: int, history: list[tuple[Side, int, Purpose, str]], random: Any
) -> None:
    """Orders of unknown fate pile up and are resolved in any order; the checks alone keep the bounds."""
    position, unknown = D(start), []
    for side, quantity, purpose, fate in history:
        seen = view(positions={BTC: str(position)}, orders=tuple(unknown))
        judged = check(
            Proposal(market=BTC, side=side, quantity=D(quantity), price=D(100), purpose=purpose), seen
        )
        if judged.answer is Answer.ALLOWED:
            unknown.append(order(side, str(judged.quantity)))
        if unknown and fate != "unknown":
            resolved = unknown.pop(random.randrange(len(unknown)))
            part = {"fills": resolved.remaining, "void": D(0), "half": resolved.remaining / 2}[fate]
            position += part if resolved.side is Side.BUY else -part
        assert position >= 0
        worst = position + sum((each.remaining for each in unknown if each.side is Side.BUY), D(0))
        assert worst * 100 <= max(D(4000), D(start) * 100)
