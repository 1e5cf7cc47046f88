"""What a strategy can ask and want."""

from decimal import Decimal

import pytest

from smarttrade.errors import ConfigurationError
from smarttrade.evaluation.strategy import NoPriceError, Strategy, Wants
from smarttrade.messages import Candle, RestingOrder, RestingOrders, Side, Target
from tests.unit.evaluation.strategies import MARKET, MINUTE, candle, core, setup, view


class Holder(Strategy):
    def on_candle(self, candle: Candle) -> Wants:
        return self.hold(candle.market, Decimal("0.5") if candle.close > 50 else Decimal(0))


def test_a_held_fraction_is_settled_once() -> None:
    made = core(Holder(setup()))
    quantities = []
    for minute, close in enumerate(["100", "110", "120", "40", "60"]):
        [decision] = made.on_event(candle(minute, close))
        assert isinstance(decision.want, Target)
        quantities.append(decision.want.quantity)
    assert quantities == [25, 25, 25, 0, Decimal("41.66666666")]


def test_a_fraction_settled_in_warm_up_is_the_same_as_settled_live() -> None:
    candles = [candle(minute, close) for minute, close in enumerate(["100", "110", "120"])]
    warmed, live = core(Holder(setup())), core(Holder(setup()))
    warmed.fill(candles)
    for each in candles:
        live.on_event(each)
    assert warmed.newest_live(0) == live.newest_live(0)


def test_what_is_held_is_never_more_than_losses_have_left() -> None:
    made = core(Holder(setup()))
    made.on_event(candle(0, "40"))
    for minute, (realized, quantity) in enumerate(
        [("800", "25"), ("-4000", "25"), ("-6000", "19.56862745"), ("-11000", "0")], start=1
    ):
        made.on_view(view(realized))
        [decision] = made.on_event(candle(2 * minute - 1, "100"))
        assert isinstance(decision.want, Target)
        assert decision.want.quantity == Decimal(quantity)
        made.on_event(candle(2 * minute, "40"))


@pytest.mark.parametrize(
    ("realized", "held", "quantity"),
    [("0", "0", "25"), ("-6000", "0", "19.56862745"), ("-6000", "22", "22"), ("-6000", "30", "25")],
    ids=["no loss", "nothing held", "more held than could be bought", "more held than was wanted"],
)
def test_what_was_settled_before_the_account_was_known_is_settled_with_its_first_view(
    realized: str, held: str, quantity: str
) -> None:
    made = core(Holder(setup()))
    made.fill([candle(0, "100")])
    made.on_view(view(realized, held))
    [newest] = made.newest_live(0)
    [decision] = made.on_event(candle(1, "90"))
    assert isinstance(newest.want, Target)
    assert isinstance(decision.want, Target)
    assert newest.want.quantity == decision.want.quantity == Decimal(quantity)


class Rester(Strategy):
    def on_candle(self, candle: Candle) -> Wants:
        order = RestingOrder(key="bid", side=Side.BUY, price=candle.close - 1, quantity=Decimal(1))
        return self.rest(candle.market, [order])


def test_resting_orders_outlive_the_next_candle() -> None:
    [decision] = core(Rester(setup())).on_event(candle(0))
    assert isinstance(decision.want, RestingOrders)
    assert decision.want.valid_until_ms == 3 * MINUTE


def test_quantities_need_a_price() -> None:
    with pytest.raises(NoPriceError, match="no price of BTC/USDT"):
        Holder(setup()).quantity_for(MARKET, Decimal(100))


def test_markets_of_others_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="DOGE/USDT is not a market of this account"):
        Holder(setup()).target("DOGE/USDT", Decimal(1))
