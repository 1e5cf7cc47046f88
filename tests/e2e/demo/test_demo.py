"""The demonstration as a newcomer runs it: the README's commands, with recordings, killed and run again.

In this order: each test goes on with the cluster that the one before has left.
"""

import json
import os
import random
import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from cluster import clusters
from cluster.kubectl import Kubectl, eventually
from demo import accounts, platform
from tests import readme
from tests.e2e.demo.conftest import Shell

RECORDINGS = Path(os.environ.get("SMARTTRADE_DATA", readme.ROOT.parent / "shared" / "data"))
FIRST_ACCOUNT = "export KUBECONFIG="

pytestmark = pytest.mark.timeout(1800)


def assert_both_traded(printed: str) -> None:
    for name in accounts.NAMES:
        section = re.search(rf"last fills of {name},.*\n((?:  .*\n)+)", printed)
        assert section, printed
        assert re.search(r"  \d\d:\d\d:\d\d (BUY |SELL) 0\.\d+ BTC/USDT at \d+", section[1]), printed
        assert re.search(r"  [1-9]\d* fills; equity [1-9]\d+\.\d\d; PnL realised [+-]\d+\.\d\d, ", section[1])


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


def kill_when(shell: Shell, reached: str) -> None:
    """Start the demonstration and kill it with everything that it started, in the middle of a step."""
    with shell.start("make demo", stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as first:
        assert first.stderr is not None
        assert any(f"{reached}:" in line for line in first.stderr), f"it ended without {reached}"
        os.killpg(first.pid, signal.SIGKILL)


def lose_too_much(kubectl: Kubectl, name: str) -> None:
    """Let the account come to its limit of loss, as one does that is left alone for hours."""
    change = json.dumps({"spec": {"risk": {"maxDailyLoss": "0.01"}}})
    kubectl("patch", "ta", name, "-n", name, "--type=merge", "-p", change)
    eventually(lambda: bool(accounts.look(kubectl, name).breach), f"{name} is stopped", 120)


def test_killed_at_any_point_it_can_be_run_again(shell: Shell, kubectl: Kubectl) -> None:
    for reached in ("cluster", "images", "platform", "accounts", "fail-over"):
        kill_when(shell, reached)
    lose_too_much(kubectl, "bob")
    assert_both_traded(shell.run("make demo").stdout)
    listed = kubectl("get", "ta", "-A")
    assert re.search(r"alice +alice +Active +Live +True", listed), listed


def test_the_first_account_of_the_readme(shell: Shell, kubectl: Kubectl) -> None:
    assert "carol" in shell.run(readme.block_with(FIRST_ACCOUNT), timeout_s=300).stdout
    kubectl("delete", "namespace", "carol", "--wait=false")


def test_the_cluster_part_of_the_strategy_guide(shell: Shell) -> None:
    page = (readme.ROOT / "docs" / "strategies.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```sh\n(.*?)```", page, flags=re.DOTALL)
    [make, in_the_cluster] = [found for found in blocks if "strategy new" in found or "kubectl" in found]
    folder = readme.ROOT / "mean-cross"
    try:
        shell.run(make.splitlines()[0])
        told = shell.run(in_the_cluster, timeout_s=400).stdout
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    assert re.search(r"mean-cross +Active +Paper +True", told), told


def test_it_replays_recorded_candles(shell: Shell, tmp_path: Path) -> None:
    recorded = RECORDINGS / "btc-perp-2022-01-1m.csv"
    data = recorded if recorded.exists() else make_candles(tmp_path / "candles.csv")
    assert_both_traded(shell.run("make demo DATA=candles.csv".replace("candles.csv", str(data))).stdout)


def test_it_replays_recorded_trades(shell: Shell, tmp_path: Path) -> None:
    recorded = RECORDINGS / "binance-btcusdt-trades.parquet"
    data = recorded if recorded.exists() else make_trades(tmp_path / "trades.parquet")
    assert_both_traded(shell.run(f"make demo DATA={data}").stdout)


def test_it_is_removed_from_the_cluster(shell: Shell, kubectl: Kubectl) -> None:
    shell.run("make demo-down")
    assert not kubectl.get("ta", "-A")["items"]
    left = {item["metadata"]["name"] for item in kubectl.get("namespaces")["items"]}
    assert not left & {*accounts.NAMES, platform.NAMESPACE}


@pytest.mark.skipif(bool(os.environ.get("CONTEXT")), reason="the cluster is not ours to remove")
def test_without_its_cluster_there_is_nothing_to_remove(shell: Shell) -> None:
    shell.run("make cluster-down")
    assert "nothing to remove" in shell.run("make demo-down").stderr
    assert not clusters.is_there(shell.where)


def test_an_example_runs_without_a_cluster(shell: Shell) -> None:
    command = ".venv/bin/smarttrade run examples/alice.yaml"
    with shell.start(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as run:
        assert run.stdout is not None
        assert any(" fill: " in line for line in run.stdout), "it ended without a fill"
        os.killpg(run.pid, signal.SIGINT)
        rest = run.stdout.read()
    assert run.returncode == 0, rest
