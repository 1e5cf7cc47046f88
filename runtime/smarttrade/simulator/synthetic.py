"""A seeded market with volatility clustering: GARCH(1,1) returns, trades that arrive in bursts.

Variance follows Bollerslev (1986), v' = w + a r^2 + b v with a + b < 1, in units of
the average variance. The path does not react to
users' orders. Steps are spaced so that a second of real time sees the same number of them at any compression.
"""

import math
import random
from decimal import Decimal

from smarttrade.matching import Market
from smarttrade.matching.units import SCALE
from smarttrade.simulator.tape import Tape, TapeQuote, TapeTrade

_ARCH, _GARCH = 0.08, 0.90
_SECONDS_A_YEAR = 365 * 86_400
_TRADES_A_STEP = 1.2
STEP_MS = 250.0
COARSE_STEP_MS = 4000.0


def synthetic_tape(
    market: Market,
    price: Decimal,
    annual_volatility: float,
    compress: float,
    seed: int,
    coarse_until_ms: float = 0.0,
) -> Tape:
    """Endless quotes and trades of one market, starting at `price`; in wide steps until `coarse_until_ms`."""
    rng = random.Random(f"{seed}:{market.symbol}")
    variance, current, elapsed = 1.0, float(price), 0.0
    size = float(market.min_notional) * 40 / float(price)
    while True:
        step_ms = STEP_MS * compress
        if elapsed < coarse_until_ms:
            step_ms = max(step_ms, COARSE_STEP_MS)
        change = math.sqrt(variance) * rng.gauss(0.0, 1.0)
        variance = (1 - _ARCH - _GARCH) + _ARCH * change**2 + _GARCH * variance
        current *= math.exp(change * annual_volatility * math.sqrt(step_ms / 1000 / _SECONDS_A_YEAR))
        quote = build_quote(market, elapsed, current, size, rng)
        yield quote
        count = min(8, int(rng.expovariate(1 / (_TRADES_A_STEP * min(4.0, variance)))))
        for index in range(count):
            yield _trade(market, elapsed + step_ms * (index + 1) / (count + 1), quote, size, change, rng)
        elapsed += step_ms


def build_quote(market: Market, elapsed: float, mid: float, size: float, rng: random.Random) -> TapeQuote:
    """A quote about two ticks or half a basis point wide around `mid`."""
    half = max(market.tick_units, int(mid * 0.000025 * SCALE) // market.tick_units * market.tick_units)
    centre = round(mid * SCALE / market.tick_units) * market.tick_units
    bid = max(market.tick_units, centre - half)
    return TapeQuote(
        elapsed,
        market.symbol,
        bid,
        _size(market, size, rng),
        max(bid + market.tick_units, centre + half),
        _size(market, size, rng),
    )


def _trade(
    market: Market, elapsed: float, quote: TapeQuote, size: float, change: float, rng: random.Random
) -> TapeTrade:
    sells = rng.random() < (0.6 if change < 0 else 0.4)
    return TapeTrade(
        elapsed, market.symbol, quote.bid if sells else quote.ask, _size(market, size * 0.2, rng), sells
    )


def _size(market: Market, typical: float, rng: random.Random) -> int:
    drawn = int(typical * rng.lognormvariate(0.0, 0.8) * SCALE)
    return max(market.step_units, drawn // market.step_units * market.step_units)
