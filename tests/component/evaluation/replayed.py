"""Replays one recorded stream into every built-in strategy and prints each decision as it goes on the bus.

A script of its own, so that any Python can run it which has msgspec: `python -m ... [--rounded]`. Rounded
means to tick and lot, which is all of a decision that reaches an exchange.
"""

import random
import sys
from collections.abc import Iterator
from decimal import ROUND_DOWN, Decimal

import msgspec

from smarttrade.evaluation.core import Core
from smarttrade.evaluation.strategy import AccountSetup
from smarttrade.identity import AccountIdentity
from smarttrade.messages import (
    AccountView,
    Candle,
    Decision,
    EffectiveState,
    MarketBatch,
    MarketEvent,
    Quote,
    RestingOrders,
    Side,
    Target,
    Trade,
    decode,
    encode,
)
from smarttrade.strategies import BUILT_IN, load_built_in

MARKETS = ("BTC/USDT", "ETH/USDT")
MINUTE_MS = 60_000
MINUTES = 1_500
BEGIN_MS = 1_760_000_000_000 // MINUTE_MS * MINUTE_MS
PARAMETERS = {"dca": {"interval": 3_600}}
VIEW = AccountView(
    leading=True,
    epoch=1,
    effective_state=EffectiveState.ACTIVE,
    currency="USDT",
    equity=Decimal(10_000),
    available=Decimal(10_000),
    positions=[],
    time_ms=BEGIN_MS,
)
CENT, LOT = Decimal("0.01"), Decimal("0.00001")


def recorded() -> Iterator[bytes]:
    """Batches as monitoring publishes them: a quote and a trade a minute and market, then its candle."""
    chance = random.Random(7)
    prices = {"BTC/USDT": 60_000.0, "ETH/USDT": 3_000.0}
    for minute in range(MINUTES):
        events: list[MarketEvent] = []
        for market in MARKETS:
            before = prices[market]
            path = [before := before * (1 + (chance.random() - 0.5) / 200) for _ in range(4)]
            prices[market] = path[-1]
            events += _minute(market, minute, [Decimal(f"{price:.2f}") for price in path])
        yield encode(MarketBatch(feed="recorded", seq=minute, events=events))


def _minute(market: str, minute: int, path: list[Decimal]) -> list[MarketEvent]:
    open_ms, last = BEGIN_MS + minute * MINUTE_MS, path[-1]
    quote = Quote(
        market=market,
        bid=last - CENT,
        bid_quantity=Decimal(3),
        ask=last + CENT,
        ask_quantity=Decimal(2),
        time_ms=open_ms + 50_000,
        update_id=minute + 1,
    )
    trade = Trade(
        market=market,
        id=str(minute + 1),
        price=last,
        quantity=Decimal("0.5"),
        side=Side.BUY if minute % 3 else Side.SELL,
        time_ms=open_ms + 55_000,
    )
    candle = Candle(
        market=market,
        timeframe="1m",
        open_ms=open_ms,
        close_ms=open_ms + MINUTE_MS,
        open=path[0],
        high=max(path),
        low=min(path),
        close=last,
        volume=Decimal("12.5"),
        final=True,
    )
    return [quote, trade, candle]


def decisions(name: str) -> Iterator[Decision]:
    setup = AccountSetup(MARKETS, "1m", MINUTE_MS, "USDT", Decimal(10_000), Decimal(5_000))
    core = Core(
        AccountIdentity("tests", "alice", "alice"), name, load_built_in(name)(setup, PARAMETERS.get(name)), 1
    )
    core.on_view(VIEW)
    for payload in recorded():
        batch: MarketBatch = decode(payload, MarketBatch)
        for event in batch.events:
            yield from core.on_event(event)  # type: ignore[arg-type]


def rounded(decision: Decision) -> Decision:
    want = decision.want
    if isinstance(want, Target):
        prices = {
            name: value.quantize(CENT)
            for name in ("limit", "stop_loss", "take_profit")
            if (value := getattr(want, name)) is not None
        }
        want = msgspec.structs.replace(want, quantity=want.quantity.quantize(LOT, ROUND_DOWN), **prices)
    elif isinstance(want, RestingOrders):
        orders = [
            msgspec.structs.replace(
                order,
                price=order.price.quantize(CENT),
                quantity=order.quantity.quantize(LOT, ROUND_DOWN),
            )
            for order in want.orders
        ]
        want = msgspec.structs.replace(want, orders=orders)
    return msgspec.structs.replace(decision, want=want, reason="")


def main() -> None:
    for name in BUILT_IN:
        for decision in decisions(name):
            made = rounded(decision) if "--rounded" in sys.argv else decision
            sys.stdout.buffer.write(encode(made) + b"\n")


if __name__ == "__main__":
    main()
