import talib.abstract as ta
from freqtrade.strategy import IStrategy, informative, merge_informative_pair
from pandas import DataFrame


class Hourly(IStrategy):
    timeframe = "5m"
    minimal_roi = {"0": 0.02}
    stoploss = -0.03
    startup_candle_count = 100

    def informative_pairs(self):
        return [(pair, "30m") for pair in self.dp.current_whitelist()]

    @informative("1h")
    def populate_hourly(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        dataframe["rsi"] = ta.RSI(dataframe, timeperiod=14)
        return dataframe

    @informative("1h", "BTC/{stake}")
    def populate_market(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        dataframe["mean"] = ta.EMA(dataframe, timeperiod=5)
        return dataframe

    def populate_indicators(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        longer = self.dp.get_pair_dataframe(pair=metadata["pair"], timeframe="30m")
        longer["slope"] = longer["close"].diff()
        return merge_informative_pair(dataframe, longer, self.timeframe, "30m", ffill=True)

    def populate_entry_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        rising = (dataframe["slope_30m"] > 0) & (dataframe["rsi_1h"] < 55)
        dataframe.loc[rising & (dataframe["btc_usdt_close_1h"] > 0), "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        falling = dataframe["slope_30m"] < 0
        dataframe.loc[falling & (dataframe["close"] < dataframe["btc_usdt_mean_1h"]), "exit_long"] = 1
        return dataframe
