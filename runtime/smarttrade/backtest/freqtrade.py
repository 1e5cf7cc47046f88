"""The fill model `freqtrade`: the account's strategy under the assumptions of freqtrade's backtests.

For comparison with freqtrade, not for belief: orders fill at the open, at the stop or at the profit target,
in any size and at no spread, and nothing of risk or execution takes part. The account gives markets,
parameters, the stake (`capital.perMarket`) and the number of trades (`capital.maxOpenPositions`).
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, cast

from smarttrade.api import TradingAccount
from smarttrade.backtest.candles import CandleColumns
from smarttrade.backtest.history import History, Resampler, check_timeframes
from smarttrade.backtest.markets import build_filters
from smarttrade.backtest.options import Assumptions
from smarttrade.backtest.repeats import Decisions, Outcomes
from smarttrade.backtest.result import Point, Recorded
from smarttrade.errors import ConfigurationError
from smarttrade.evaluation.core import Draft
from smarttrade.evaluation.loading import SOURCE_DIRECTORY, build_setup, load_class
from smarttrade.messages import Decision, Fill, Side

if TYPE_CHECKING:
    from pandas import DataFrame

    from smarttrade.freqtrade.adapter import FreqtradeStrategy
    from smarttrade.freqtrade.replay import Capital
    from smarttrade.freqtrade.trade import Trade

FILL_MODEL = "freqtrade"


def run_as_freqtrade(
    account: TradingAccount,
    history: History,
    assumptions: Assumptions,
    *,
    from_ms: int | None = None,
    to_ms: int | None = None,
    source: Path = SOURCE_DIRECTORY,
) -> Recorded:
    """ConfigurationError if the account's strategy was not written for freqtrade."""
    strategy, capital = _prepare(account, assumptions, source)
    from smarttrade.freqtrade.replay import replay

    timeframes = {strategy.timeframe, *strategy.timeframes}
    check_timeframes(history, timeframes)
    candles = {
        (market, timeframe): _frame(columns, timeframe, from_ms, to_ms)
        for market, columns in history.candles.items()
        for timeframe in timeframes
    }
    markets = list(history.candles)
    trades = replay(strategy.inner, candles, markets, capital)
    return _record(account, history, trades, from_ms, to_ms, assumptions.taker_fee)


def _prepare(
    account: TradingAccount, assumptions: Assumptions, source: Path
) -> tuple[FreqtradeStrategy, Capital]:
    strategy_class = load_class(account.spec.strategy, source)
    if not hasattr(strategy_class, "inner_class"):
        raise ConfigurationError(
            f"{strategy_class.__name__} was not written for freqtrade: leave out --fills freqtrade"
        )
    from smarttrade.freqtrade.adapter import STAKED
    from smarttrade.freqtrade.provider import RunMode
    from smarttrade.freqtrade.replay import Capital

    setup, spec = build_setup(account.spec), account.spec.capital
    strategy = cast("FreqtradeStrategy", strategy_class(setup, account.spec.strategy.parameters))
    strategy.inner.dp.runmode = RunMode.BACKTEST
    return strategy, Capital(
        stake=float(setup.per_market * STAKED),
        wallet=float(spec.allocation),
        slots=spec.max_open_positions,
        fee=float(assumptions.taker_fee),
        shrinks=float(STAKED),
    )


def _frame(columns: CandleColumns, timeframe: str, from_ms: int | None, to_ms: int | None) -> DataFrame:
    from smarttrade.freqtrade.provider import build_frame

    builder = Resampler(timeframe)
    whole = (builder.add(candle) for candle in columns)
    return build_frame(
        [
            (c.open_ms, float(c.open), float(c.high), float(c.low), float(c.close), float(c.volume))
            for c in whole
            if c is not None and (from_ms or 0) <= c.open_ms and (to_ms is None or c.close_ms <= to_ms)
        ]
    )


def _record(
    account: TradingAccount,
    history: History,
    trades: list[Trade],
    from_ms: int | None,
    to_ms: int | None,
    fee: Decimal,
) -> Recorded:
    """The trades as fills, and the account's worth at every base candle's close."""
    decisions = Decisions(_nothing_decided)
    recorded = Recorded(
        account=account,
        start_ms=max(history.first_ms, from_ms or 0),
        filters={rules.market: rules for rules in build_filters(history.prices())},
        decisions=decisions,
        outcomes=Outcomes(decisions),
        fills=sorted(_fills(account, trades, fee), key=lambda fill: fill.time_ms),
        orders=2 * len(trades),
        fill_model=FILL_MODEL,
    )
    cash, held, coming = account.spec.capital.allocation, dict.fromkeys(history.candles, Decimal(0)), 0
    last_ms = min(history.last_ms, to_ms or history.last_ms)
    closes = {market: dict(_closes(columns)) for market, columns in history.candles.items()}
    prices = history.prices()
    for time_ms in range(recorded.start_ms + history.interval_ms, last_ms + 1, history.interval_ms):
        while coming < len(recorded.fills) and recorded.fills[coming].time_ms < time_ms:
            fill, coming = recorded.fills[coming], coming + 1
            signed = fill.quantity if fill.side is Side.BUY else -fill.quantity
            held[fill.market] += signed
            cash -= signed * fill.price + fill.fee
        prices.update({market: close[time_ms] for market, close in closes.items() if time_ms in close})
        invested = sum((held[market] * prices[market] for market in held), Decimal(0))
        recorded.points.append(Point(time_ms, cash + invested, invested))
    return recorded


def _closes(columns: CandleColumns) -> Iterator[tuple[int, Decimal]]:
    first_ms = columns.first_ms + columns.length_ms
    return ((first_ms + row * columns.length_ms, close) for row, close in enumerate(columns.close.decimals()))


def _fills(account: TradingAccount, trades: list[Trade], fee: Decimal) -> Iterator[Fill]:
    currency = account.spec.capital.currency
    for number, trade in enumerate(trades):
        quantity = Decimal(repr(trade.amount))
        sides = ((Side.BUY, trade.open_ms, trade.open_rate), (Side.SELL, trade.close_ms, trade.close_rate))
        for side, time_ms, rate in sides:
            price = Decimal(repr(float(rate or 0)))
            name = f"{number}-{side.value}"
            yield Fill(
                market=trade.pair,
                trade_id=name,
                order_id=name,
                client_order_id=name,
                decision_id=name,
                side=side,
                price=price,
                quantity=quantity,
                fee=price * quantity * fee,
                fee_asset=currency,
                maker=False,
                time_ms=time_ms or 0,
            )


def _nothing_decided(draft: Draft) -> Decision:
    raise AssertionError(f"no decision is made in this fill model, but {draft} was")
