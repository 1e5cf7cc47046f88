import talib.abstract as ta
from freqtrade.strategy.interface import IStrategy
from pandas import DataFrame
from technical.util import resample_to_interval, resampled_merge


class OldNames(IStrategy):
    INTERFACE_VERSION = 2
    timeframe = "5m"
    minimal_roi = {"0": 0.03}
    stoploss = -0.05
    sell_profit_only = True

    def populate_indicators(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        longer = resample_to_interval(dataframe, 30)
        longer["mean"] = ta.SMA(longer, timeperiod=10, price="close")
        dataframe["rsi"] = ta.RSI(dataframe, timeperiod=14)
        return resampled_merge(dataframe, longer, fill_na=True)

    def populate_buy_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        above = dataframe["close"] > dataframe["resample_30_mean"]
        dataframe.loc[above & (dataframe["rsi"] < 45), "buy"] = 1
        return dataframe

    def populate_sell_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        dataframe.loc[dataframe["rsi"] > 60, "sell"] = 1
        return dataframe
