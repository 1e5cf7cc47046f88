from __future__ import annotations

from decimal import Decimal

import pytest

from smarttrade.errors import ConfigurationError
from smarttrade.evaluation.parameters import Parameter, declared_parameters
from smarttrade.strategies.ma_cross import MovingAverageCross
from smarttrade.sweep.ranges import Axis, build_axes, grid


class Declared:
    period = Parameter(10, minimum=1, maximum=500)
    share = Parameter(Decimal("0.5"), minimum=Decimal("0.1"), maximum=Decimal("0.9"))
    kind = Parameter("ema", choices=("ema", "sma"))
    strict = Parameter(True)
    free = Parameter(3)


PARAMETERS = declared_parameters(Declared)


def values(*flags: str, steps: int = 5) -> dict[str, tuple[int | str, ...]]:
    return {axis.name: axis.divided(steps) for axis in build_axes(PARAMETERS, flags)}


def test_without_flags_everything_with_a_declared_range_is_swept() -> None:
    assert values() == {
        "period": (1, 5, 22, 106, 500),
        "share": ("0.1", "0.3", "0.5", "0.7", "0.9"),
        "kind": ("ema", "sma"),
        "strict": ("true", "false"),
    }


@pytest.mark.parametrize(
    ("flag", "expected"),
    [
        ("period=10:30", (10, 15, 20, 25, 30)),
        ("period=10:31:10", (10, 20, 30)),
        ("period=3,5,8", (3, 5, 8)),
        ("period=7:7", (7,)),
        ("period=1:3", (1, 2, 3)),
        ("share=0.2:0.4:0.1", ("0.2", "0.3", "0.4")),
        ("kind=sma", ("sma",)),
        ("strict", ("true", "false")),
        ("free=1:2", (1, 2)),
    ],
)
def test_a_flag_says_what_to_try(flag: str, expected: tuple[int | str, ...]) -> None:
    assert values(flag) == {flag.partition("=")[0]: expected}


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("nope=1", "no parameter 'nope'; there is: period, share, kind, strict, free"),
        ("free", "free has no declared range: write free=LOW:HIGH"),
        ("period=0:10", "'0' is not an integer at least 1 and at most 500"),
        ("period=9:3", "9 is above 3"),
        ("period=1:9:0", "step must be above zero"),
        ("period=1:9:x", "the step 'x' is no number"),
        ("period=1:2:3:4", "write LOW:HIGH or LOW:HIGH:STEP"),
        ("kind=ema:sma", "kind is no number: list its values"),
        ("kind=wma", "'wma' is not one of ema, sma"),
    ],
)
def test_a_flag_that_cannot_be_used_says_why(flag: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message.replace("(", r"\(")):
        build_axes(PARAMETERS, [flag])


def test_the_last_flag_of_a_parameter_counts() -> None:
    assert values("period=1:3", "period=5") == {"period": (5,)}


def test_the_grid_has_every_combination_once() -> None:
    axes = [Axis("a", (1, 2, 3)), Axis("b", ("x", "y"))]
    made = list(grid(axes, 9))
    assert len(made) == len({tuple(each.items()) for each in made}) == 6
    assert made[:2] == [{"a": 1, "b": "x"}, {"a": 1, "b": "y"}]


def test_a_built_in_strategy_can_be_swept_as_it_is() -> None:
    axes = build_axes(declared_parameters(MovingAverageCross), ())
    assert [axis.name for axis in axes] == ["fast", "slow", "kind", "fraction"]
