"""Parameters are typed, limited, and say what is allowed."""

from decimal import Decimal

import pytest

from smarttrade import Parameter, Strategy
from smarttrade.errors import ConfigurationError
from tests.unit.evaluation.strategies import setup


class Example(Strategy):
    period = Parameter(10, minimum=2, maximum=50)
    share = Parameter(Decimal("0.5"), minimum=Decimal(0), maximum=Decimal(1))
    kind = Parameter("ema", choices=("ema", "sma"))
    short = Parameter(False)


def test_defaults_hold_where_nothing_is_given() -> None:
    made = Example(setup())
    assert (made.period, made.share, made.kind, made.short) == (10, Decimal("0.5"), "ema", False)


def test_values_are_read_into_the_type_of_the_default() -> None:
    made = Example(setup(), {"period": "20", "share": "0.25", "kind": "sma", "short": "true"})
    assert (made.period, made.share, made.kind, made.short) == (20, Decimal("0.25"), "sma", True)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"period": 1}, "strategy.parameters.period: 1 is not an integer at least 2 and at most 50"),
        ({"period": "fast"}, "strategy.parameters.period: 'fast' is not an integer at least 2"),
        ({"period": "2.5"}, "strategy.parameters.period: '2.5' is not an integer"),
        ({"share": "1.01"}, "share: '1.01' is not a decimal number in quotes at least 0 and at most 1"),
        ({"share": "NaN"}, "share: 'NaN' is not a decimal number"),
        ({"kind": "wma"}, "kind: 'wma' is not one of ema, sma"),
        ({"short": "maybe"}, "short: 'maybe' is not true or false"),
        ({"speed": 1}, "Example has no such parameter; there is: period, share, kind, short"),
    ],
)
def test_what_is_not_allowed_is_refused_with_what_is(given: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        Example(setup(), given)
    assert message in str(refused.value)


def test_a_parameter_cannot_be_changed_by_the_strategy() -> None:
    with pytest.raises(AttributeError, match="set by the account's specification only"):
        Example(setup()).period = 3
