"""freqtrade: signals of whole columns at once, then its loop over the candles, orders at the next open.

Its exchange class wants the exchange's list of markets; it is given one, so nothing goes over the network.
"""

import logging
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd
from freqtrade.data.history import get_datahandler
from freqtrade.enums import CandleType, RunMode
from freqtrade.optimize.backtesting import Backtesting
from freqtrade.resolvers import ExchangeResolver
from report import Stopwatch, Trade, main, periods, read

PAIR, FEE, QUANTITY = "BTC/USDT", 0.001, 0.1
STRATEGY = """
from freqtrade.strategy import IStrategy

class Cross(IStrategy):
    INTERFACE_VERSION = 3
    timeframe = "1m"
    minimal_roi = {}
    stoploss = -0.99
    startup_candle_count = 200
    process_only_new_candles = True

    def populate_indicators(self, frame, metadata):
        fast, slow = (frame["close"].ewm(span=span, adjust=False).mean() for span in (%d, %d))
        frame["above"] = fast > slow
        return frame

    def populate_entry_trend(self, frame, metadata):
        frame.loc[frame["above"], "enter_long"] = 1
        return frame

    def populate_exit_trend(self, frame, metadata):
        frame.loc[~frame["above"], "exit_long"] = 1
        return frame

    def custom_stake_amount(self, pair, current_time, current_rate, *args, **more):
        return current_rate * %s
"""
MARKET: dict[str, Any] = {
    "id": "BTCUSDT",
    "symbol": PAIR,
    "base": "BTC",
    "quote": "USDT",
    "active": True,
    "spot": True,
    "margin": False,
    "swap": False,
    "future": False,
    "option": False,
    "contract": False,
    "linear": None,
    "inverse": None,
    "contractSize": None,
    "type": "spot",
    "taker": FEE,
    "maker": FEE,
    "precision": {"amount": 0.00001, "price": 0.01},
    "limits": {
        "amount": {"min": 0.00001, "max": 9000},
        "price": {"min": 0.01, "max": 1e6},
        "cost": {"min": 5, "max": None},
        "leverage": {"min": None, "max": None},
    },
    "info": {},
}


def prepare(path: str, folder: Path) -> tuple[dict[str, Any], int]:
    rows = read(path)
    frame = pd.DataFrame(
        [(ms, *(float(price) for price in prices), 1.0) for ms, *prices in rows],
        columns=["date", "open", "high", "low", "close", "volume"],
    )
    frame["date"] = pd.to_datetime(frame["date"], unit="ms", utc=True)
    data = folder / "data"
    data.mkdir()
    get_datahandler(data, "feather").ohlcv_store(PAIR, "1m", frame, CandleType.SPOT)
    fast, slow = periods()
    (folder / "cross.py").write_text(STRATEGY % (fast, slow, QUANTITY))
    return {
        "runmode": RunMode.BACKTEST,
        "trading_mode": "spot",
        "margin_mode": "",
        "candle_type_def": CandleType.SPOT,
        "strategy": "Cross",
        "strategy_path": str(folder),
        "user_data_dir": folder,
        "datadir": data,
        "dataformat_ohlcv": "feather",
        "exportdirectory": folder,
        "export": "none",
        "exchange": {"name": "binance", "pair_whitelist": [PAIR], "pair_blacklist": []},
        "pairlists": [{"method": "StaticPairList"}],
        "entry_pricing": {"price_side": "same", "use_order_book": False},
        "exit_pricing": {"price_side": "same", "use_order_book": False},
        "stake_currency": "USDT",
        "stake_amount": 10_000,
        "dry_run": True,
        "dry_run_wallet": 1_000_000,
        "max_open_trades": 1,
        "timeframe": "1m",
        "fee": FEE,
        "timerange": None,
        "dataformat_trades": "feather",
        "internals": {},
        "original_config": {},
    }, len(rows)


def run(path: str) -> tuple[int, float, list[Trade], int]:
    logging.disable(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as folder:
        config, bars = prepare(path, Path(folder))
        exchange = ExchangeResolver.load_exchange(config, validate=False, load_leverage_tiers=False)
        exchange._markets = exchange._api.markets = {PAIR: MARKET}
        exchange._api.markets_by_id = {"BTCUSDT": [MARKET]}
        exchange.reload_markets = lambda *_, **__: None
        backtesting = Backtesting(config, exchange)
        data, timerange = backtesting.load_bt_data()
        with Stopwatch() as watch:
            backtesting.backtest_one_strategy(backtesting.strategylist[0], data, timerange)
        frame = backtesting.all_bt_content["Cross"]["results"]
    trades = [
        (
            round(t.open_date.timestamp() * 1000),
            t.open_rate,
            round(t.close_date.timestamp() * 1000),
            t.close_rate,
        )
        for t in frame.itertuples()
    ]
    return bars, watch.seconds, trades, 2 * len(trades)


if __name__ == "__main__":
    main(run)
