"""freqtrade's own backtest without a network: runs in an environment that has freqtrade.

    python freqtrade_peer.py JOBS.json RESULTS.json

Its exchange class wants the exchange's list of markets; it is given one. A job is one strategy on one
folder of candles; what it cannot load or run is a result too.
"""

import json
import logging
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Any

import pandas as pd
from freqtrade.data.history import get_datahandler
from freqtrade.enums import CandleType, RunMode
from freqtrade.optimize.backtesting import Backtesting
from freqtrade.resolvers import ExchangeResolver, StrategyResolver


def build_market(pair: str, fee: float) -> dict[str, Any]:
    base, quote = pair.split("/")
    return {
        "id": base + quote,
        "symbol": pair,
        "base": base,
        "quote": quote,
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
        "taker": fee,
        "maker": fee,
        "precision": {"amount": 0.00001, "price": 0.01},
        "limits": {
            "amount": {"min": 0.00001, "max": 9000},
            "price": {"min": 0.01, "max": 1e6},
            "cost": {"min": 5, "max": None},
            "leverage": {"min": None, "max": None},
        },
        "info": {},
    }


def store(candles: Path, folder: Path) -> None:
    """CSV files named BASE-QUOTE-TIMEFRAME.csv into freqtrade's own format."""
    handler = get_datahandler(folder, "feather")
    for file in sorted(candles.glob("*.csv")):
        base, quote, timeframe = file.stem.split("-")
        frame = pd.read_csv(file)
        frame["date"] = pd.to_datetime(frame["date"], unit="ms", utc=True)
        handler.ohlcv_store(f"{base}/{quote}", timeframe, frame, CandleType.SPOT)


def build_config(job: dict[str, Any], data: Path, folder: Path) -> dict[str, Any]:
    return {
        "runmode": RunMode.BACKTEST,
        "trading_mode": "spot",
        "margin_mode": "",
        "candle_type_def": CandleType.SPOT,
        "strategy": job["strategy"],
        "strategy_path": job["path"],
        "user_data_dir": folder,
        "datadir": data,
        "dataformat_ohlcv": "feather",
        "dataformat_trades": "feather",
        "exportdirectory": folder,
        "export": "none",
        "exchange": {"name": "binance", "pair_whitelist": job["pairs"], "pair_blacklist": []},
        "pairlists": [{"method": "StaticPairList"}],
        "entry_pricing": {"price_side": "same", "use_order_book": False},
        "exit_pricing": {"price_side": "same", "use_order_book": False},
        "stake_currency": "USDT",
        "stake_amount": job["stake"],
        "dry_run": True,
        "dry_run_wallet": job["wallet"],
        "max_open_trades": job["slots"],
        "fee": job["fee"],
        **({"timeframe": job["timeframe"]} if job.get("timeframe") else {}),
        "timerange": None,
        "internals": {},
        "original_config": {},
        **({"enable_protections": True} if job.get("protections") else {}),
    }


def long_only(validate: Any) -> Any:
    """On spot a strategy that may short is refused by freqtrade; its long side alone is comparable."""

    def validated(strategy: Any) -> Any:
        strategy.can_short = False
        return validate(strategy)

    return validated


def run(job: dict[str, Any], data: Path) -> list[list[Any]]:
    with tempfile.TemporaryDirectory() as folder:
        config = build_config(job, data, Path(folder))
        exchange = ExchangeResolver.load_exchange(config, validate=False, load_leverage_tiers=False)
        markets = {pair: build_market(pair, job["fee"]) for pair in job["markets"]}
        exchange._markets = exchange._api.markets = markets
        exchange._api.markets_by_id = {market["id"]: [market] for market in markets.values()}
        exchange.reload_markets = lambda *_, **__: None
        backtesting = Backtesting(config, exchange)
        candles, timerange = backtesting.load_bt_data()
        strategy = backtesting.strategylist[0]
        backtesting.backtest_one_strategy(strategy, candles, timerange)
        frame = backtesting.all_bt_content[strategy.get_strategy_name()]["results"]
    return [
        [
            t.pair,
            round(t.open_date.timestamp() * 1000),
            t.open_rate,
            round(t.close_date.timestamp() * 1000),
            t.close_rate,
            t.exit_reason,
            t.enter_tag or "",
            t.amount,
        ]
        for t in frame.itertuples()
    ]


def main(jobs: Path, results: Path) -> None:
    logging.disable(logging.CRITICAL)
    validate = long_only(StrategyResolver._strategy_sanity_validations)
    StrategyResolver._strategy_sanity_validations = staticmethod(validate)
    with tempfile.TemporaryDirectory() as folder:
        stored: dict[str, Path] = {}
        with results.open("w") as out:
            for job in json.loads(jobs.read_text()):
                if job["candles"] not in stored:
                    stored[job["candles"]] = Path(folder, str(len(stored)))
                    stored[job["candles"]].mkdir()
                    store(Path(job["candles"]), stored[job["candles"]])
                try:
                    told: dict[str, Any] = {"trades": run(job, stored[job["candles"]])}
                except (Exception, SystemExit) as error:  # noqa: BLE001 - a failure is a result
                    told = {"error": "".join(traceback.format_exception_only(error)).strip()}
                    told["where"] = traceback.format_exc()[-1500:]
                out.write(json.dumps({"key": job["key"], **told}) + "\n")
                out.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
