"""`IStrategy`: what a freqtrade strategy's class derives from, with freqtrade's defaults.

The names that were in use before its third interface (`populate_buy_trend`, `custom_sell`,
`ticker_interval`) are read where the class has no newer one.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

from pandas import DataFrame

from smarttrade.errors import ConfigurationError

if TYPE_CHECKING:
    from smarttrade.freqtrade.provider import DataProvider

Metadata = dict[str, Any]


class IStrategy:
    """Attributes and callbacks as freqtrade documents them; a subclass overrides what it needs."""

    INTERFACE_VERSION: int = 3
    timeframe: str = ""
    minimal_roi: Any = MappingProxyType({})
    stoploss: Any = None
    max_open_trades: Any = -1
    trailing_stop: bool = False
    trailing_stop_positive: float | None = None
    trailing_stop_positive_offset: float = 0.0
    trailing_only_offset_is_reached = False
    use_custom_stoploss: bool = False
    use_custom_roi: bool = False
    can_short: bool = False
    use_exit_signal: bool = True
    exit_profit_only: bool = False
    exit_profit_offset: float = 0.0
    ignore_roi_if_entry_signal: bool = False
    position_adjustment_enable: bool = False
    max_entry_position_adjustment: int = -1
    process_only_new_candles: bool = True
    disable_dataframe_checks: bool = False
    startup_candle_count: int = 0
    protections: Any = ()
    plot_config: Any = MappingProxyType({})
    order_types: Any = MappingProxyType(
        {"entry": "limit", "exit": "limit", "stoploss": "limit", "stoploss_on_exchange": False}
    )
    order_time_in_force: Any = MappingProxyType({"entry": "GTC", "exit": "GTC"})
    unfilledtimeout: Any = MappingProxyType({})
    dp: DataProvider = None  # type: ignore[assignment]
    wallets: Any = None
    config: ClassVar[Mapping[str, Any]]

    def __init__(self, config: Mapping[str, Any]) -> None:
        self.config = config  # type: ignore[misc]

    # --- signals -----------------------------------------------------------------------------------------

    def populate_indicators(self, dataframe: DataFrame, metadata: Metadata) -> DataFrame:
        return dataframe

    def populate_entry_trend(self, dataframe: DataFrame, metadata: Metadata) -> DataFrame:
        return self._older("populate_entry_trend", "populate_buy_trend")(dataframe, metadata)

    def populate_exit_trend(self, dataframe: DataFrame, metadata: Metadata) -> DataFrame:
        return self._older("populate_exit_trend", "populate_sell_trend")(dataframe, metadata)

    def informative_pairs(self) -> list[tuple[str, ...]]:
        return []

    def _older(self, name: str, old: str) -> Any:
        method = getattr(self, old, None)
        if method is None:
            raise ConfigurationError(f"{type(self).__name__} has no {name}: write it")
        return method

    # --- callbacks ---------------------------------------------------------------------------------------

    def bot_start(self, **more: Any) -> None: ...

    def bot_loop_start(self, **more: Any) -> None: ...

    def custom_stoploss(self, *args: Any, **more: Any) -> float | None:
        return self.stoploss  # type: ignore[no-any-return]

    def custom_exit(self, *args: Any, **more: Any) -> str | bool | None:
        old = getattr(self, "custom_sell", None)
        return old(*args, **more) if old else None

    def custom_stake_amount(self, *args: Any, proposed_stake: float, **more: Any) -> float:
        return proposed_stake

    def confirm_trade_entry(self, *args: Any, **more: Any) -> bool:
        return True

    def confirm_trade_exit(self, *args: Any, **more: Any) -> bool:
        return True

    def leverage(self, *args: Any, **more: Any) -> float:
        return 1.0

    def version(self) -> str | None:
        return None
