from __future__ import annotations

from decimal import Decimal

from smarttrade.backtest.trips import build_trips
from smarttrade.messages import Fill, Side

LOTS = {"BTC/USDT": Decimal("0.001")}


def fill(number: int, side: Side, price: str, quantity: str, fee: str = "0", asset: str = "USDT") -> Fill:
    return Fill(
        market="BTC/USDT",
        trade_id=str(number),
        order_id=str(number),
        client_order_id=str(number),
        decision_id="",
        side=side,
        price=Decimal(price),
        quantity=Decimal(quantity),
        fee=Decimal(fee),
        fee_asset=asset,
        maker=False,
        time_ms=number,
    )


def test_a_trip_goes_from_flat_to_flat() -> None:
    fills = [
        fill(1, Side.BUY, "100", "1"),
        fill(2, Side.BUY, "110", "1"),
        fill(3, Side.SELL, "120", "0.5", "1"),
        fill(4, Side.SELL, "90", "1.5", "1"),
        fill(5, Side.BUY, "80", "1"),
    ]
    first, second = build_trips(fills, LOTS)
    assert (first.closed, first.entry_ms, first.exit_ms) == (True, 1, 4)
    assert first.profit == Decimal("60") + Decimal("135") - Decimal("210") - 2
    assert (second.closed, second.entry_ms) == (False, 5)


def test_a_fee_in_base_takes_coins_and_the_rest_below_a_lot_is_flat() -> None:
    fills = [fill(1, Side.BUY, "100", "1", "0.0005", "BTC"), fill(2, Side.SELL, "200", "0.999")]
    (trip,) = build_trips(fills, LOTS)
    assert trip.closed
    assert trip.fees == Decimal("0.05")
    assert trip.profit == Decimal("199.8") - Decimal(100) * Decimal("0.999") / Decimal("0.9995")
