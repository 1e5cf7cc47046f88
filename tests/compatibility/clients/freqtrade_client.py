"""freqtrade: a strategy that enters and leaves all the time, dry and live, with a stop on the exchange."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from steps import expect, step

REST, WS = sys.argv[1:]
EXIT, ENOUGH = "'type': exit_fill", 2
PATIENCE_S = 240
STRATEGY = """
from freqtrade.strategy import IStrategy


class Flip(IStrategy):
    timeframe = "1m"
    minimal_roi = {"0": 0.0}
    stoploss = -0.05
    process_only_new_candles = False
    startup_candle_count = 5
    order_types = {"entry": "limit", "exit": "limit", "stoploss": "limit", "stoploss_on_exchange": True,
                   "stoploss_on_exchange_interval": 5}

    def populate_indicators(self, dataframe, metadata):
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        dataframe["enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe["exit_long"] = (dataframe.index % 2 == 0).astype(int)  # with both signals there is no entry
        return dataframe
"""


def addresses() -> dict:
    """ccxt's addresses of the exchange, all of them, with the host changed."""
    api = {name: f"{REST}/{path}" for name, path in {
        "public": "api/v3", "private": "api/v3", "v1": "api/v1", "sapi": "sapi/v1", "sapiV2": "sapi/v2",
        "sapiV3": "sapi/v3", "sapiV4": "sapi/v4", "fapiPublic": "fapi/v1", "dapiPublic": "dapi/v1",
        "eapiPublic": "eapi/v1",
    }.items()}  # fmt: skip
    return {"api": {**api, "ws": {"spot": f"{WS}/stream/ws", "ws-api": {"spot": f"{WS}/ws-api/v3"}}}}


def config(dry: bool) -> dict:
    side = {"price_side": "other", "use_order_book": True, "order_book_top": 1}
    urls = {"urls": addresses()}
    return {
        "max_open_trades": 2,
        "stake_currency": "USDT",
        "stake_amount": 500,
        "dry_run": dry,
        "dry_run_wallet": 10000,
        "initial_state": "running",
        "unfilledtimeout": {"entry": 1, "exit": 1},
        "entry_pricing": side,
        "exit_pricing": side,
        "exchange": {
            "name": "binance",
            "key": "alice-key",
            "secret": "alice-secret",
            "ccxt_config": urls,
            "ccxt_async_config": urls,
            "pair_whitelist": ["BTC/USDT", "ETH/USDT"],
        },
        "pairlists": [{"method": "StaticPairList"}],
        "internals": {"process_throttle_secs": 3},
        "db_url": "sqlite://",
    }


def trade(dry: bool) -> str:
    """Run the bot for a while; how often it left a position, with nothing to warn of."""
    folder = Path("user")
    (folder / "strategies").mkdir(parents=True, exist_ok=True)
    (folder / "strategies" / "flip.py").write_text(STRATEGY)
    path = Path("dry.json" if dry else "live.json")
    path.write_text(json.dumps(config(dry)))
    bot = Path(sys.executable).with_name("freqtrade")
    command = [str(bot), "trade", "-c", str(path), "--userdir", str(folder), "-s", "Flip"]
    told = Path(f"{path}.log")
    with open(told, "w") as log, subprocess.Popen(command, stdout=log, stderr=log, env=os.environ) as process:
        try:
            until_exits(process, told)
            process.send_signal(signal.SIGTERM)  # SIGINT may be ignored where it is started in the background
            process.wait(60)
        finally:
            process.kill()
    text = told.read_text()
    wrong = [line for line in text.splitlines() if " - ERROR - " in line or "Traceback" in line]
    expect(not wrong, "; ".join(wrong[:3]))
    return f"{text.count(EXIT)} exits filled"


def until_exits(process: subprocess.Popen, log: Path) -> None:
    end = time.monotonic() + PATIENCE_S
    while log.read_text().count(EXIT) < ENOUGH:
        expect(process.poll() is None, f"the bot has ended: {log.read_text()[-500:]}")
        expect(time.monotonic() < end, f"{ENOUGH} exits did not fill: {log.read_text()[-500:]}")
        time.sleep(0.5)


step("dry-run", lambda: trade(True))
step("live", lambda: trade(False))
