"""Self-trade prevention: what happens instead of a match between two orders of one account.

The incoming order's mode decides. EXPIRE_* ends one or both; DECREMENT takes the smaller quantity from both,
which ends the smaller one.
"""

from typing import TYPE_CHECKING

from smarttrade.matching import funds
from smarttrade.matching.book import Level, OrderBook
from smarttrade.matching.events import Kind, PreventedMatch
from smarttrade.matching.orders import Order, SelfTradePrevention, Status
from smarttrade.matching.state import MarketState

if TYPE_CHECKING:
    from smarttrade.matching.engine import Engine

_Mode = SelfTradePrevention
_ENDS_MAKER = (_Mode.EXPIRE_MAKER, _Mode.EXPIRE_BOTH)
_ENDS_TAKER = (_Mode.EXPIRE_TAKER, _Mode.EXPIRE_BOTH)


def may_meet_itself(order: Order) -> bool:
    mine = order.account.open_orders.values()
    market = order.market.id
    return any(other.open and other.side != order.side and other.market.id == market for other in mine)


def prevent(engine: "Engine", state: MarketState, taker: Order, maker: Order, now_ms: int) -> int:
    """Keep two orders of one account from matching; returns the quantity that the taker lost."""
    mode = taker.self_trade_prevention
    smaller = min(taker.remaining, maker.remaining) if mode is _Mode.DECREMENT else 0
    from_maker = maker.remaining if mode in _ENDS_MAKER else smaller
    from_taker = taker.remaining if mode in _ENDS_TAKER else smaller
    match_id = engine.next_prevented_id
    engine.next_prevented_id += 1
    for order, quantity in ((maker, from_maker), (taker, from_taker)):
        if quantity:
            _take_away(engine, state, order, quantity, match_id, now_ms)
    engine.emit(PreventedMatch(match_id, now_ms, taker, maker, maker.price, from_taker, from_maker))
    return from_taker


def _take_away(
    engine: "Engine", state: MarketState, order: Order, quantity: int, match_id: int, now_ms: int
) -> None:
    order.prevented_id = match_id
    if quantity == order.remaining:
        order.prevented += quantity
        engine.finish(order, Status.EXPIRED_IN_MATCH, Kind.EXPIRED, now_ms)
        return
    if order.open:
        state.book.reduce(order, quantity)
    order.prevented += quantity
    funds.release_part(order, quantity)
    order.updated_ms = now_ms
    engine.report(Kind.PREVENTED, order, now_ms)


def available(book: OrderBook, order: Order, limit: int, wanted: int) -> int:
    """How much `order` could fill at once, up to `limit`, counted no further than about `wanted`.

    Own orders vanish before it under EXPIRE_MAKER; under the other modes nothing behind the first counts.
    """
    total = 0
    for level in book.sorted_levels(-order.side):
        if total >= wanted or (level.price - limit) * order.side > 0:
            break
        found, is_end = _available_at(level, order)
        total += found
        if is_end:
            break
    return total


def _available_at(level: Level, order: Order) -> tuple[int, bool]:
    own = [other for other in level.orders if other.account is order.account and other.open]
    if order.self_trade_prevention is _Mode.EXPIRE_MAKER or not own:
        return level.quantity + level.hidden - sum(other.open + other.hidden for other in own), False
    ahead = 0
    for other in level.orders:
        if other is own[0]:
            break
        ahead += other.open
    return ahead, True
