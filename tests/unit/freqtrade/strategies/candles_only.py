from freqtrade.strategy import IStrategy
from freqtrade.vendor.qtpylib.indicators import heikinashi
from pandas import DataFrame


class CandlesOnly(IStrategy):
    timeframe = "5m"
    minimal_roi = {"0": 0.01}
    stoploss = -0.015
    trailing_stop = True
    trailing_stop_positive = 0.004
    ignore_roi_if_entry_signal = True

    def populate_indicators(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        smooth = heikinashi(dataframe)
        dataframe["up"] = smooth["close"] > smooth["open"]
        return dataframe

    def populate_entry_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        dataframe.loc[dataframe["up"] & dataframe["up"].shift(1, fill_value=False), "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        dataframe.loc[~dataframe["up"], "exit_long"] = 1
        return dataframe
