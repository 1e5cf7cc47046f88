"""The commands of backtest.md, freqtrade.md and simulator.md, as they stand there, one page after the other.

A user's account, recordings and strategy have the names that the pages give them.
"""

from __future__ import annotations

import ast
import inspect
import json
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import ccxt.pro
import pytest
import yaml

from tests.pages import ROOT, find, reason_not_to_run, words_of
from tests.unit.backtest.recordings import account, random_walk

SIMULATOR = "docs/simulator.md"
SIMULATED = find(SIMULATOR, "smarttrade simulator").commands
# So many that the page's dates lie within.
DAYS = 20
# Of the slowest candidate that a search over all declared ranges may try.
WARM_UP = 10_000
PATIENCE_S = 240


def run(command: str, folder: Path) -> str:
    """What it printed; it must end well."""
    done = subprocess.run(words_of(command), cwd=folder, capture_output=True, text=True, timeout=PATIENCE_S)
    assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
    return done.stdout + done.stderr


def run_block(page: str, start: str, folder: Path) -> list[str]:
    """What each of its commands printed, without those that are said not to be run."""
    return [run(command, folder) for command in find(page, start).commands if not reason_not_to_run(command)]


@contextmanager
def simulating(command: str, folder: Path) -> Iterator[dict[str, str]]:
    """The addresses that it prints first; it ends well when it is asked to."""
    process = subprocess.Popen(words_of(command), cwd=folder, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield json.loads(process.stdout.readline())
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def write_account(folder: Path, **strategy: Any) -> None:
    told = account(parameters={"fast": 10, "slow": 30}).model_dump(
        mode="json", by_alias=True, exclude_unset=True
    )
    told["spec"]["strategy"] = strategy or told["spec"]["strategy"]
    (folder / "ACCOUNT.yaml").write_text(yaml.safe_dump(told))


def write_candles(file: Path, minutes: int) -> None:
    rows = [f"{c.open_ms},{c.open},{c.high},{c.low},{c.close},{c.volume}" for c in random_walk(minutes)]
    file.write_text("time,open,high,low,close,volume\n" + "\n".join(rows) + "\n")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An account, a long recording by the market's name, and candles/ with a short one."""
    write_account(tmp_path)
    write_candles(tmp_path / "BTC-USDT.csv", DAYS * 1_440)
    (tmp_path / "candles").mkdir()
    write_candles(tmp_path / "candles" / "BTC-USDT.csv", WARM_UP + 500)
    return tmp_path


def test_backtests_of_the_page(folder: Path) -> None:
    first, second = run_block("docs/backtest.md", "smarttrade data download binance BTC/USDT --from", folder)
    assert "equity at the end" in first
    assert "equity at the end" in second
    assert (folder / "result.html").read_text().startswith("<!doctype html>")


def test_sweeps_of_the_page(folder: Path) -> None:
    run_block("docs/backtest.md", "smarttrade sweep", folder)
    assert (folder / "sweep.html").exists()
    assert {path.name for path in folder.glob("*.sqlite")} == {"sweep.sqlite", "search.sqlite"}


def test_downloaded_candles_are_listed_and_checked_as_on_the_page(tmp_path: Path) -> None:
    download, *others = find("docs/backtest.md", "smarttrade data download binance BTC/USDT ETH").commands
    with simulating(SIMULATED[0], tmp_path) as exchange:
        catalogue = {"binance": {"Simulator": {"rest": exchange["rest"], "websocket": exchange["ws"]}}}
        (tmp_path / "catalogue.yaml").write_text(yaml.safe_dump(catalogue))
        begin = (datetime.now(UTC) - timedelta(hours=3)).strftime("%Y-%m-%dT%H:%M")
        here = "--environment Simulator --catalogue catalogue.yaml"
        end = (datetime.now(UTC) - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M")
        run(download.replace("2023-01-01", f"{begin} --to {end} {here}"), tmp_path)
    listed, checked = (run(command, tmp_path) for command in others)
    assert "BTC/USDT" in listed
    assert "ETH/USDT" in listed
    assert "BTC/USDT" in checked


def test_a_freqtrade_strategy_is_backtested_as_on_the_page(folder: Path) -> None:
    (folder / "FOLDER").mkdir()
    written = ROOT / "tests" / "unit" / "freqtrade" / "strategies" / "crossing.py"
    shutil.copyfile(written, folder / "FOLDER" / "crossing.py")
    source = {"configMapRef": {"name": "mine"}, "class": "crossing.Crossing"}
    write_account(folder, source=source, timeframe="5m", parameters={})
    as_freqtrade, as_ours = run_block("docs/freqtrade.md", "pip install", folder)
    assert "freqtrade" in as_freqtrade
    assert "equity at the end" in as_ours


@pytest.mark.parametrize("command", SIMULATED)
def test_the_simulated_exchange_starts_as_on_the_page(command: str, tmp_path: Path) -> None:
    write_candles(tmp_path / "candles.csv", 600)
    page = (ROOT / SIMULATOR).read_text()
    shown = page.partition("## Configuration\n```yaml\n")[2].partition("```")[0]
    config = yaml.safe_load(shown)
    config |= {"host": "127.0.0.1", "port": 0, "admin_port": 0, "data": "candles.csv", "listed": 30}
    config |= {"state": str(tmp_path / "state"), "journal": str(tmp_path / "journal.jsonl")}
    config["users"] = config["users"][:1]  # the other's public key is left out on the page
    (tmp_path / "simulator.yaml").write_text(yaml.safe_dump(config))
    with simulating(command, tmp_path) as addresses:
        assert {"rest", "ws", "admin"} <= addresses.keys()
        assert addresses["rest"].startswith("http://127.0.0.1:")


async def test_a_test_with_the_simulated_exchange_goes_as_on_the_page() -> None:
    """With an order where the page has dots, whose answer is lost."""
    text = find(SIMULATOR, "from smarttrade.simulator.testing").text
    assert text.count("    ...\n") == 1
    order = 'client.create_order("BTC/USDT", "limit", "buy", 0.01, 59500)'
    tried = f"    with pytest.raises(ccxt.RequestTimeout):\n        await {order}\n"
    code = compile(text.replace("    ...\n", tried), "simulator.md", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    names: dict[str, Any] = {"ccxt": ccxt, "pytest": pytest}
    running = eval(code, names)
    assert inspect.iscoroutine(running)
    await running
    await names["client"].close()
