"""Which exchanges of ccxt.pro can be watched without a key, and what the others lack.

ccxt says of each what it `has`. What bites: some of what it has wants a key, or an argument that no other
exchange needs, and says so only when it is called; these are listed here, and a test calls every one of them.
"""

from __future__ import annotations

from typing import Any

_NEEDED = {
    "watchTrades": "no stream of trades",
    "watchOrderBook": "no stream of the order book",
    "fetchTrades": "no trades by REST, by which a gap is filled",
    "fetchOHLCV": "no candles by REST",
    "fetchOrderBook": "no order book by REST",
}
_SAID_WHEN_CALLED = {
    "alpaca": "its streams need a key, which monitoring never has",
    "bitrue": "no stream of trades of spot markets",
    "cex": "its stream of the order book needs a key, which monitoring never has",
    "coinbaseexchange": "its stream of the order book needs a key, which monitoring never has",
    "hyperliquid": "no trades by REST but a user's own, so a gap could not be filled",
    "luno": "its streams need a key, which monitoring never has",
    "pacifica": "ccxt cannot ask it while numbers are kept exact",
    "p2b": "no trades by REST without the id of an earlier one, so a gap could not be filled",
}


def find_lacks(exchange: Any) -> str:
    """What keeps an instance of ccxt.pro from being watched, or an empty string."""
    if not exchange.has.get("spot"):
        return "no spot markets"
    lacks = [what for feature, what in _NEEDED.items() if not exchange.has.get(feature)]
    return ", ".join(lacks) or _SAID_WHEN_CALLED.get(exchange.id, "")
