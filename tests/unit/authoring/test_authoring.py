"""What a strategy must not do is found before it trades."""

import inspect
from importlib import import_module
from pathlib import Path

import pytest
from typer.testing import CliRunner

from smarttrade.authoring.check import check_file
from smarttrade.authoring.dry_run import dry_run, examine_class
from smarttrade.authoring.lint import lint
from smarttrade.authoring.scaffold import create
from smarttrade.cli.main import app
from smarttrade.errors import ConfigurationError
from smarttrade.strategies import BUILT_IN, load_built_in
from tests.unit.backtest.recordings import random_walk

MARKETS = ("BTC/USDT",)
HEAD = "from smarttrade import Strategy\nclass Mine(Strategy):\n"


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("import time\nx = time.time()", "WallClock"),
        ("from time import monotonic as now\nx = now()", "WallClock"),
        ("from datetime import datetime\nx = datetime.now()", "WallClock"),
        ("import pandas as pd\nx = pd.Timestamp.now()", "WallClock"),
        ("import random\nx = random.random()", "Chance"),
        ("import random\nx = random.Random()", "Chance"),
        ("import numpy as np\nx = np.random.rand(3)", "Chance"),
        ("import uuid\nx = uuid.uuid4()", "Chance"),
        ("x = hash('BTC')", "Chance"),
        ("import requests", "Network"),
        ("from urllib.request import urlopen", "Network"),
        ("from urllib import request", "Network"),
        ("import http.client", "Network"),
        ("import threading", "Process"),
        ("from concurrent.futures import ThreadPoolExecutor", "Process"),
        ("import os\nos.system('x')", "Process"),
        ("x = open('state')", "File"),
        ("import pickle", "File"),
        ("import os\nx = os.environ['KEY']", "Environment"),
        ("import os\nx = os.getenv('KEY')", "Environment"),
        ("x = eval('1')", "Hidden"),
        ("x = frame['close'].shift(-1)", "LookAhead"),
        ("x = frame.shift(periods=-3)", "LookAhead"),
        ("x = frame.bfill()", "LookAhead"),
        ("x = frame.fillna(method='bfill')", "LookAhead"),
        ("x = frame.rolling(5, center=True).mean()", "LookAhead"),
        ("for market in {'A', 'B'}:\n    pass", "SetOrder"),
        ("x = [market for market in set(markets)]", "SetOrder"),
        ("def broken(:", "Syntax"),
    ],
)
def test_what_a_strategy_must_not_do_is_found_with_its_line(source: str, code: str) -> None:
    [finding] = lint(source)
    assert finding.code == code
    assert finding.line == (2 if "\nx" in source or "\nos" in source else 1)


@pytest.mark.parametrize(
    "source",
    [
        "import random\nx = random.Random(7)",
        "import numpy as np\nx = np.random.default_rng(7)",
        "from datetime import datetime, UTC\nx = datetime.fromtimestamp(0, UTC)",
        "x = frame.shift(1)",
        "for market in sorted({'A', 'B'}):\n    pass",
        "def time(): return 1\nx = time()",
    ],
)
def test_what_is_allowed_is_left_alone(source: str) -> None:
    assert lint(source) == []


@pytest.mark.parametrize("name", BUILT_IN)
def test_the_built_in_strategies_have_nothing_to_be_found(name: str) -> None:
    strategy_class = load_built_in(name)
    assert lint(inspect.getsource(import_module(strategy_class.__module__))) == []
    assert examine_class(strategy_class) == []
    markets = ("BTC/USDT", "ETH/USDT") if name == "pairs" else MARKETS
    silent = {finding.code for finding in dry_run(strategy_class, markets)}
    assert silent <= ({"NoDecision"} if name == "dca" else set())  # buys once a day


def write(folder: Path, body: str, head: str = HEAD) -> Path:
    path = folder / "mine.py"
    path.write_text(head + body)
    return path


def codes(path: Path) -> list[str]:
    return [finding.code for finding in check_file(path, MARKETS)]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("    def on_candel(self, candle): pass\n", "Handler"),
        ("    def on_candle(self): pass\n", "Handler"),
        ("    async def on_candle(self, candle): pass\n", "Handler"),
        ("    pass\n", "Handler"),
        ("    def on_candle(self, candle): return None\n", "NoDecision"),
        ("    def on_candle(self, candle): raise RuntimeError('bad')\n", "StrategyFailed"),
    ],
)
def test_a_class_that_cannot_work_is_found(tmp_path: Path, body: str, code: str) -> None:
    assert set(codes(write(tmp_path, body))) == {code}


def test_chance_that_no_reading_finds_is_found_by_running(tmp_path: Path) -> None:
    body = "    count = [0]\n    def on_candle(self, candle):\n        self.count[0] += 1\n"
    path = write(tmp_path, body + "        return self.target(candle.market, candle.close * self.count[0])\n")
    assert "Chance" in codes(path)


def test_what_cannot_be_remembered_is_found(tmp_path: Path) -> None:
    body = (
        "    seen = Remembered(list[object])\n"
        "    def on_candle(self, candle):\n"
        "        self.seen.append(object())\n"
        "        return self.target(candle.market, Decimal(1))\n"
    )
    head = "from decimal import Decimal\nfrom smarttrade import Remembered\n" + HEAD
    assert codes(write(tmp_path, body, head)) == ["Memory"]


def test_a_warm_up_that_is_too_short_is_found(tmp_path: Path) -> None:
    body = (
        "    warmup = 5\n"
        "    def start(self): self.mean = EMA(50)\n"
        "    def on_candle(self, candle):\n"
        "        mean = self.mean.update(candle.close)\n"
        "        return mean and self.hold(candle.market, Decimal(int(candle.close > mean)))\n"
    )
    head = "from decimal import Decimal\nfrom smarttrade.evaluation.indicators import EMA\n" + HEAD
    assert codes(write(tmp_path, body, head)) == ["WarmUp"]


def test_a_file_that_cannot_be_used_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot read"):
        check_file(tmp_path / "none.py", MARKETS)
    several = write(tmp_path, "    pass\nclass Other(Strategy):\n    pass\n")
    with pytest.raises(ConfigurationError, match="has 2 classes: name the strategy with --class"):
        check_file(several, MARKETS)


@pytest.mark.parametrize("name", ["Mean Cross", "../up", "-x", "x" * 41, ""])
def test_names_that_cannot_be_used_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigurationError, match="cannot be a strategy's name"):
        create(name, tmp_path)


def test_a_new_strategy_checks_and_backtests_as_it_is(tmp_path: Path) -> None:
    runner = CliRunner()
    made = runner.invoke(app, ["strategy", "new", "mean-cross", "--directory", str(tmp_path)])
    assert made.exit_code == 0, made.output
    assert "smarttrade strategy check" in made.output
    folder = tmp_path / "mean-cross"
    checked = runner.invoke(app, ["strategy", "check", str(folder / "mean_cross.py")])
    assert (checked.exit_code, checked.output.rpartition(": ")[2]) == (0, "nothing found\n"), checked.output
    data = folder / "candles.csv"
    rows = [f"{c.open_ms},{c.open},{c.high},{c.low},{c.close},{c.volume}" for c in random_walk(600)]
    data.write_text("time,open,high,low,close,volume\n" + "\n".join(rows) + "\n")
    tested = runner.invoke(app, ["strategy", "backtest", str(folder), "--data", str(data)])
    assert tested.exit_code == 0, tested.output
    again = runner.invoke(app, ["strategy", "new", "mean-cross", "--directory", str(tmp_path)])
    assert again.exit_code == 2


def test_what_was_found_is_printed_like_a_compiler_does(tmp_path: Path) -> None:
    path = write(tmp_path, "    def on_candle(self, candle: int) -> str:\n        return 1\n")
    checked = CliRunner().invoke(app, ["strategy", "check", str(path)])
    assert checked.exit_code == 1
    assert f"{path}:4: Type: Incompatible return value type" in checked.output
