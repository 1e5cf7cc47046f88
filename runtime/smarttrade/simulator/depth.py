"""Liquidity behind the best price, which recordings of the best bid and ask do not show.

Sizes and spacing are a fixed function of the price level within a band of prices (one power of two), so a
level keeps its size while the market moves past it, and users' orders there queue behind something that
stays. It is an assumption, and documented as one.
"""

from smarttrade.matching import BUY, Market

_SPACING_DIVISOR = 20_000  # of the band: a quarter to half a basis point of the price


def deepen(market: Market, best: int, best_size: int, side: int, levels: int) -> dict[int, int]:
    """Price units -> quantity units of one side: the best level as given, `levels - 1` made up behind it."""
    tick = market.tick_units
    band = 1 << (best.bit_length() - 1)
    spacing = max(tick, band // _SPACING_DIVISOR // tick * tick)
    shown = {best: best_size}
    first = best // spacing * spacing if side == BUY else -(-best // spacing) * spacing
    price = first - side * spacing if first == best else first
    typical = max(market.step_units, _typical_size(market, band))
    for _ in range(levels - 1):
        if price < tick:
            break
        shown[price] = level_size(price, typical, market.step_units)
        price -= side * spacing
    return shown


def _typical_size(market: Market, price: int) -> int:
    """About a hundred times the smallest order, in base."""
    units = int(market.min_notional * 100 * 10**16) // price
    return units // market.step_units * market.step_units


def level_size(price: int, typical: int, step: int) -> int:
    """Between half and one and a half of `typical`, by a hash of the price."""
    mixed = (price * 0x9E3779B97F4A7C15) & 0xFFFFFFFFFFFFFFFF
    share = 50 + (mixed >> 33) % 101
    return max(step, typical * share // 100 // step * step)
