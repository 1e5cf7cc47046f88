"""The demonstration as a newcomer runs it: from the command line, with recordings, killed and run again."""

import os
import random
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.kubectl import Kubectl
from demo import accounts, platform

ROOT = Path(__file__).parents[3]
RECORDINGS = Path(os.environ.get("SMARTTRADE_DATA", ROOT.parent / "shared" / "data"))
COMMAND = [sys.executable, "-m", "demo", "up"]
TIMEOUT_S = 900

pytestmark = pytest.mark.timeout(1800)


@pytest.fixture(scope="module", autouse=True)
def cleared(cluster: Kubectl) -> Iterator[None]:
    """The demonstration is gone afterwards: other tests install a platform of their own."""
    yield
    accounts.delete(cluster)
    platform.uninstall(cluster)


def run_demo(data: Path | None = None) -> str:
    environment = {**os.environ, "DATA": str(data or "")}
    done = subprocess.run(
        COMMAND, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    assert done.returncode == 0, done.stderr[-4000:] + done.stdout[-2000:]
    return done.stdout


def assert_both_traded(printed: str) -> None:
    for name in accounts.NAMES:
        fills = printed.split(f"last fills of {name}\n")[1].split("\n\n")[0]
        assert re.search(r"\d\d:\d\d:\d\d (BUY|SELL) ", fills), printed


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


def kill_when(reached: str) -> None:
    """Start the demonstration and kill it with everything that it started, in the middle of a step."""
    pipes = {"stderr": subprocess.PIPE, "stdout": subprocess.DEVNULL}
    with subprocess.Popen(COMMAND, cwd=ROOT, text=True, start_new_session=True, **pipes) as first:
        assert first.stderr is not None
        for line in first.stderr:
            if f"{reached}:" in line:
                break
        os.killpg(first.pid, signal.SIGKILL)


def test_killed_at_any_point_it_can_be_run_again(cluster: Kubectl) -> None:
    for reached in ("images", "platform", "accounts", "fail-over"):
        kill_when(reached)
    assert_both_traded(run_demo())
    listed = cluster("get", "ta", "-A")
    assert re.search(r"alice +alice +Active +Live +True", listed), listed


def test_it_replays_recorded_candles(tmp_path: Path) -> None:
    recorded = RECORDINGS / "btc-perp-2022-01-1m.csv"
    assert_both_traded(run_demo(recorded if recorded.exists() else make_candles(tmp_path / "candles.csv")))


def test_it_replays_recorded_trades(tmp_path: Path) -> None:
    recorded = RECORDINGS / "binance-btcusdt-trades.parquet"
    assert_both_traded(run_demo(recorded if recorded.exists() else make_trades(tmp_path / "trades.parquet")))


def test_the_first_account_of_the_readme(cluster: Kubectl) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```sh\n(export KUBECONFIG.*?)```", readme, flags=re.S)
    environment = {name: value for name, value in os.environ.items() if name not in ("KUBECONFIG", "CONTEXT")}
    script = ["bash", "-euxc", block]
    done = subprocess.run(script, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "carol" in done.stdout
    cluster("delete", "namespace", "carol", "--wait=false")
