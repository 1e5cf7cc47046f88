"""What is held, as the strategy's callbacks see it, and what its terms say of it at a candle's close.

Nothing is stored: a trade is made again from the position that execution tells of (when it was opened, at
what average price) and the candles since, so it survives restart and fail-over. What bites: candles from
before the frame's first are gone then, and with them a high that a trailing stop had followed; and a
position that was not bought, such as an adopted one, begins when it is first seen.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from smarttrade.freqtrade.rules import Bar, Reason, find_signal_exit, follow_stop, is_confirmed
from smarttrade.freqtrade.signals import NO_SIGNAL, Signal
from smarttrade.freqtrade.terms import Terms
from smarttrade.freqtrade.trade import Trade
from smarttrade.messages import AccountView, Fill, Position, Side

FEE = 0.001
"""What a strategy is told that a side costs."""
_TICK = Decimal("1e-8")
_DUST = Decimal("0.01")
_MINUTE_MS = 60_000
"""An order fills a moment after the candle opened; its trade began with the candle."""


@dataclass(frozen=True, slots=True)
class Stand:
    """Why to leave now, or an empty text and the prices at which to leave before the next candle."""

    exit: str = ""
    stop: Decimal | None = None
    profit: Decimal | None = None


class Book:
    """The open trades of one strategy."""

    def __init__(self, strategy: Any, terms: Terms) -> None:
        self._strategy = strategy
        self._terms = terms
        self._trades: dict[str, Trade] = {}
        self._followed: dict[str, int] = {}
        self._stands: dict[str, Stand] = {}
        self._fills: dict[str, Fill] = {}

    def position(
        self, view: AccountView | None, market: str, price: float, per_market: Decimal
    ) -> Position | None:
        """What is held of a market; less than a hundredth of its capital is nothing."""
        held = next((p for p in view.positions if p.market == market), None) if view else None
        if held is None or held.quantity * exact(price) < per_market * _DUST:
            return None
        return held

    def begin(self, market: str, time_ms: int, rate: float, amount: float, tag: str | None) -> Trade:
        """A trade that is about to be entered."""
        trade = Trade(
            pair=market, open_ms=time_ms, open_rate=rate, amount=amount, fee=FEE, tick=_TICK, enter_tag=tag
        )
        trade.start_stop(self._terms.stoploss)
        self._trades[market], self._followed[market] = trade, time_ms
        self._stands.pop(market, None)
        self._fills.pop(market, None)
        return trade

    def fill(self, fill: Fill) -> None:
        """One of the account's orders traded: the last of a trade's says when and at what price it ended."""
        self._fills[fill.market] = fill

    def ended(self, market: str, time_ms: int, price: float) -> Trade | None:
        """The trade of a market in which nothing is held any more; None for one that is still to be entered.

        What no fill tells is taken as of now."""
        trade, fill = self._trades.get(market), self._fills.get(market)
        sold = fill if fill is not None and fill.side is Side.SELL else None
        if trade is None or not (trade.number or sold):
            return None
        del self._trades[market]
        trade.close_ms = sold.time_ms if sold else time_ms
        trade.close_rate = float(sold.price) if sold else price
        stand = self._stands.get(market) or self.stand(trade, time_ms)
        trade.exit_reason = stand.exit or _nearest(trade, stand)
        return trade

    def judge(
        self, position: Position, rows: Iterable[tuple[int, ...] | Any], time_ms: int, signal: Signal
    ) -> Stand:
        """At `time_ms`, when the newest of `rows` has closed."""
        stand = self._judge(position, rows, time_ms, signal)
        self._stands[position.market] = stand
        return stand

    def _judge(
        self, position: Position, rows: Iterable[tuple[int, ...] | Any], time_ms: int, signal: Signal
    ) -> Stand:
        trade, market = self._trade(position, time_ms), position.market
        length_ms = self._terms.minutes * 60_000
        dp = self._strategy.dp
        bar = None
        for index, (open_ms, *prices, _) in enumerate(rows):
            bar = Bar(open_ms, *prices)
            if open_ms + length_ms > self._followed[market]:
                dp.seen[market] = index + 1
                trade.see(bar.low, bar.high)
                follow_stop(self._strategy, self._terms, trade, bar)
                self._followed[market] = open_ms + length_ms
        dp.seen.pop(market, None)
        if bar is None:
            return Stand()
        now = replace(bar, open_ms=time_ms, open=bar.close)
        for found in find_signal_exit(self._strategy, self._terms, trade, now, signal):
            if is_confirmed(self._strategy, trade, found.rate, found.reason, time_ms):
                return Stand(found.reason)
        stand = self.stand(trade, time_ms, signal)
        reason = self._past(trade, stand, bar.close)
        if reason and is_confirmed(self._strategy, trade, bar.close, reason, time_ms):
            return Stand(reason)
        return stand

    def stand(self, trade: Trade, time_ms: int, signal: Signal = NO_SIGNAL) -> Stand:
        """The stop, and the profit target in force."""
        terms = self._terms
        target = terms.target(trade.minutes(time_ms))
        if target is None or (signal.enter and terms.ignore_roi_if_entry_signal):
            return Stand(stop=exact(trade.stop_loss))
        return Stand(stop=exact(trade.stop_loss), profit=exact(trade.rate_for(target[1])))

    def _past(self, trade: Trade, stand: Stand, close: float) -> str:
        """What protection has not done yet though the price is there."""
        if trade.stop_loss >= close:
            return Reason.TRAILING_STOP_LOSS if trade.is_stop_loss_trailing else Reason.STOP_LOSS
        return Reason.ROI if stand.profit is not None and exact(close) > stand.profit else ""

    def _trade(self, position: Position, time_ms: int) -> Trade:
        market, opened_ms = position.market, position.opened_ms - position.opened_ms % _MINUTE_MS
        trade, rate = self._trades.get(market), float(position.average_price)
        about_to = trade is not None and trade.number == 0
        if trade is None or (opened_ms and trade.open_ms != opened_ms):
            tag = trade.enter_tag if trade is not None and about_to else None
            trade = self.begin(market, opened_ms or time_ms, rate, float(position.quantity), tag)
        trade.number = 1
        trade.open_rate, trade.amount = rate, float(position.quantity)
        return trade


def _nearest(trade: Trade, stand: Stand) -> str:
    """Which protection sold it, by the price."""
    rate = exact(trade.close_rate or 0)
    if stand.profit is not None and (stand.stop is None or stand.profit - rate < rate - stand.stop):
        return Reason.ROI
    return Reason.TRAILING_STOP_LOSS if trade.is_stop_loss_trailing else Reason.STOP_LOSS


def exact(value: float | Decimal) -> Decimal:
    """A float as the decimal that it prints as."""
    return value if isinstance(value, Decimal) else Decimal(repr(float(value)))
