"""Helpers of `custom_stoploss`: it returns how far below the current rate the stop is to lie, as a ratio."""

from __future__ import annotations


def stoploss_from_open(
    open_relative_stop: float, current_profit: float, is_short: bool = False, leverage: float = 1.0
) -> float:
    """A stop at this profit of the entry (-0.05: 5 % below it), seen from the current rate; 0 where the rate
    is below it already."""
    profit, stop = current_profit / leverage, open_relative_stop / leverage
    if is_short:
        return max(0.0, (1 - stop) / (1 - profit) - 1) if profit < 1 else 1.0
    return max(0.0, 1 - (1 + stop) / (1 + profit)) * leverage if profit > -1 else 1.0


def stoploss_from_absolute(
    stop_rate: float, current_rate: float, is_short: bool = False, leverage: float = 1.0
) -> float:
    """A stop at a price, seen from the current rate; 0 where the rate is below it already."""
    if not current_rate:
        return 1.0
    distance = stop_rate / current_rate - 1 if is_short else 1 - stop_rate / current_rate
    return max(0.0, distance) * leverage
