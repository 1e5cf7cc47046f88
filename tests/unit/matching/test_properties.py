"""The engine against a slow, obvious reference, and what must hold whatever happens."""

from decimal import Decimal
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from smarttrade.matching import BUY, SELL, FeeSchedule, Kind, OrderRejected
from smarttrade.matching.candles import CandlePrices, apply_candle
from smarttrade.matching.units import SCALE, to_units
from tests.unit.matching.desk import SYMBOL, Desk
from tests.unit.matching.reference import SlowExchange

OWNERS = ("alice", "bob", "carol")
START = {"BTC": "20", "USDT": "2000"}

prices = st.integers(9_700, 10_300).map(lambda cents: f"{cents / 100:.2f}")
quantities = st.integers(20, 9_000).map(lambda mills: f"{mills / 1000:.3f}")
owners = st.sampled_from(OWNERS)
sides = st.sampled_from(("buy", "sell"))

limit_orders = st.tuples(
    st.just("limit"), owners, sides, quantities, prices, st.sampled_from(("GTC", "GTC", "GTC", "IOC", "FOK"))
)
cancels = st.tuples(st.just("cancel"), st.integers(0, 30))
market_orders = st.tuples(st.just("market"), owners, sides, quantities)
quote_orders = st.tuples(st.just("quote-order"), owners, sides, st.integers(2, 500).map(str))
stops = st.tuples(
    st.just("stop"),
    owners,
    sides,
    quantities,
    prices,
    st.sampled_from(("STOP_LOSS", "TAKE_PROFIT")),
    st.booleans(),
)
pairs = st.tuples(st.just("oco"), owners, sides, quantities, prices, prices, st.booleans())
trades = st.tuples(st.just("trade"), prices, quantities, st.booleans())
books = st.tuples(st.just("book"), st.integers(9_700, 10_290), st.integers(1, 10), quantities, quantities)
candles = st.tuples(st.just("candle"), prices, prices, prices, prices)
fees = st.builds(
    FeeSchedule,
    st.sampled_from((Decimal(0), Decimal("0.001"), Decimal("0.00075"))),
    st.sampled_from((Decimal(0), Decimal("0.001"), Decimal("0.0123"))),
    st.sampled_from(("RECEIVED", "BASE", "QUOTE")),
)
anything = st.lists(
    st.one_of(limit_orders, cancels, market_orders, quote_orders, stops, pairs, trades, books, candles),
    max_size=40,
)


def exact(text: str) -> Fraction:
    return Fraction(Decimal(text))


@settings(max_examples=150, deadline=None)
@given(st.lists(st.one_of(limit_orders, limit_orders, cancels), max_size=40))
def test_fills_and_balances_equal_the_reference(steps):
    desk = Desk()
    accounts = {name: desk.user(name, **START) for name in OWNERS}
    slow = SlowExchange({name: {k: exact(v) for k, v in START.items()} for name in OWNERS})
    pairs_of_orders = []
    for number, step in enumerate(steps):
        if step[0] == "cancel":
            if step[1] < len(pairs_of_orders):
                order, twin = pairs_of_orders[step[1]]
                if order.is_open:
                    desk.cancel(order)
                slow.cancel(twin.number)
            continue
        _, owner, side, quantity, price, tif = step
        twin = slow.place(number, owner, side, exact(quantity), exact(price), tif)
        try:
            order = desk.place(accounts[owner], side, quantity, price, tif=tif)
        except OrderRejected:
            assert twin is None
            continue
        assert twin is not None
        pairs_of_orders.append((order, twin))
    for order, twin in pairs_of_orders:
        assert [(exact(p), exact(q)) for p, q in desk.fills(order)] == twin.fills
    for name, account in accounts.items():
        for asset in START:
            assert Fraction(account.free[asset], SCALE) == slow.free(name, asset)
            assert Fraction(account.locked[asset], SCALE) == slow.held(name, asset)


def run(steps, schedule):
    """Apply random steps; refused ones are skipped."""
    desk = Desk()
    accounts = {name: desk.user(name, schedule, **START) for name in OWNERS}
    desk.trade("100", "1")
    placed = []
    for step in steps:
        try:
            act(desk, accounts, placed, step)
        except OrderRejected:
            continue
        finally:
            check_invariants(desk, accounts)
    return desk


def act(desk, accounts, placed, step):
    match step:
        case ("limit", owner, side, quantity, price, tif):
            placed.append(desk.place(accounts[owner], side, quantity, price, tif=tif, stp="EXPIRE_MAKER"))
        case ("cancel", index) if index < len(placed) and placed[index].is_open:
            desk.cancel(placed[index])
        case ("market", owner, side, quantity):
            desk.place(accounts[owner], side, quantity)
        case ("quote-order", owner, side, amount):
            desk.place(accounts[owner], side, None, quote=amount)
        case ("stop", owner, side, quantity, price, kind, limited):
            more = {"price": price, "kind": f"{kind}_LIMIT"} if limited else {"kind": kind}
            placed.append(desk.place(accounts[owner], side, quantity, stop=price, **more))
        case ("oco", owner, side, quantity, limit, stop, limited):
            placed += desk.oco(accounts[owner], side, quantity, limit, stop, stop if limited else None).orders
        case ("trade", price, quantity, buyer_is_maker):
            desk.trade(price, quantity, buyer_is_maker)
        case ("book", cents, width, bid_size, ask_size):
            desk.quote(f"{cents / 100:.2f}", bid_size, f"{(cents + width) / 100:.2f}", ask_size)
        case ("candle", *four):
            o, c = to_units(Decimal(four[0])), to_units(Decimal(four[1]))
            values = [to_units(Decimal(text)) for text in four]
            apply_candle(
                desk.engine, SYMBOL, CandlePrices(o, max(values), min(values), c, SCALE), desk.now_ms
            )
            desk.collect()


def check_invariants(desk, accounts):
    for account in accounts.values():
        for asset in START:
            assert account.free[asset] >= 0
            held = sum(
                order.locked + order.fee_locked
                for order in account.open_orders.values()
                if order.lock_asset == asset
            )
            assert account.locked[asset] == held
        assert all(0 <= order.filled <= order.quantity for order in account.open_orders.values())
    assert desk.total("BTC") == 60
    assert desk.total("USDT") == 6000
    book = desk.state.book
    bid, ask = book.best(BUY), book.best(SELL)
    assert bid is None or ask is None or bid.price < ask.price
    for side in (BUY, SELL):
        for level in book.sorted_levels(side):
            assert level.quantity == sum(order.open for order in level.orders) > 0


@settings(max_examples=250, deadline=None)
@given(anything, fees)
def test_whatever_happens_money_is_conserved_and_nobody_owes(steps, schedule):
    run(steps, schedule)


@settings(max_examples=40, deadline=None)
@given(anything, fees)
def test_the_same_steps_give_the_same_events(steps, schedule):
    def story(desk):
        return [
            (e.kind, e.order.id, e.status, e.filled, e.price, e.quantity, e.commission)
            for kind in Kind
            for e in desk.executions(kind)
        ]

    assert story(run(steps, schedule)) == story(run(steps, schedule))
