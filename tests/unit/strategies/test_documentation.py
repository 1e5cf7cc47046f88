"""The page for strategy authors tells the truth."""

import re
from pathlib import Path
from typing import Any

from smarttrade import Strategy
from smarttrade.evaluation.parameters import declared_parameters
from smarttrade.messages import Target
from smarttrade.strategies import BUILT_IN, load_built_in
from tests.unit.evaluation.strategies import candle, core, setup

PAGE = (Path(__file__).parents[3] / "docs" / "strategies.md").read_text()


def test_the_example_runs_as_written() -> None:
    example, _ = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)  # the other needs TA-Lib, and has a test
    names: dict[str, Any] = {}
    exec(compile(example, "docs/strategies.md", "exec"), names)
    strategy: Strategy = names["AboveTheMean"](setup(), {"period": 3, "share": "0.25"})
    subject = core(strategy)
    subject.fill([candle(minute, "100") for minute in range(strategy.warmup)])
    [decision] = subject.on_event(candle(strategy.warmup, "125"))
    assert isinstance(decision.want, Target)
    assert decision.want.quantity == 10


def test_every_built_in_strategy_and_parameter_is_listed() -> None:
    for name in BUILT_IN:
        [row] = [line for line in PAGE.splitlines() if line.startswith(f"| `{name}` |")]
        for parameter in declared_parameters(load_built_in(name)):
            assert f"`{parameter}`" in row, f"{name} does not list {parameter}"
