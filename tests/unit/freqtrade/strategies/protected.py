import talib.abstract as ta
from freqtrade.strategy import IStrategy
from pandas import DataFrame


class Unprotected(IStrategy):
    """Enters again as soon as it may, so that every lock shows."""

    timeframe = "5m"
    minimal_roi = {"0": 0.012}
    stoploss = -0.008
    trailing_stop = True
    trailing_stop_positive = 0.004
    trailing_stop_positive_offset = 0.006
    startup_candle_count = 60

    def populate_indicators(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        dataframe["fast"] = ta.EMA(dataframe, timeperiod=5)
        dataframe["slow"] = ta.EMA(dataframe, timeperiod=13)
        return dataframe

    def populate_entry_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        dataframe.loc[dataframe["fast"] > dataframe["slow"], "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        dataframe.loc[dataframe["fast"] < dataframe["slow"], "exit_long"] = 1
        return dataframe


class CooledDown(Unprotected):
    protections = [{"method": "CooldownPeriod", "stop_duration": 17}]


class Guarded(Unprotected):
    protections = [
        {
            "method": "StoplossGuard",
            "lookback_period_candles": 48,
            "trade_limit": 2,
            "stop_duration_candles": 24,
        }
    ]


class GuardedByPair(Unprotected):
    @property
    def protections(self) -> list[dict]:
        return [
            {
                "method": "StoplossGuard",
                "lookback_period": 300,
                "trade_limit": 2,
                "stop_duration": 118,
                "required_profit": -0.005,
                "only_per_pair": True,
            }
        ]


class NotTooDeep(Unprotected):
    protections = [
        {
            "method": "MaxDrawdown",
            "lookback_period_candles": 96,
            "trade_limit": 4,
            "stop_duration_candles": 36,
            "max_allowed_drawdown": 0.015,
        }
    ]


class NoLosers(Unprotected):
    protections = [
        {
            "method": "LowProfitPairs",
            "lookback_period_candles": 60,
            "trade_limit": 2,
            "stop_duration": 240,
            "required_profit": 0.002,
        },
        {"method": "CooldownPeriod", "unlock_at": "13:30"},
    ]
