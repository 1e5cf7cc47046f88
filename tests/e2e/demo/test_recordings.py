"""The demonstration on recorded market data, on a cluster of its own beside the newcomer's.

In this order: the second recording takes the place of the first, on the cluster that its test has left.
"""

import os
import random
from pathlib import Path

import pytest

from tests import readme
from tests.e2e.demo.conftest import Shell, assert_both_traded

RECORDINGS = Path(os.environ.get("SMARTTRADE_DATA", readme.ROOT.parent / "shared" / "data"))

CANDLES = RECORDINGS / "btc-perp-2022-01-1m.csv"
TRADES = RECORDINGS / "binance-btcusdt-trades.parquet"

pytestmark = pytest.mark.timeout(1800)


def make_candles(path: Path) -> Path:
    """A seeded random walk of one-minute candles, where no recording is at hand."""
    walk, price = random.Random(11), 40_000.0
    lines = ["timestamp,open,high,low,close,volume"]
    for minute in range(3_000):
        opened, price = price, price * (1 + walk.gauss(0, 0.001))
        high, low = max(opened, price) * 1.0003, min(opened, price) * 0.9997
        row = [1_640_995_200_000 + minute * 60_000, *(f"{p:.2f}" for p in (opened, high, low, price)), "12.5"]
        lines.append(",".join(map(str, row)))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def make_trades(path: Path) -> Path:
    """A seeded minute of trades, where no recording is at hand."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    walk, price, rows = random.Random(12), 40_000.0, []
    for number in range(3_000):
        price *= 1 + walk.gauss(0, 0.00005)
        rows.append(
            (1_610_064_000_000 + number * 20, round(price, 2), round(walk.random(), 6), number % 2 == 0)
        )
    names = ["time", "price", "quantity", "buyer_maker"]
    columns = {name: [row[index] for row in rows] for index, name in enumerate(names)}
    pq.write_table(pa.table(columns), path)
    return path


def source(recorded: Path) -> str:
    """What is replayed here, for the test's name; made-up data only where there is no recording."""
    return recorded.stem if recorded.exists() else "made-up"


@pytest.mark.parametrize("replayed", [source(CANDLES)])
def test_it_replays_recorded_candles(shell: Shell, tmp_path: Path, replayed: str) -> None:
    data = make_candles(tmp_path / "candles.csv") if replayed == "made-up" else CANDLES
    assert_both_traded(shell.run("make demo DATA=candles.csv".replace("candles.csv", str(data))).stdout)


@pytest.mark.parametrize("replayed", [source(TRADES)])
def test_it_replays_recorded_trades(shell: Shell, tmp_path: Path, replayed: str) -> None:
    data = make_trades(tmp_path / "trades.parquet") if replayed == "made-up" else TRADES
    assert_both_traded(shell.run(f"make demo DATA={data}").stdout)
