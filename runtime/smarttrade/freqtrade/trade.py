"""A position as a freqtrade strategy sees it: the `Trade` that its callbacks are given.

Long, without leverage, entered once. What bites: a stop only ever rises, and it lies on the exchange's
tick, rounded up, as freqtrade rounds it; the last digit decides whether a candle's low reached it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import ROUND_CEILING, ROUND_HALF_UP, Decimal
from typing import Any


@dataclass(slots=True, kw_only=True)
class Trade:
    """`amount` in base, `stake_amount` and rates in quote, fees as ratios, times in ms."""

    pair: str
    open_ms: int
    open_rate: float
    amount: float
    fee: float
    tick: Decimal
    enter_tag: str | None = None
    stop_loss: float = 0.0
    stop_loss_pct: float = 0.0
    initial_stop_loss: float = 0.0
    initial_stop_loss_pct: float | None = None
    is_stop_loss_trailing: bool = False
    max_rate: float = 0.0
    min_rate: float = 0.0
    close_ms: int | None = None
    close_rate: float | None = None
    exit_reason: str | None = None
    number: int = 0
    custom: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.max_rate = self.min_rate = self.open_rate

    is_short = False
    leverage = 1.0
    trade_direction = "long"
    entry_side = "buy"
    exit_side = "sell"
    nr_of_successful_entries = 1
    nr_of_successful_exits = 0
    has_open_orders = False
    exchange = "smarttrade"

    @property
    def id(self) -> int:
        return self.number

    @property
    def is_open(self) -> bool:
        return self.close_ms is None

    @property
    def open_date_utc(self) -> datetime:
        return _moment(self.open_ms)

    open_date = open_date_utc
    date_last_filled_utc = open_date_utc

    @property
    def close_date_utc(self) -> datetime | None:
        return None if self.close_ms is None else _moment(self.close_ms)

    close_date = close_date_utc

    @property
    def stake_amount(self) -> float:
        return self.amount * self.open_rate

    @property
    def fee_open(self) -> float:
        return self.fee

    @property
    def fee_close(self) -> float:
        return self.fee

    @property
    def base_currency(self) -> str:
        return self.pair.partition("/")[0]

    safe_base_currency = base_currency

    @property
    def buy_tag(self) -> str | None:
        return self.enter_tag

    def calc_profit_ratio(self, rate: float) -> float:
        """Profit after both fees over what was paid, to eight places."""
        return round(rate * (1 - self.fee) / (self.open_rate * (1 + self.fee)) - 1, 8)

    def calc_profit(self, rate: float) -> float:
        return self.amount * (rate * (1 - self.fee) - self.open_rate * (1 + self.fee))

    def rate_for(self, profit: float) -> float:
        """The rate at which this profit ratio is reached."""
        return self.open_rate * (1 + self.fee) * (1 + profit) / (1 - self.fee)

    def minutes(self, now_ms: int) -> int:
        """Whole minutes since the entry."""
        return (now_ms - self.open_ms) // 60_000

    def see(self, low: float, high: float) -> None:
        self.max_rate, self.min_rate = max(self.max_rate, high), min(self.min_rate, low)

    def start_stop(self, ratio: float) -> None:
        """The first stop, below the entry; nothing if there is one."""
        if self.initial_stop_loss_pct is None:
            self._set_stop(self.open_rate, ratio)
            self.initial_stop_loss, self.initial_stop_loss_pct = self.stop_loss, self.stop_loss_pct

    def raise_stop(self, rate: float, ratio: float) -> None:
        """Move the stop to `ratio` below `rate` if that is higher."""
        if self._stop_at(rate, ratio) > self.stop_loss:
            self.is_stop_loss_trailing = True
            self._set_stop(rate, ratio)

    def _set_stop(self, rate: float, ratio: float) -> None:
        self.stop_loss, self.stop_loss_pct = self._stop_at(rate, ratio), -abs(ratio)

    def _stop_at(self, rate: float, ratio: float) -> float:
        return round_up(rate * (1 - abs(ratio)), self.tick)

    def set_custom_data(self, key: str, value: Any) -> None:
        self.custom[key] = value

    def get_custom_data(self, key: str, default: Any = None) -> Any:
        return self.custom.get(key, default)

    @property
    def trade_duration(self) -> timedelta | None:
        return None if self.close_ms is None else timedelta(milliseconds=self.close_ms - self.open_ms)


def round_up(rate: float, tick: Decimal) -> float:
    """To the next tick not below; what lies on one stays."""
    return float((Decimal(repr(float(rate))) / tick).to_integral_value(ROUND_CEILING) * tick)


def round_near(rate: float, tick: Decimal) -> float:
    return float((Decimal(repr(float(rate))) / tick).to_integral_value(ROUND_HALF_UP) * tick)


def _moment(time_ms: int) -> datetime:
    return datetime.fromtimestamp(time_ms / 1000, UTC)
