from __future__ import annotations

from decimal import Decimal

from smarttrade.backtest.curve import EquityCurve, Point


def test_a_mark_comes_back_as_it_went_in() -> None:
    curve = EquityCurve()
    marks = [
        Point(1, Decimal("10000.12345678"), Decimal(0)),
        Point(2, Decimal("-0.00000001"), Decimal("7.5")),
    ]
    for mark in marks:
        curve.append(mark)
    assert list(curve) == marks
    assert curve[-1] == marks[-1]
    assert curve[:1] == marks[:1]
    assert [curve.text(count) for count in curve.equity] == ["10000.12345678", "-0.00000001"]


def test_sums_beyond_the_unit_make_it_coarser_and_lose_nothing_that_matters() -> None:
    curve = EquityCurve()
    curve.add(1, Decimal("1000.5"), Decimal(1))
    curve.add(2, Decimal("123456789012.25"), Decimal("99999999999"))
    assert [point.equity for point in curve] == [Decimal("1000.5"), Decimal("123456789012.25")]
    assert curve[1].invested == Decimal("99999999999")
    assert len(curve.times) == len(curve.equity) == len(curve.invested) == 2
