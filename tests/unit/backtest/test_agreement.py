from __future__ import annotations

from decimal import Decimal

from smarttrade.backtest.agreement import build_done, compare_fills
from smarttrade.messages import Fill, Side


def fill(decision: str, price: str, side: Side = Side.BUY, time_ms: int = 1_000, quantity: str = "1") -> Fill:
    return Fill(
        market="BTC/USDT",
        trade_id=f"{decision}{time_ms}",
        order_id="1",
        client_order_id="x",
        decision_id=decision,
        side=side,
        price=Decimal(price),
        quantity=Decimal(quantity),
        fee=Decimal("0.1"),
        fee_asset="USDT",
        maker=False,
        time_ms=time_ms,
    )


def test_fills_of_one_decision_are_one() -> None:
    [done] = build_done([fill("a", "100"), fill("a", "104", quantity="3", time_ms=1_200)])
    assert (done.quantity, done.price, done.fees, done.time_ms) == (4, 103, Decimal("0.2"), 1_000)


def test_a_higher_sale_is_cheaper_and_a_higher_purchase_dearer() -> None:
    account = build_done([fill("a", "100"), fill("b", "100", Side.SELL)])
    backtest = build_done([fill("a", "101", time_ms=1_005), fill("b", "101", Side.SELL)])
    assert [(d.account.decision_id, d.later_ms, d.dearer) for d in compare_fills(account, backtest)] == [
        ("a", 5, Decimal("0.01")),
        ("b", 0, Decimal("-0.01")),
    ]


def test_equal_fills_are_no_difference() -> None:
    assert compare_fills(build_done([fill("a", "100")]), build_done([fill("a", "100")])) == []
