"""A freqtrade strategy as one of ours: decisions at the close of every candle, on a rolling window.

At each close the strategy's frame is made of the last candles of every timeframe and asked again, as
freqtrade does in live trading; its newest row decides. While a position is held its stop and its profit
target in force go with the target as protection, so they act between candles too.

What bites: the frame holds a fixed number of candles, the same on every pod and after every restart, so an
indicator that needs more of the past than that differs from a backtest over the whole history. Signals wait
for the longer candles that close at the same instant.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, ClassVar

from pandas import DataFrame

from smarttrade.api import Timeframe
from smarttrade.errors import ConfigurationError, SmartTradeError
from smarttrade.evaluation.parameters import Parameter
from smarttrade.evaluation.strategy import AccountSetup, Candle, Strategy, Wants, Wish
from smarttrade.freqtrade.holding import Book, exact
from smarttrade.freqtrade.informative import find_asked
from smarttrade.freqtrade.interface import IStrategy
from smarttrade.freqtrade.loading import make_strategy
from smarttrade.freqtrade.parameters import (
    BaseParameter,
    CategoricalParameter,
    IntParameter,
    NumericParameter,
    find_parameters,
    value_of,
)
from smarttrade.freqtrade.protections import read_protections
from smarttrade.freqtrade.provider import LONGEST, RunMode, build_frame
from smarttrade.freqtrade.rules import ask, moment
from smarttrade.freqtrade.saved import apply_saved
from smarttrade.freqtrade.signals import Signal, analyse, read_signals
from smarttrade.freqtrade.terms import read_terms
from smarttrade.messages import Fill, Position

STAKED = Decimal("0.95")
"""Share of a market's capital that an entry takes, so that fees and the price collar find room."""

Row = tuple[int, float, float, float, float, float]


class FreqtradeStrategy(Strategy):
    """Base of the classes that `wrap` makes."""

    inner_class: ClassVar[type[IStrategy]]

    def __init__(self, setup: AccountSetup, parameters: Mapping[str, object] | None = None) -> None:
        self._given = dict(parameters or {})
        super().__init__(setup, parameters)

    @property
    def warmup(self) -> int:
        return max(LONGEST, int(self.inner.startup_candle_count or 0))

    def start(self) -> None:
        setup = self.setup
        stake = float(setup.per_market * STAKED)
        config = {"stake_currency": setup.currency, "stake_amount": stake, "timeframe": self.timeframe}
        self.inner = make_strategy(self.inner_class, self.markets, config, RunMode.LIVE, self._given)
        if self.inner.timeframe != self.timeframe:
            raise ConfigurationError(
                f"{self.inner_class.__name__} trades on candles of {self.inner.timeframe}, the account says "
                f"{self.timeframe}: set strategy.timeframe to {self.inner.timeframe}"
            )
        self.terms = read_terms(self.inner)
        self._asked = self._informative_candles()
        lengths = {timeframe for _, timeframe in self._asked}
        self.timeframes = tuple(sorted(lengths - {self.timeframe}))
        self._rows: dict[tuple[str, str], deque[Row]] = {}
        self._frames: dict[tuple[str, str], DataFrame] = {}
        self._decided: dict[str, int] = {}
        self._book = Book(self.inner, self.terms)
        self._protections = read_protections(self.inner.protections, setup.timeframe_ms)

    def _informative_candles(self) -> set[tuple[str, str]]:
        """Pairs and timeframes beside the account's own. ConfigurationError: of a pair that is no market."""
        asked = find_asked(self.inner, self.markets, self.setup.currency)
        for pair, timeframe in sorted(asked):
            if pair not in self.markets:
                raise ConfigurationError(
                    f"{self.inner_class.__name__} needs candles of {pair}: add it to spec.markets"
                )
            if timeframe not in set(Timeframe) - {Timeframe.MONTH}:
                raise ConfigurationError(f"candles of {timeframe} are not available here")
        return asked

    # --- candles in, wants out ---------------------------------------------------------------------------

    def on_candle(self, candle: Candle) -> Wants:
        self._take(candle)
        if self.view is None:
            return None
        due = [market for market in self.markets if self._is_due(market, candle.close_ms)]
        if due and candle.close_ms > max(self._decided.values(), default=-1):
            ask(self.inner.bot_loop_start, None, current_time=moment(candle.close_ms))
        for market in due:
            self._note_end(market, candle.close_ms)
        wishes = [self._decide(market, candle.close_ms) for market in due]
        return [wish for wish in wishes if wish is not None]

    def on_fill(self, fill: Fill) -> Wants:
        self._book.fill(fill)
        return None

    def _note_end(self, market: str, time_ms: int) -> None:
        """Let the protections see a trade that has ended since the last candle."""
        if self._position_in(market) is None:
            ended = self._book.ended(market, time_ms, float(self.price(market)))
            if ended is not None:
                self._protections.closed(ended)

    def _position_in(self, market: str) -> Position | None:
        return self._book.position(self.view, market, float(self.price(market)), self.setup.per_market)

    def _take(self, candle: Candle) -> None:
        key = (candle.market, candle.timeframe)
        rows = self._rows.setdefault(key, deque(maxlen=self.warmup))
        prices = (candle.open, candle.high, candle.low, candle.close, candle.volume)
        rows.append((candle.open_ms, *map(float, prices)))  # type: ignore[arg-type]
        self._frames.pop(key, None)

    def _is_due(self, market: str, time_ms: int) -> bool:
        """Whether this instant's candle of the market is there, with every longer one that closes with it."""
        if self._decided.get(market, -1) >= time_ms:
            return False
        own = self._closed_ms(market, self.timeframe) == time_ms
        return own and all(self._closed_ms(*key) >= Timeframe(key[1]).start(time_ms) for key in self._asked)

    def _closed_ms(self, market: str, timeframe: str) -> int:
        rows = self._rows.get((market, timeframe))
        return Timeframe(timeframe).step(rows[-1][0]) if rows else -1

    def _decide(self, market: str, time_ms: int) -> Wish | None:
        self._decided[market] = time_ms
        signal = self._ask(market)
        position = self._position_in(market)
        if position is None:
            may_enter = signal.can_enter and not self._protections.forbid(market, time_ms)
            return self._enter(market, time_ms, signal) if may_enter else None
        rows = self._rows[market, self.timeframe]
        stand = self._book.judge(position, rows, time_ms, signal)
        if stand.exit:
            return self.target(market, Decimal(0), reason=stand.exit)
        return self.target(
            market, position.quantity, stop_loss=stand.stop, take_profit=stand.profit, reason="held"
        )

    def _ask(self, market: str) -> Signal:
        """The newest row's signal; the frame stays visible to callbacks."""
        for key, rows in self._rows.items():
            if key not in self._frames:
                self._frames[key] = build_frame(list(rows))
        dp = self.inner.dp
        dp.candles = self._frames
        frame = self._frames[market, self.timeframe]
        analysed = dp.analyzed[market] = analyse(self.inner, market, frame)
        if not len(analysed) or analysed["date"].iloc[-1] != frame["date"].iloc[-1]:
            raise SmartTradeError(
                f"{self.inner_class.__name__} lost the newest of {len(frame)} candles of {market}"
            )
        return read_signals(analysed.tail(1))[0]

    def _stake(self) -> Decimal:
        """What an entry may cost: the market's share, of what is left after losses."""
        setup = self.setup
        return STAKED * min(setup.per_market, self.equity * setup.per_market / setup.allocation)

    def _enter(self, market: str, time_ms: int, signal: Signal) -> Wish | None:
        rate, proposed = float(self.price(market)), float(self._stake())
        told = {
            "pair": market,
            "current_time": moment(time_ms),
            "entry_tag": signal.enter_tag,
            "side": "long",
        }
        stake = ask(
            self.inner.custom_stake_amount,
            proposed,
            current_rate=rate,
            proposed_stake=proposed,
            min_stake=0.0,
            max_stake=float(self.setup.per_market),
            leverage=1.0,
            **told,
        )
        quantity = self.quantity_for(market, exact(stake)) if stake and stake > 0 else Decimal(0)
        confirmed = quantity and ask(
            self.inner.confirm_trade_entry,
            True,
            order_type=self.inner.order_types["entry"],
            amount=float(quantity),
            rate=rate,
            time_in_force=self.inner.order_time_in_force["entry"],
            **told,
        )
        if not confirmed:
            return None
        trade = self._book.begin(market, time_ms, rate, float(quantity), signal.enter_tag)
        stand = self._book.stand(trade, time_ms, signal)
        return self.target(
            market,
            quantity,
            stop_loss=stand.stop,
            take_profit=stand.profit,
            reason=signal.enter_tag or "enter_long",
        )


def wrap(inner_class: type[IStrategy]) -> type[FreqtradeStrategy]:
    """The class as one of ours, its parameters declared with their ranges."""
    apply_saved(inner_class)
    declared = {
        name: _declare(parameter, value_of(inner_class, name, parameter))
        for name, parameter in find_parameters(inner_class).items()
    }
    body = {"inner_class": inner_class, "__doc__": inner_class.__doc__, "__module__": inner_class.__module__}
    return type(inner_class.__name__, (FreqtradeStrategy,), {**declared, **body})


def _declare(parameter: BaseParameter, value: Any) -> Parameter[Any]:
    if isinstance(parameter, CategoricalParameter):
        kinds = {type(category) for category in parameter.opt_range}
        if kinds in ({int}, {str}, {bool}):
            return Parameter(value, choices=parameter.opt_range)
        return Parameter(str(value), choices=[str(category) for category in parameter.opt_range])
    if isinstance(parameter, IntParameter):
        return Parameter(int(value), minimum=int(parameter.low), maximum=int(parameter.high))
    if isinstance(parameter, NumericParameter):
        return Parameter(exact(value), minimum=exact(parameter.low), maximum=exact(parameter.high))
    return Parameter(str(value))
