"""When and at what price an open trade ends, from one candle, as freqtrade documents its backtests.

In this order: the exit signal of the candle before (at the open), the stop (at the stop), the profit target
(at the target), the trailed stop. Within the candle the high comes first and may move the stop, then the
low meets it. Stops trail from the high only while the low has not met them.

Floats, in freqtrade's own order of operations where the last digit could decide.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import structlog

from smarttrade.freqtrade.signals import Signal
from smarttrade.freqtrade.terms import Terms
from smarttrade.freqtrade.trade import Trade

logger = structlog.get_logger()


class Reason(StrEnum):
    EXIT_SIGNAL = "exit_signal"
    CUSTOM_EXIT = "custom_exit"
    STOP_LOSS = "stop_loss"
    TRAILING_STOP_LOSS = "trailing_stop_loss"
    ROI = "roi"
    FORCE_EXIT = "force_exit"


@dataclass(frozen=True, slots=True)
class Bar:
    """One candle; `open_ms` is also when a trade that is entered at its open begins."""

    open_ms: int
    open: float
    high: float
    low: float
    close: float


@dataclass(frozen=True, slots=True)
class Exit:
    kind: Reason
    rate: float
    reason: str


def find_exits(strategy: Any, terms: Terms, trade: Trade, bar: Bar, signal: Signal) -> Iterator[Exit]:
    """Every way out of `trade` in this candle, the one that counts first; `signal` is of the candle before.

    Moves the trade's stop. An exit may be vetoed by the strategy, then the next one counts.
    """
    trade.see(bar.low, bar.high)
    stopped = _judge_stop(strategy, terms, trade, bar)
    target = None
    if not (signal.enter and terms.ignore_roi_if_entry_signal):
        target = _target_rate(terms, trade, bar)
    yield from find_signal_exit(strategy, terms, trade, bar, signal)
    if stopped is Reason.STOP_LOSS:
        yield Exit(stopped, _stop_rate(terms, trade, bar, stopped), stopped)
    if target is not None:
        yield Exit(Reason.ROI, target, Reason.ROI)
    if stopped is Reason.TRAILING_STOP_LOSS:
        yield Exit(stopped, _stop_rate(terms, trade, bar, stopped), stopped)


def find_signal_exit(strategy: Any, terms: Terms, trade: Trade, bar: Bar, signal: Signal) -> Iterator[Exit]:
    """The exit that a signal or the strategy's own callback asks for at the open, if one does."""
    if not terms.use_exit_signal:
        return
    profit = trade.calc_profit_ratio(bar.open)
    if signal.exit and not signal.enter:
        if not terms.exit_profit_only or profit > terms.exit_profit_offset:
            yield Exit(Reason.EXIT_SIGNAL, bar.open, signal.exit_tag or Reason.EXIT_SIGNAL)
        return
    told = ask(
        strategy.custom_exit,
        False,
        pair=trade.pair,
        trade=trade,
        current_time=moment(bar.open_ms),
        current_rate=bar.open,
        current_profit=profit,
    )
    if told:
        yield Exit(Reason.CUSTOM_EXIT, bar.open, told if isinstance(told, str) else Reason.CUSTOM_EXIT)


# --- stops ---


def _judge_stop(strategy: Any, terms: Terms, trade: Trade, bar: Bar) -> Reason | None:
    """Let the candle's high move the stop, then its low meet it."""
    follow_stop(strategy, terms, trade, bar)
    if trade.stop_loss < bar.low:
        return None
    return Reason.TRAILING_STOP_LOSS if trade.is_stop_loss_trailing else Reason.STOP_LOSS


def follow_stop(strategy: Any, terms: Terms, trade: Trade, bar: Bar) -> None:
    """Begin the stop, and let a candle that did not meet it raise it."""
    trade.start_stop(terms.stoploss)
    if trade.stop_loss < bar.low:
        _trail(strategy, terms, trade, bar)


def _trail(strategy: Any, terms: Terms, trade: Trade, bar: Bar) -> None:
    profit = trade.calc_profit_ratio(bar.high)
    ratio = terms.stoploss
    if terms.use_custom_stoploss:
        told = ask(
            strategy.custom_stoploss,
            None,
            pair=trade.pair,
            trade=trade,
            current_time=moment(bar.open_ms),
            current_rate=bar.high,
            current_profit=profit,
            after_fill=False,
        )
        if told and math.isfinite(told):
            ratio = told
            trade.raise_stop(bar.high, ratio)
    if not terms.trailing_stop:
        return
    offset = terms.trailing_stop_positive_offset
    if terms.trailing_only_offset_is_reached and profit < offset:
        return
    if terms.trailing_stop_positive is not None and profit > offset:
        ratio = terms.trailing_stop_positive
    trade.raise_stop(bar.high, ratio)


def _stop_rate(terms: Terms, trade: Trade, bar: Bar, kind: Reason) -> float:
    if trade.stop_loss > bar.high:
        return bar.open
    if kind is not Reason.TRAILING_STOP_LOSS or trade.minutes(bar.open_ms):
        return trade.stop_loss
    # Trailed and met in the candle of the entry: the worst path that could have done it.
    if (
        terms.trailing_stop
        and terms.trailing_only_offset_is_reached
        and terms.trailing_stop_positive
        and not terms.use_custom_stoploss
    ):
        rate = bar.open * (1 + abs(terms.trailing_stop_positive_offset) - abs(terms.trailing_stop_positive))
    else:
        rate = bar.open * (1 - abs(trade.stop_loss_pct))
    return max(bar.low, rate)


# --- profit targets ---


def _target_rate(terms: Terms, trade: Trade, bar: Bar) -> float | None:
    """Where the profit target in force is met; None if the candle does not reach it."""
    minutes = trade.minutes(bar.open_ms)
    target = terms.target(minutes)
    if target is None or not trade.calc_profit_ratio(bar.high) > target[1]:
        return None
    since, profit = target
    on_open = since % terms.minutes == 0
    if profit == -1 and on_open:
        return bar.open
    rate = trade.rate_for(profit)
    if minutes > 0 and minutes == since and on_open and bar.open > rate:
        return bar.open
    return min(max(rate, bar.low), bar.high)


# --- a stranger's code ---


def is_confirmed(strategy: Any, trade: Trade, rate: float, reason: str, time_ms: int) -> bool:
    """Whether the strategy lets the trade go at this rate and for this reason."""
    return bool(
        ask(
            strategy.confirm_trade_exit,
            True,
            pair=trade.pair,
            trade=trade,
            order_type=strategy.order_types["exit"],
            amount=trade.amount,
            rate=rate,
            time_in_force=strategy.order_time_in_force["exit"],
            exit_reason=reason,
            sell_reason=reason,
            current_time=moment(time_ms),
        )
    )


def ask(callback: Any, default: Any, **arguments: Any) -> Any:
    """What a callback says; one that raises says `default`, as in freqtrade, and is logged."""
    try:
        return callback(**arguments)
    except Exception as error:  # noqa: BLE001 - whatever a stranger's code raises
        name = getattr(callback, "__qualname__", "a callback")
        logger.warning(f"{name} failed and was passed over", error=f"{type(error).__name__}: {error}")
        return default


def moment(time_ms: int) -> datetime:
    return datetime.fromtimestamp(time_ms / 1000, UTC)
