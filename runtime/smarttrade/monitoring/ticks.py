"""Only what is impossible is withheld. A crash is real: outliers pass."""

from __future__ import annotations

from smarttrade.messages import Quote, Trade


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
