"""Values fees that are paid in a third asset, as BNB on Binance, in the account's currency.

The fill enters the ledger at once, because the position matters more than its fee; the fee follows as a
record of its own, with the value that was used, so that replay and every later leader count the same. The
price is the account's own where it trades that asset, else the exchange is asked, after the fill. What bites:
until there is a price the fee counts as nothing, so that is told, and asked for until it is known.
"""

from __future__ import annotations

from decimal import Decimal

from smarttrade.execution.context import Context, Milliseconds
from smarttrade.execution.effects import PriceRead, ReadPrice
from smarttrade.execution.ledger import value_at
from smarttrade.execution.records import FeeValued
from smarttrade.execution.targets import middle

FEE_UNVALUED = "FeeUnvalued"
_PRICE_HOLDS_MS = 10_000.0
_ANSWER_MS = 30_000.0
_RETRY_MS, _RETRY_LIMIT_MS = 1_000.0, 600_000.0


class Fees:
    """What is owed in the book, into values."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._prices: dict[str, tuple[Decimal, Milliseconds]] = {}
        self._ask_ms: dict[str, Milliseconds] = {}
        self._pause_ms: dict[str, float] = {}
        self._untold: dict[str, str] = {}

    def advance(self) -> None:
        """Count what has a price; ask for the others'."""
        if self._ctx.book.owed:
            for market, fees in list(self._ctx.book.owed.items()):
                for asset, quantity in list(fees.items()):
                    self._value(market, asset, quantity)
        elif self._untold:
            self._untold.clear()
        self._tell()

    def heard(self, event: PriceRead) -> None:
        """The exchange's answer to a question for a price; one without it is repeated later and later."""
        ctx, asset = self._ctx, event.asset
        if event.price is not None:
            self._prices[asset] = (event.price, ctx.now_ms)
            self._ask_ms.pop(asset, None)
            self._pause_ms.pop(asset, None)
            self._untold.pop(asset, None)
            return
        pause_ms = self._pause_ms.get(asset, _RETRY_MS)
        self._pause_ms[asset] = min(pause_ms * 2, _RETRY_LIMIT_MS)
        self._ask_ms[asset] = ctx.now_ms + pause_ms
        self._untold[asset] = event.reason

    def _value(self, market: str, asset: str, quantity: Decimal) -> None:
        price = self._price(asset)
        if price is None:
            self._ask(asset)
            return
        self._untold.pop(asset, None)
        self._ctx.record(
            FeeValued(
                market=market,
                asset=asset,
                quantity=quantity,
                price=price,
                value=value_at(quantity, price),
                time_ms=self._ctx.exchange_ms,
            )
        )

    def _price(self, asset: str) -> Decimal | None:
        ctx = self._ctx
        quote = ctx.quote(f"{asset}/{self._currency}")
        if quote is not None:
            return middle(quote)
        price, heard_ms = self._prices.get(asset, (None, 0.0))
        return price if ctx.now_ms - heard_ms <= _PRICE_HOLDS_MS else None

    def _ask(self, asset: str) -> None:
        ctx = self._ctx
        due_ms = self._ask_ms.get(asset, ctx.now_ms)
        if ctx.now_ms >= due_ms:
            due_ms = self._ask_ms[asset] = ctx.now_ms + _ANSWER_MS
            ctx.emit(ReadPrice(asset=asset, currency=self._currency))
        ctx.wake_at(due_ms)

    def _tell(self) -> None:
        """Only what was asked for in vain: a moment without a price belongs to every such fill."""
        problems = self._ctx.problems
        if not self._untold:
            problems.pop(FEE_UNVALUED, None)
            return
        owed: dict[str, Decimal] = {}
        for fees in self._ctx.book.owed.values():
            for asset, quantity in fees.items():
                owed[asset] = owed.get(asset, Decimal(0)) + quantity
        told = [f"{owed.get(asset, 0):f} {asset} ({reason})" for asset, reason in self._untold.items()]
        problems[FEE_UNVALUED] = (
            f"fees without a price in {self._currency} count as 0 until there is one: {', '.join(told)}"
        )

    @property
    def _currency(self) -> str:
        return self._ctx.spec.capital.currency if self._ctx.spec else ""
