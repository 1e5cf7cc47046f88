"""What a question weighs where the exchange counts weight, not requests; everywhere else each counts one.

Binance's documentation, section by section; the most that a question of ours can weigh, as it is asked here.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Question(StrEnum):
    """What is asked, by what it costs."""

    ORDER = "Order"
    ORDER_PAIR = "OrderPair"
    CANCEL = "Cancel"
    AMEND = "Amend"
    FIND_ORDER = "FindOrder"
    OPEN_ORDERS = "OpenOrders"
    ALL_ORDERS = "AllOrders"
    TRADES_OF_ORDER = "TradesOfOrder"
    OWN_TRADES = "OwnTrades"
    ACCOUNT = "Account"
    RULES = "Rules"
    BOOK = "Book"
    TRADES = "Trades"
    CANDLES = "Candles"
    TICKER = "Ticker"
    TIME = "Time"


@dataclass(frozen=True, slots=True)
class OrderLimit:
    """So many new orders of an account within each interval of the exchange's clock; the header that tells
    how many count. One that fills does not."""

    limit: int
    interval_s: float
    header: str


NEW_ORDERS = {Question.ORDER: 1, Question.ORDER_PAIR: 2}
BINANCE_ORDERS = (
    OrderLimit(100, 10, "x-mbx-order-count-10s"),
    OrderLimit(200_000, 86_400, "x-mbx-order-count-1d"),
)
BINANCE: dict[Question, int] = {
    Question.AMEND: 4,
    Question.FIND_ORDER: 4,
    Question.OPEN_ORDERS: 6,
    Question.ALL_ORDERS: 20,
    Question.TRADES_OF_ORDER: 5,
    Question.OWN_TRADES: 20,
    Question.ACCOUNT: 20,
    Question.RULES: 20,
    Question.BOOK: 5,
    Question.TRADES: 25,
    Question.CANDLES: 2,
    Question.TICKER: 2,
}

# ccxt's limiter counts a fifth of Binance's weight, and elsewhere mostly requests.
_COST_OF_ONE = {"binance": 0.2, "binanceus": 0.2}
_MINUTE_MS = 60_000
# Parts of an account's share: execution's, of which only the leader's is used, and all replicas' monitoring.
EXECUTION, MONITORING = 0.7, 0.3


def limiter(exchange: str, share: float | None) -> dict[str, Any]:
    """What makes an instance of ccxt with its own limiter keep to the share; its own pace without one."""
    if not share:
        return {}
    return {"rateLimit": _MINUTE_MS / share / _COST_OF_ONE.get(exchange, 1.0)}


def share_of(account: int | None, platform: int | None, part: float, replicas: int = 1) -> float | None:
    """What one container may use a minute: of the account's own word or the platform's, whichever is less;
    None where neither says anything."""
    said = [weight for weight in (account, platform) if weight]
    return min(said) * part / replicas if said else None
