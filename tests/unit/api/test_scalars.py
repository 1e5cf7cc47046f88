from decimal import Decimal

import pytest

from smarttrade.api import Capital, Duration, Risk, Timeframe
from smarttrade.api.scalars import quantity


@pytest.mark.parametrize(
    ("written", "seconds"), [("500ms", 0.5), ("10s", 10), ("2m", 120), ("1h", 3600), ("0s", 0)]
)
def test_a_duration_keeps_its_words_and_knows_its_seconds(written: str, seconds: float) -> None:
    duration = Duration.read(written)
    assert (duration, duration.seconds) == (written, seconds)


@pytest.mark.parametrize(("written", "value"), [("50m", "0.05"), ("1", "1"), ("512Mi", "536870912")])
def test_a_quantity_has_the_value_that_kubernetes_gives_it(written: str, value: str) -> None:
    assert quantity(written) == Decimal(value)


def test_a_large_decimal_is_written_without_an_exponent() -> None:
    capital = Capital(currency="USDT", allocation=Decimal("1E+4"))
    assert capital.model_dump(mode="json")["allocation"] == "10000"


def test_a_float_is_never_taken_for_money() -> None:
    with pytest.raises(ValueError, match="is not a string"):
        Capital(currency="USDT", allocation=0.1)  # type: ignore[arg-type]


def test_defaults_are_decimals() -> None:
    risk = Risk(max_order_notional=Decimal(1), max_position_notional=Decimal(2), max_daily_loss=Decimal(1))
    assert (risk.price_collar, risk.max_drawdown) == (Decimal("0.02"), Decimal("0.10"))


def test_a_timeframe_knows_its_length() -> None:
    assert Timeframe.H4.milliseconds == 14_400_000
