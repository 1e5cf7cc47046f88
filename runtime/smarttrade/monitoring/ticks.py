"""Only what is impossible is withheld. A crash is real: outliers pass, flagged by `outliers`."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise

from smarttrade.messages import Book, Quote, Trade


def impossible_trade(trade: Trade) -> str:
    """Why a trade cannot be true, or an empty string."""
    if not trade.price.is_finite() or trade.price <= 0:
        return f"price {trade.price}"
    if not trade.quantity.is_finite() or trade.quantity <= 0:
        return f"quantity {trade.quantity}"
    return "" if trade.time_ms > 0 else f"time {trade.time_ms}"


def impossible_quote(quote: Quote) -> str:
    """Why a best bid and ask cannot be true, or an empty string."""
    numbers = (quote.bid, quote.ask, quote.bid_quantity, quote.ask_quantity)
    if not all(number.is_finite() for number in numbers):
        return f"bid {quote.bid}, ask {quote.ask}"
    if quote.bid <= 0 or quote.ask <= 0 or quote.bid_quantity < 0 or quote.ask_quantity < 0:
        return f"bid {quote.bid}, ask {quote.ask}"
    return f"crossed: bid {quote.bid}, ask {quote.ask}" if quote.bid >= quote.ask else ""


def impossible_book(book: Book) -> str:
    """Why an order book cannot be true, or an empty string; a side may be empty."""
    for side, levels, sign in (("bids", book.bids, -1), ("asks", book.asks, 1)):
        if any(not _possible(level) for level in levels):
            return f"{side} {levels}"
        prices = [sign * price for price, _ in levels]
        if any(price >= further for price, further in pairwise(prices)):
            return f"{side} out of order"
    if book.bids and book.asks and book.bids[0][0] >= book.asks[0][0]:
        return f"crossed: bid {book.bids[0][0]}, ask {book.asks[0][0]}"
    return ""


def _possible(level: Sequence[Decimal]) -> bool:
    return all(number.is_finite() and number > 0 for number in level)


def best_prices(book: Book) -> tuple[Decimal, Decimal] | None:
    """Best bid and ask, or None while a side is empty."""
    return (book.bids[0][0], book.asks[0][0]) if book.bids and book.asks else None
