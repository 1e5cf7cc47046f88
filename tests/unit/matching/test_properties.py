"""The engine against a slow, obvious reference, and what must hold whatever happens."""

from decimal import Decimal
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from smarttrade.matching import BUY, SELL, FeeSchedule, Kind, OrderRejected, Status
from smarttrade.matching.candles import CandlePrices, apply_candle
from smarttrade.matching.units import SCALE, to_units
from tests.unit.matching.desk import SYMBOL, Desk
from tests.unit.matching.reference import SlowExchange, SlowOrder

OWNERS = ("alice", "bob", "carol")
START = {"BTC": "20", "USDT": "2000"}

prices = st.integers(9_700, 10_300).map(lambda cents: f"{cents / 100:.2f}")
quantities = st.integers(20, 9_000).map(lambda mills: f"{mills / 1000:.3f}")
owners = st.sampled_from(OWNERS)
sides = st.sampled_from(("buy", "sell"))

modes = st.sampled_from(("NONE", "EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH", "DECREMENT"))
limit_orders = st.tuples(
    st.just("limit"),
    owners,
    sides,
    quantities,
    prices,
    st.sampled_from(("GTC", "GTC", "GTC", "IOC", "FOK")),
    modes,
)
icebergs = st.tuples(st.just("iceberg"), owners, sides, st.integers(1, 3), st.integers(1, 4), prices, modes)
triggers = st.tuples(st.just("oto"), owners, sides, quantities, prices, sides, quantities, prices)
cancels = st.tuples(st.just("cancel"), st.integers(0, 30))
market_orders = st.tuples(st.just("market"), owners, sides, quantities, modes)
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
released_pairs = st.tuples(st.just("otoco"), owners, sides, quantities, prices, prices, prices, st.booleans())
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
    st.one_of(
        limit_orders,
        icebergs,
        cancels,
        market_orders,
        quote_orders,
        stops,
        pairs,
        triggers,
        released_pairs,
        trades,
        books,
        candles,
    ),
    max_size=40,
)


def exact(text: str) -> Fraction:
    return Fraction(Decimal(text))


def opposite(side):
    return "sell" if side == "buy" else "buy"


@settings(max_examples=200, deadline=None)
@given(st.lists(st.one_of(limit_orders, icebergs, triggers, cancels), max_size=40))
def test_fills_and_balances_equal_the_reference(steps):
    desk = Desk()
    accounts = {name: desk.user(name, **START) for name in OWNERS}
    slow = SlowExchange({name: {k: exact(v) for k, v in START.items()} for name in OWNERS})
    twins = []
    for number, step in enumerate(steps):
        if step[0] == "cancel":
            if step[1] < len(twins):
                order, twin = twins[step[1]]
                if order.is_open and order.status is not Status.PENDING_NEW:
                    desk.cancel(order)
                    slow.cancel(twin.number)
            continue
        twins += place_both(desk, accounts, slow, number, step)
    for order, twin in twins:
        assert [(exact(p), exact(q)) for p, q in desk.fills(order)] == twin.fills
        assert (order.status is Status.REJECTED) == twin.is_refused
    for name, account in accounts.items():
        for asset in START:
            assert Fraction(account.free[asset], SCALE) == slow.free(name, asset)
            assert Fraction(account.locked[asset], SCALE) == slow.held(name, asset)


def place_both(desk, accounts, slow, number, step):
    """The same step on the engine and on the reference; pairs of what was accepted."""
    match step:
        case ("limit", owner, side, quantity, price, tif, mode):
            twin = SlowOrder(number, owner, side, exact(price), exact(quantity), exact(quantity), mode)
            accepted = slow.place(twin, tif)
            orders = attempt(lambda: [desk.place(accounts[owner], side, quantity, price, tif=tif, stp=mode)])
            expected = [twin]
        case ("iceberg", owner, side, shown, parts, price, mode):
            size, slices = str(shown * parts), {"iceberg": str(shown), "stp": mode}
            twin = SlowOrder(number, owner, side, exact(price), exact(size), exact(str(shown)), mode)
            accepted = slow.place(twin, "GTC")
            orders = attempt(lambda: [desk.place(accounts[owner], side, size, price, **slices)])
            expected = [twin]
        case ("oto", owner, side, quantity, price, then_side, then_quantity, then_price):
            size = exact(then_quantity)
            then = SlowOrder(number, owner, then_side, exact(then_price), size, size, "NONE")
            size = exact(quantity)
            twin = SlowOrder(number, owner, side, exact(price), size, size, "NONE", then)
            accepted = slow.place(twin, "GTC")
            working = desk.request(side, quantity, price)
            pending = (desk.request(then_side, then_quantity, then_price),)
            orders = attempt(lambda: desk.place_list(accounts[owner], pending, working).orders)
            expected = [twin, then]
    assert (accepted is None) == (orders is None)
    return [] if orders is None else list(zip(orders, expected, strict=True))


def attempt(place):
    try:
        return place()
    except OrderRejected:
        return None


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
        case ("limit", owner, side, quantity, price, tif, mode):
            placed.append(desk.place(accounts[owner], side, quantity, price, tif=tif, stp=mode))
        case ("iceberg", owner, side, shown, parts, price, mode):
            slices = {"iceberg": str(shown), "stp": mode}
            placed.append(desk.place(accounts[owner], side, str(shown * parts), price, **slices))
        case ("oto", owner, side, quantity, price, then_side, then_quantity, then_price):
            legs = (desk.request(then_side, then_quantity, then_price),)
            placed += desk.place_list(accounts[owner], legs, desk.request(side, quantity, price)).orders
        case ("otoco", owner, side, quantity, price, limit, stop, limited):
            legs = desk.pair(opposite(side), quantity, limit, stop, stop if limited else None)
            placed += desk.place_list(accounts[owner], legs, desk.request(side, quantity, price)).orders
        case ("cancel", index) if index < len(placed) and placed[index].is_open:
            desk.cancel(placed[index])
        case ("market", owner, side, quantity, mode):
            desk.place(accounts[owner], side, quantity, stp=mode)
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
        assert set(account.open_client_ids.values()) == set(account.open_orders.values())
        for order in account.open_orders.values():
            assert min(order.filled, order.prevented) >= 0
            assert order.filled + order.prevented <= order.quantity
            assert order.open + order.hidden == (order.remaining if order.open else 0)
    assert desk.total("BTC") == 60
    assert desk.total("USDT") == 6000
    book = desk.state.book
    bid, ask = book.best(BUY), book.best(SELL)
    assert bid is None or ask is None or bid.price < ask.price
    for side in (BUY, SELL):
        for level in book.sorted_levels(side):
            assert level.quantity == sum(order.open for order in level.orders) > 0
            assert level.hidden == sum(order.hidden for order in level.orders)


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
