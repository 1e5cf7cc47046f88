"""What a strategy author imports: `from smarttrade import Strategy, Parameter`.

A strategy is a function of the events that it is given, in their order: no wall clock, no randomness
without a fixed seed, no network. The same events then give the same decisions in a backtest, on paper,
live and on the standby. Handlers return what is wanted of a market (`target`, `hold`, `rest`), several of
these, or nothing; quantities are settled at that moment, never later.

What bites: handlers also run during warm-up, on history, when nothing is known of the account yet
(`position` is zero and `equity` is the allocation); what they return then is not sent. And a want expires:
candle strategies say again at every candle what they want, which costs nothing when it already is so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import ROUND_DOWN, Decimal
from types import MappingProxyType
from typing import Any

import msgspec

from smarttrade.errors import ConfigurationError, SmartTradeError
from smarttrade.evaluation.holding import FINEST, AccountSetup, Held, find_budget, settle_provisional
from smarttrade.evaluation.memory import Remembered
from smarttrade.evaluation.parameters import Parameter, read_parameters
from smarttrade.messages import (
    AccountView,
    Book,
    Candle,
    Fill,
    OrderStyle,
    Quote,
    RestingOrder,
    RestingOrders,
    Side,
    Target,
    Trade,
)

__all__ = [
    "AccountSetup",
    "Book",
    "Candle",
    "Fill",
    "NoPriceError",
    "OrderStyle",
    "Parameter",
    "Quote",
    "Remembered",
    "RestingOrder",
    "Side",
    "Strategy",
    "Trade",
    "Wants",
    "Wish",
]

SHORT_VALIDITY_MS = 5_000
_ZERO = Decimal(0)


class NoPriceError(SmartTradeError):
    """A quantity was asked for before any price of the market was seen."""


class Wish(msgspec.Struct, frozen=True, gc=False):
    """What a handler wants of one market."""

    market: str
    want: Target | RestingOrders
    reason: str = ""


Wants = Iterable[Wish] | Wish | None


class Strategy:
    """Base of every strategy. Subclasses declare parameters and override the handlers that they need."""

    timeframes: tuple[str, ...] = ()
    """Timeframes needed besides the account's own."""
    book_levels: int = 0
    """How many levels of each side of the order book `on_book` is given: 5, 10 or 20; 0 for no books."""
    timers: Mapping[str, int] = MappingProxyType({})
    """Name -> seconds of event time between calls of `on_timer`, aligned to multiples since 1970. May be set
    in `start`."""
    _held = Remembered(dict[str, Held])

    def __init__(self, setup: AccountSetup, parameters: Mapping[str, object] | None = None) -> None:
        self.__dict__.update(read_parameters(type(self), parameters or {}))
        self.setup = setup
        self.markets = setup.markets
        self.timeframe = setup.timeframe
        self.now_ms = 0
        self._view: AccountView | None = None
        self._look: Callable[[], None] | None = None
        self._prices: dict[str, Decimal] = {}
        self._provisional: set[str] = set()
        self._validity_ms = SHORT_VALIDITY_MS
        self.validate()
        self.start()

    # --- for subclasses ---------------------------------------------------------------------------------

    @property
    def warmup(self) -> int:
        """Candles of every timeframe needed before the first decision; recursive indicators need ten times
        their longest period."""
        return 0

    def validate(self) -> None:
        """Raise ConfigurationError if the parameters do not go together."""

    def start(self) -> None:
        """Make the indicators and other state; parameters are set."""

    def on_candle(self, candle: Candle) -> Wants:
        """A final candle of one of the timeframes."""

    def on_correction(self, candle: Candle) -> Wants:
        """The exchange says otherwise of a candle that was final. Indicators have been made anew by then from
        history as it is now; nothing is decided because of it but what this returns."""

    def on_trade(self, trade: Trade) -> Wants:
        """A public trade."""

    def on_quote(self, quote: Quote) -> Wants:
        """A change of best bid or ask."""

    def on_book(self, book: Book) -> Wants:
        """The best levels of the order book, as `book_levels` asks; several a second. Recorded candles and
        trades have none, so a backtest on them never calls this."""

    def on_fill(self, fill: Fill) -> Wants:
        """One of the account's own orders traded. Only the leading pod's strategy sees it at once."""

    def on_timer(self, name: str, time_ms: int) -> Wants:
        """A timer of `timers` is due at `time_ms` of event time."""

    # --- what is known ----------------------------------------------------------------------------------

    @property
    def view(self) -> AccountView | None:
        """The account as execution last told it; None while it is not known."""
        if self._look is not None:
            self._look()
        return self._view

    @view.setter
    def view(self, view: AccountView | None) -> None:
        self._view = view

    def price(self, market: str) -> Decimal:
        """The newest price of a market: last trade, candle close or mid, whichever came last."""
        try:
            return self._prices[market]
        except KeyError:
            raise NoPriceError(f"no price of {market} has been seen yet: wait for its first candle") from None

    def has_price(self, market: str) -> bool:
        return market in self._prices

    def position(self, market: str) -> Decimal:
        """The account's position in the base asset; zero while the account is not known."""
        view = self.view
        positions = view.positions if view else []
        return next((p.quantity for p in positions if p.market == market), _ZERO)

    @property
    def equity(self) -> Decimal:
        view = self.view
        return view.equity if view else self.setup.allocation

    # --- quantities -------------------------------------------------------------------------------------

    def quantity_for(self, market: str, notional: Decimal) -> Decimal:
        """The base quantity that costs `notional` at the newest price, rounded down."""
        return (notional / self.price(market)).quantize(FINEST, ROUND_DOWN)

    def budget(self, fraction: Decimal) -> Decimal:
        """Quote asset for this fraction of one market's share of the allocation, never more than realised
        losses have left of that share."""
        return find_budget(self.setup, fraction, self.view)

    def fraction_of_allocation(self, market: str, fraction: Decimal) -> Decimal:
        """The base quantity that `budget` buys."""
        return self.quantity_for(market, self.budget(fraction))

    def fraction_of_equity(self, market: str, fraction: Decimal) -> Decimal:
        """The base quantity worth this fraction of the account's equity."""
        return self.quantity_for(market, self.equity * fraction)

    # --- wants ------------------------------------------------------------------------------------------

    def target(
        self,
        market: str,
        quantity: Decimal,
        *,
        style: OrderStyle = OrderStyle.MARKETABLE,
        limit: Decimal | None = None,
        stop_loss: Decimal | None = None,
        take_profit: Decimal | None = None,
        trailing_stop: Decimal | None = None,
        valid_for_s: int | None = None,
        reason: str = "",
    ) -> Wish:
        """Want a position of `quantity` in the base asset. Valid for one timeframe on candles, else 5 s.

        `stop_loss` and `take_profit` are prices, `trailing_stop` is a share of the price; they protect the
        position until a later target of the market has been carried out."""
        want = Target(
            quantity=quantity,
            valid_until_ms=self._valid_until(valid_for_s),
            style=style,
            limit=limit,
            stop_loss=stop_loss,
            take_profit=take_profit,
            trailing_stop=trailing_stop,
        )
        return Wish(self._own(market), want, reason)

    def hold(self, market: str, fraction: Decimal, *, reason: str = "", **options: Any) -> Wish:
        """`target` of a fraction of the market's share of the allocation (see `budget`), whose quantity is
        settled when the fraction changes and then kept, so that saying it again at every candle does not
        rebalance."""
        if self._provisional and self._look is not None:
            self._look()
        held = self._held.get(market)
        if held is None or (held[0] is not fraction and held[0] != fraction):
            held = self._settle(market, fraction)
        if not options:
            want = Target(quantity=held[1], valid_until_ms=self.now_ms + self._validity_ms)
            return Wish(self._own(market), want, reason)
        return self.target(market, held[1], reason=reason, **options)

    def rest(
        self,
        market: str,
        orders: Iterable[RestingOrder],
        *,
        valid_for_s: int | None = None,
        reason: str = "",
    ) -> Wish:
        """Want exactly these orders to rest in the market; an empty set cancels. Valid for two timeframes on
        candles, so that a set is renewed before it ends."""
        until = self._valid_until(valid_for_s)
        if valid_for_s is None:
            until += self._validity_ms
        return Wish(self._own(market), RestingOrders(orders=list(orders), valid_until_ms=until), reason)

    def _settle(self, market: str, fraction: Decimal) -> Held:
        quantity = _ZERO
        if fraction:
            budget = find_budget(self.setup, fraction, self.view, self.setup.spendable)
            quantity = self.quantity_for(market, budget)
        held = self._held[market] = Held(fraction, quantity)
        if fraction and self._view is None:
            self._provisional.add(market)
        else:
            self._provisional.discard(market)
        return held

    def _settle_provisional(self, view: AccountView) -> dict[str, tuple[Decimal, Decimal]]:
        """The account is known now: by market the quantity settled before, and the one that holds."""
        changed = {}
        for market in self._provisional:
            before = self._held[market]
            after = self._held[market] = settle_provisional(self.setup, market, before, view)
            changed[market] = (before.quantity, after.quantity)
        self._provisional.clear()
        return changed

    def _recall(self, values: Mapping[str, Any]) -> None:
        """Go on with what was remembered."""
        self.__dict__.update(values)
        self._provisional.difference_update(self._held)

    def _valid_until(self, valid_for_s: int | None) -> int:
        return self.now_ms + (self._validity_ms if valid_for_s is None else valid_for_s * 1000)

    def _own(self, market: str) -> str:
        if market not in self.markets:
            raise ConfigurationError(f"{market} is not a market of this account: add it to spec.markets")
        return market
