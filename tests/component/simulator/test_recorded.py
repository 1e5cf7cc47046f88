"""Replays of recorded data, synthetic markets and their determinism, through the running exchange."""

import csv
import os
import random
import subprocess
import sys
from datetime import UTC, datetime
from itertools import islice, pairwise
from pathlib import Path

import ccxt.pro
import pytest

from smarttrade.simulator.config import SimulatorConfig
from smarttrade.simulator.markets import build_setup
from smarttrade.simulator.testing import Simulator, build_test_user, ccxt_config, point_ccxt
from tests.component.simulator.conftest import until

ROOT = Path(__file__).parents[3]
START_MS = 1_700_000_040_000
REAL_DATA = Path(os.environ.get("SMARTTRADE_DATA", ROOT.parent / "shared" / "data"))


def write_candles(path: Path, count: int = 400) -> list[list[float]]:
    rng = random.Random(7)
    rows, price = [], 100.0
    for index in range(count):
        close = round(price + rng.uniform(-1, 1), 2)
        high, low = round(max(price, close) + 0.5, 2), round(min(price, close) - 0.5, 2)
        moment = datetime.fromtimestamp((START_MS + index * 60_000) / 1000, UTC).strftime(
            "%Y-%m-%d %H:%M:%S.%f"
        )
        rows.append([moment, price, high, low, close, round(rng.uniform(50, 100), 3)])
        price = close
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["timestamp", "open", "high", "low", "close", "volume"])
        writer.writerows(rows)
    return [row[1:] for row in rows]


def write_trades(path: Path, count: int = 300) -> None:
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    rng = random.Random(8)
    rows = [
        {
            "timestamp": START_MS + index * 100,
            "price": round(50 + rng.uniform(-0.5, 0.5), 2),
            "amount": round(rng.uniform(0.1, 3), 3),
            "side": rng.choice(["buy", "sell"]),
        }
        for index in range(count)
    ]
    parquet.write_table(arrow.Table.from_pylist(rows), path)


def replay(**fields) -> SimulatorConfig:
    fields = {"symbols": ["BTC/USDT"], "users": [build_test_user("alice", USDT="100000")]} | fields
    return SimulatorConfig(**fields)


async def test_recorded_minute_becomes_exactly_one_compressed_candle(tmp_path):
    rows = write_candles(tmp_path / "candles.csv")
    config = replay(data=str(tmp_path / "candles.csv"), compress=60)
    async with Simulator(config) as exchange:
        client = point_ccxt(ccxt.pro.binance(ccxt_config()), exchange)
        try:
            candles = await client.fetch_ohlcv("BTC/USDT", "1s", limit=1000)
        finally:
            await client.close()
    finished = [candle[1:5] for candle in candles[:-1]]
    known = [[float(x) for x in row[:4]] for row in rows]
    first = known.index(finished[0])
    assert len(finished) >= 199
    assert finished == known[first : first + len(finished)]
    assert {b[0] - a[0] for a, b in pairwise(candles)} == {1000}


async def test_recorded_trades_move_the_market_and_fill_orders(tmp_path):
    write_trades(tmp_path / "trades.parquet")
    config = replay(data=str(tmp_path / "trades.parquet"), history_s=60)
    async with Simulator(config) as exchange:
        client = point_ccxt(ccxt.pro.binance(ccxt_config("alice")), exchange)
        try:
            ask = (await client.fetch_ticker("BTC/USDT"))["ask"]
            assert 49 < ask < 51
            order = await client.create_order("BTC/USDT", "limit", "buy", 2, 49.9)
            await until(lambda: bool(exchange.journal.fills("alice")), 20)
            assert (await client.fetch_order(order["id"], "BTC/USDT"))["filled"] > 0
        finally:
            await client.close()


@pytest.mark.parametrize("other", [{"seed": 2}, {"symbols": ["ETH/USDT"]}])
def test_path_is_a_function_of_seed_and_market(other):
    def path(**fields):
        tape = build_setup(replay(**({"seed": 1} | fields))).tape
        return [(e.elapsed_ms, getattr(e, "price", 0)) for e in islice(tape, 2000)]

    assert path() == path() != path(**other)


def test_what_becomes_of_the_same_orders_is_a_function_of_the_seed():
    def told(seed: str, hashing: str) -> list[str]:
        command = [sys.executable, "-m", "tests.component.simulator.replayed", seed]
        environment = os.environ | {"PYTHONHASHSEED": hashing}
        done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.split()

    tape, journal, fills = told("1", "1")
    assert [tape, journal, fills] == told("1", "2")
    assert int(fills) >= 20
    other_tape, other_journal, _ = told("2", "1")
    assert (tape, journal) != (other_tape, other_journal)


def test_recorded_path_is_a_function_of_the_file(tmp_path):
    def path(count):
        write_candles(tmp_path / f"{count}.csv", count=count)
        config = replay(data=str(tmp_path / f"{count}.csv"), compress=60)
        return [(e.elapsed_ms, getattr(e, "price", 0)) for e in islice(build_setup(config).tape, 400)]

    assert path(10) == path(10) != path(9)


def test_recorded_path_starts_over_when_the_data_ends(tmp_path):
    write_candles(tmp_path / "candles.csv", count=10)
    setup = build_setup(replay(data=str(tmp_path / "candles.csv"), compress=60))
    trades = [e for e in islice(setup.tape, 400) if hasattr(e, "price")]
    lap = [t.price for t in trades if t.elapsed_ms < 600_000]
    again = [t.price for t in trades if 600_000 <= t.elapsed_ms < 1_200_000]
    assert (lap[0], lap[-1], len(lap)) == (again[0], again[-1], len(again))


def test_volatility_clusters():
    setup = build_setup(replay(seed=3, compress=60, history_s=0))
    mids = [(e.bid + e.ask) / 2 for e in islice(setup.tape, 60_000) if hasattr(e, "bid")]
    moves = [abs(b / a - 1) for a, b in pairwise(mids)]
    mean = sum(moves) / len(moves)
    variance = sum((m - mean) ** 2 for m in moves) / len(moves)
    lagged = sum((a - mean) * (b - mean) for a, b in zip(moves, moves[5:], strict=False)) / len(moves)
    assert lagged / variance > 0.1


@pytest.mark.skipif(
    not REAL_DATA.is_dir(), reason=f"recorded data is not at {REAL_DATA}; set SMARTTRADE_DATA"
)
@pytest.mark.parametrize(
    ("file", "symbol", "compress", "low", "high"),
    [
        ("btc-perp-2022-01-1m.csv", "BTC/USDT", 60, 30_000, 50_000),
        ("binance-btcusdt-trades.parquet", "BTC/USDT", 1, 39_000, 40_000),
        ("eth-usdt-perp-public-trades.csv", "ETH/USDT", 1, 1_600, 1_700),
        ("xrp-eth-trades.parquet", "XRP/ETH", 600, 0.001, 0.002),
    ],
)
async def test_real_recordings_are_traded_on(file, symbol, compress, low, high):
    users = [build_test_user("alice", USDT="100000", ETH="1000")]
    config = replay(data=str(REAL_DATA / file), symbols=[symbol], compress=compress, users=users)
    async with Simulator(config) as exchange:
        client = point_ccxt(ccxt.pro.binance(ccxt_config("alice")), exchange)
        try:
            candles = await client.fetch_ohlcv(symbol, "1s", limit=1000)
            ask = (await client.fetch_ticker(symbol))["ask"]
            amount = client.amount_to_precision(symbol, 0.5 / ask if symbol == "XRP/ETH" else 20 / ask)
            order = await client.create_order(
                symbol, "limit", "buy", amount, ask * 1.01, {"timeInForce": "IOC"}
            )
        finally:
            await client.close()
    assert len(candles) >= 500
    assert all(low < candle[3] <= candle[2] < high for candle in candles)
    assert order["filled"] > 0
