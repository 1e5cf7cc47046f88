import freqtrade.vendor.qtpylib.indicators as qtpylib
import talib.abstract as ta
from freqtrade.strategy import IStrategy
from pandas import DataFrame


class Crossing(IStrategy):
    INTERFACE_VERSION = 3
    timeframe = "5m"
    minimal_roi = {"60": 0.005, "20": 0.01, "0": 0.02}
    stoploss = -0.02
    startup_candle_count = 60

    def populate_indicators(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        dataframe["fast"] = ta.EMA(dataframe, timeperiod=8)
        dataframe["slow"] = ta.EMA(dataframe, timeperiod=21)
        return dataframe

    def populate_entry_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        up = qtpylib.crossed_above(dataframe["fast"], dataframe["slow"])
        dataframe.loc[up & (dataframe["volume"] > 0), ["enter_long", "enter_tag"]] = (1, "up")
        return dataframe

    def populate_exit_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        down = qtpylib.crossed_below(dataframe["fast"], dataframe["slow"])
        dataframe.loc[down, ["exit_long", "exit_tag"]] = (1, "down")
        return dataframe
