"""Every exchange of ccxt.pro can be watched, or is refused with what it lacks; the document says the same."""

import asyncio
from functools import cache
from pathlib import Path
from typing import Any

import ccxt
import pytest

from smarttrade.api.catalogue import Endpoint
from smarttrade.exchange.endpoints import create_exchange
from smarttrade.exchange.watchable import find_lacks

DOCUMENT = Path(__file__).parents[3] / "docs/exchanges.md"
NAMES = sorted(path.stem for path in (Path(ccxt.__path__[0]) / "pro").glob("[a-z]*.py"))
SYMBOL = "BTC/USDT"
MARKET: dict[str, Any] = {
    "id": "BTCUSDT",
    "lowercaseId": "btcusdt",
    "symbol": SYMBOL,
    "base": "BTC",
    "quote": "USDT",
    "baseId": "BTC",
    "quoteId": "USDT",
    "type": "spot",
    "spot": True,
    "contract": False,
    "active": True,
    "numericId": 1,
    "info": {},
    "precision": {"amount": "0.0001", "price": "0.01"},
    "limits": {"amount": {"min": "0.0001"}, "price": {}, "cost": {}, "leverage": {}},
    **dict.fromkeys(("margin", "swap", "future", "option"), False),
    **dict.fromkeys(("settle", "settleId", "linear", "inverse", "subType"), None),
}


class ReachedError(Exception):
    """The exchange would now be asked."""


async def reached(*_: Any, **__: Any) -> None:
    raise ReachedError


async def at_once(*_: Any) -> None:
    """Nothing is asked, so nothing need be waited for."""


def build(name: str) -> Any:
    exchange = create_exchange(name, Endpoint(), {"number": str})
    exchange.set_markets([MARKET])
    for way in ("watch", "watch_multiple", "fetch", "load_markets"):
        setattr(exchange, way, reached)
    exchange.throttle = at_once
    exchange.asyncio_loop = asyncio.get_running_loop()
    return exchange


async def asks(exchange: Any) -> bool:
    """Whether all that monitoring asks gets as far as to a connection."""
    quotes = "watch_bids_asks" if exchange.has.get("watchBidsAsks") else "watch_order_book"
    questions = [
        lambda: exchange.watch_trades(SYMBOL),
        lambda: exchange.watch_order_book(SYMBOL),
        lambda: getattr(exchange, quotes)([SYMBOL] if quotes == "watch_bids_asks" else SYMBOL),
        lambda: exchange.fetch_trades(SYMBOL),
        lambda: exchange.fetch_ohlcv(SYMBOL, "1m", 0, 1),
        lambda: exchange.fetch_order_book(SYMBOL),
    ]
    for question in questions:
        try:
            await question()
        except ReachedError:
            continue
        except (ccxt.BaseError, TypeError):
            return False
    return True


@cache
def tell() -> dict[str, tuple[str, bool]]:
    """What each lacks, and whether it can be asked for its time."""
    made = {name: create_exchange(name, Endpoint()) for name in NAMES}
    return {name: (find_lacks(each), bool(each.has.get("fetchTime"))) for name, each in made.items()}


async def test_what_is_not_refused_gets_as_far_as_a_connection_and_what_is_refused_does_not() -> None:
    for name in NAMES:
        exchange = build(name)
        if exchange.has.get("spot"):
            assert await asks(exchange) == (not find_lacks(exchange)), name
        await exchange.close()


def test_the_document_says_of_every_exchange_whether_it_can_be_watched() -> None:
    shown = [line for line in DOCUMENT.read_text().splitlines() if line.startswith("| ")]
    by_lack: dict[str, list[str]] = {}
    for name in NAMES:
        by_lack.setdefault(tell()[name][0], []).append(name)
    assert f"| can be watched ({len(by_lack[''])}) | {', '.join(by_lack.pop(''))} |" in shown
    for lack, names in by_lack.items():
        assert f"| refused: {lack} | {', '.join(names)} |" in shown


def test_the_document_names_those_whose_time_is_read_from_the_date_of_their_answers() -> None:
    dated = [name for name, (lacks, has_time) in tell().items() if not lacks and not has_time]
    text = " ".join(DOCUMENT.read_text().split())
    assert f"({len(dated)} of them: {', '.join(dated)})" in text


@pytest.mark.parametrize(("name", "lack"), [("luno", "need a key"), ("coinone", "no candles by REST")])
def test_a_refusal_says_what_is_lacking(name: str, lack: str) -> None:
    assert lack in find_lacks(create_exchange(name, Endpoint()))
