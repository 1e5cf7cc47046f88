from functools import reduce

import talib.abstract as ta
from freqtrade.strategy import (
    BooleanParameter,
    CategoricalParameter,
    DecimalParameter,
    IntParameter,
    IStrategy,
    RealParameter,
)
from pandas import DataFrame


class Tuned(IStrategy):
    timeframe = "5m"
    minimal_roi = {"0": 0.015}
    stoploss = -0.03
    trailing_stop = True

    buy_params = {"buy_rsi": 35}
    buy_rsi = IntParameter(10, 50, default=20, space="buy")
    buy_kind = CategoricalParameter(["rsi", "cci"], default="rsi", space="buy")
    buy_on = BooleanParameter(default=True, space="buy")
    sell_rsi = RealParameter(50, 90, default=61.5)
    sell_share = DecimalParameter(0.9, 1.1, default=1.0004, decimals=3, space="sell")

    def populate_indicators(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        dataframe["rsi"] = ta.RSI(dataframe, timeperiod=14)
        return dataframe

    def populate_entry_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        conditions = [dataframe["volume"] > 0]
        if self.buy_on.value and self.buy_kind.value == "rsi":
            conditions.append(dataframe["rsi"] < self.buy_rsi.value)
        dataframe.loc[reduce(lambda x, y: x & y, conditions), "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        dataframe.loc[dataframe["rsi"] * self.sell_share.value > self.sell_rsi.value, "exit_long"] = 1
        return dataframe
