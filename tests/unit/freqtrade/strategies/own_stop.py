from datetime import datetime

import talib.abstract as ta
from freqtrade.persistence import Trade
from freqtrade.strategy import IStrategy, stoploss_from_open
from pandas import DataFrame


class OwnStop(IStrategy):
    timeframe = "5m"
    minimal_roi = {"0": 0.05}
    stoploss = -0.06
    use_custom_stoploss = True

    def custom_stoploss(
        self,
        pair: str,
        trade: Trade,
        current_time: datetime,
        current_rate: float,
        current_profit: float,
        **kwargs,
    ) -> float | None:
        return stoploss_from_open(0.002, current_profit) if current_profit > 0.01 else None

    def custom_exit(
        self,
        pair: str,
        trade: Trade,
        current_time: datetime,
        current_rate: float,
        current_profit: float,
        **kwargs,
    ):
        frame, _ = self.dp.get_analyzed_dataframe(pair, self.timeframe)
        hours = (current_time - trade.open_date_utc).total_seconds() / 3600
        if hours > 4 and frame["mom"].iloc[-1] < 0 and current_profit < 0:
            return "faded"
        return None

    def confirm_trade_entry(
        self, pair, order_type, amount, rate, time_in_force, current_time, **kwargs
    ) -> bool:
        return current_time.hour != 3

    def populate_indicators(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        dataframe["mom"] = ta.MOM(dataframe, timeperiod=12)
        return dataframe

    def populate_entry_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        dataframe.loc[(dataframe["mom"] > 0) & (dataframe["mom"].shift(1) < 0), "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        return dataframe
