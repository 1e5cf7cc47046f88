"""The market of chaos runs moves enough to reach what protects, and is never below the limits' price."""

from __future__ import annotations

import itertools
import random
from decimal import Decimal

from tests.chaos.market import TICK, Wandering, quote_at
from tests.simulation.plan import MARKETS, PRICE

MINUTE = 600


def test_a_market_rises_and_falls_back_several_times_a_minute_and_is_never_below_where_it_began() -> None:
    market = Wandering(MARKETS[0], random.Random("a seed"))
    levels = []
    for _ in range(MINUTE):
        market.step()
        levels.append(market.level)
    assert min(levels) == 1
    assert max(levels) == Decimal("1.05")
    returns = [before > 1 and after == 1 for before, after in itertools.pairwise(levels)]
    assert sum(returns) >= 3


def test_a_market_that_is_settled_is_where_it_began() -> None:
    market = Wandering(MARKETS[0], random.Random("a seed"))
    while not market.step():
        pass
    market.settle()
    assert market.quote(7) == quote_at(MARKETS[0], time_ms=7)


def test_quotes_lie_on_the_ticks_around_the_price() -> None:
    for market in MARKETS:
        for level in (Decimal(1), Decimal("1.0025"), Decimal("1.035")):
            quote = quote_at(market, level)
            assert quote.bid < PRICE[market] * level < quote.ask
            assert quote.bid % TICK == quote.ask % TICK == 0
