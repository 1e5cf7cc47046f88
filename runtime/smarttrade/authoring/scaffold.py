"""`smarttrade strategy new`: a folder with a strategy that runs, and an account on paper that runs it."""

from __future__ import annotations

import re
from pathlib import Path

from smarttrade.errors import ConfigurationError

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_LONGEST = 40

_STRATEGY = '''"""What this strategy bets on, and when it loses."""

from decimal import Decimal

from smarttrade import Candle, Parameter, Strategy, Wants
from smarttrade.evaluation.indicators import EMA


class {class_name}(Strategy):
    """Long while the close is above its exponential mean."""

    period = Parameter(20, minimum=2, maximum=500, description="candles in the mean")
    share = Parameter(Decimal("0.5"), minimum=Decimal("0.01"), maximum=Decimal(1), description="share held")

    @property
    def warmup(self) -> int:
        return 10 * self.period

    def start(self) -> None:
        self.means = {{market: EMA(self.period) for market in self.markets}}

    def on_candle(self, candle: Candle) -> Wants:
        mean = self.means[candle.market].update(candle.close)
        if mean is None:
            return None
        return self.hold(candle.market, self.share if candle.close > mean else Decimal(0))
'''

_ACCOUNT = """# On paper: live market data, no real orders, no key.
# `environment: Production` takes the data of the real market.
apiVersion: smarttrade.io/v1alpha1
kind: TradingAccount
metadata:
  name: {name}
  namespace: {name}
spec:
  mode: Paper
  exchange:
    name: binance
    environment: Simulator
  markets:
    - symbol: BTC/USDT
  strategy:
    source:
      configMapRef: {{name: {name}}}
      class: {module}.{class_name}
    timeframe: 1m
    parameters: {{period: 20}}
  capital:
    currency: USDT
    allocation: "10000"
  risk:
    maxOrderNotional: "10000"
    maxPositionNotional: "10000"
    maxDailyLoss: "500"
    maxDrawdown: "0.1"
"""


def create(name: str, parent: Path) -> Path:
    """The new folder `parent/name`; ConfigurationError if the name cannot be used or is taken."""
    if not _NAME.fullmatch(name) or len(name) > _LONGEST:
        raise ConfigurationError(
            f"{name!r} cannot be a strategy's name: use lower-case words joined by '-', such as mean-cross, "
            f"at most {_LONGEST} characters"
        )
    folder = parent / name
    words = {
        "name": name,
        "module": name.replace("-", "_"),
        "class_name": "".join(word.capitalize() for word in name.split("-")),
    }
    try:
        folder.mkdir(parents=True)
        (folder / f"{words['module']}.py").write_text(_STRATEGY.format(**words), encoding="utf-8")
        (folder / "account.yaml").write_text(_ACCOUNT.format(**words), encoding="utf-8")
    except FileExistsError:
        raise ConfigurationError(f"{folder} is there already: choose another name") from None
    except OSError as error:
        raise ConfigurationError(f"cannot write {folder}: {error.strerror or error}") from error
    return folder


def next_steps(folder: Path) -> str:
    """What to do with a new folder, command by command."""
    name, module = folder.name, folder.name.replace("-", "_")
    return (
        f"made {folder}. Next:\n"
        f"  smarttrade strategy check {folder}/{module}.py\n"
        f"  smarttrade strategy backtest {folder} --data CANDLES.csv\n"
        f"  smarttrade run {folder}/account.yaml --source {folder}\n"
        f"  kubectl create namespace {name}\n"
        f"  kubectl create configmap {name} -n {name} --from-file={folder}/{module}.py\n"
        f"  kubectl apply -f {folder}/account.yaml"
    )
