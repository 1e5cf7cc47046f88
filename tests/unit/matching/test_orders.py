"""Order types, time in force, and what is held and paid."""

from decimal import Decimal

import msgspec
import pytest

from smarttrade.matching import (
    SELL,
    FeeSchedule,
    Kind,
    ListChange,
    Market,
    OrderRejected,
    PreventedMatch,
    Status,
)
from smarttrade.matching.errors import DUPLICATE_ORDER, INSUFFICIENT_BALANCE, WOULD_TAKE, WOULD_TRIGGER
from tests.unit.matching.desk import FREE, Desk, free, locked


@pytest.fixture
def desk():
    return Desk()


@pytest.fixture
def alice(desk):
    return desk.user("alice")


@pytest.fixture
def bob(desk):
    return desk.user("bob")


def test_better_prices_fill_first_and_equal_prices_in_order_of_arrival(desk, alice, bob):
    late_best = desk.place(alice, "sell", "1", "101")
    first = desk.place(alice, "sell", "1", "102")
    second = desk.place(alice, "sell", "1", "102")
    taker = desk.place(bob, "buy", "2.5", "102")
    assert desk.fills(taker) == [("101", "1"), ("102", "1"), ("102", "0.5")]
    assert [o.status for o in (late_best, first, second)] == [
        Status.FILLED,
        Status.FILLED,
        Status.PARTIALLY_FILLED,
    ]


def test_limit_rests_with_what_is_left_and_holds_only_that(desk, alice, bob):
    desk.place(alice, "sell", "1", "100")
    order = desk.place(bob, "buy", "3", "110")
    assert order.status is Status.PARTIALLY_FILLED
    assert locked(bob, "USDT") == "220"
    assert free(bob, "USDT") == "999680"
    desk.cancel(order)
    assert (free(bob, "USDT"), locked(bob, "USDT")) == ("999900", "0")


def test_ioc_expires_the_rest(desk, alice, bob):
    desk.place(alice, "sell", "1", "100")
    order = desk.place(bob, "buy", "3", "110", tif="IOC")
    assert (order.status, desk.fills(order), locked(bob, "USDT")) == (Status.EXPIRED, [("100", "1")], "0")


@pytest.mark.parametrize(("quantity", "filled"), [("3", []), ("1", [("100", "1")])])
def test_fok_fills_whole_or_not_at_all(desk, alice, bob, quantity, filled):
    desk.place(alice, "sell", "2", "100")
    desk.place(alice, "sell", "2", "120")
    order = desk.place(bob, "buy", quantity, "110", tif="FOK")
    assert desk.fills(order) == filled
    assert order.status is (Status.FILLED if filled else Status.EXPIRED)


def test_market_buy_by_quote_spends_no_more_and_keeps_to_the_step(desk, alice, bob):
    desk.place(alice, "sell", "1", "100")
    desk.place(alice, "sell", "1", "333")
    order = desk.place(bob, "buy", None, quote="200")
    assert desk.fills(order) == [("100", "1"), ("333", "0.3")]
    assert order.quote_filled <= 200 * 10**8


def test_market_order_without_liquidity_expires_and_holds_nothing(desk, alice):
    order = desk.place(alice, "sell", "1")
    assert (order.status, locked(alice, "BTC"), free(alice, "BTC")) == (Status.EXPIRED, "0", "100")


def test_limit_maker_that_would_take_is_refused(desk, alice, bob):
    desk.place(alice, "sell", "1", "100")
    with pytest.raises(OrderRejected, match=WOULD_TAKE) as caught:
        desk.place(bob, "buy", "1", "100", kind="LIMIT_MAKER")
    assert caught.value.code == -2010
    assert desk.place(bob, "buy", "1", "99.99", kind="LIMIT_MAKER").open


def test_refused_order_leaves_no_trace(desk):
    poor = desk.user("poor", USDT="99.99")
    desk.collect()
    seen = len(desk.events)
    with pytest.raises(OrderRejected, match=INSUFFICIENT_BALANCE):
        desk.place(poor, "buy", "1", "100")
    desk.collect()
    assert (free(poor, "USDT"), locked(poor, "USDT"), len(desk.events)) == ("99.99", "0", seen)


def test_client_order_ids_are_unique_among_open_orders_only(desk, alice):
    first = desk.place(alice, "buy", "1", "100", client_id="same")
    with pytest.raises(OrderRejected, match=DUPLICATE_ORDER):
        desk.place(alice, "buy", "1", "100", client_id="same")
    desk.cancel(first)
    assert desk.place(alice, "buy", "1", "100", client_id="same").id != first.id


def test_canceling_twice_is_refused(desk, alice):
    order = desk.place(alice, "buy", "1", "100")
    desk.cancel(order)
    with pytest.raises(OrderRejected) as caught:
        desk.cancel(order)
    assert caught.value.code == -2011


def test_reducing_keeps_the_place_in_the_queue(desk, alice, bob):
    first = desk.place(alice, "sell", "2", "100")
    second = desk.place(alice, "sell", "1", "100")
    desk.engine.reduce(first, Decimal(1), 0)
    desk.place(bob, "buy", "1", "100")
    assert (first.status, second.status, free(alice, "BTC")) == (Status.FILLED, Status.NEW, "98")


# --- stops and lists ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "side", "stop", "calm", "reaching"),
    [
        ("STOP_LOSS", "sell", "90", "91", "90"),
        ("STOP_LOSS", "buy", "110", "109", "110"),
        ("TAKE_PROFIT", "sell", "110", "109", "111"),
        ("TAKE_PROFIT", "buy", "90", "91", "89"),
    ],
)
def test_stop_triggers_when_the_last_price_reaches_it(desk, alice, kind, side, stop, calm, reaching):
    desk.quote("100", "50", "100.01", "50")
    desk.trade("100", "1")
    order = desk.place(alice, side, "1", kind=kind, stop=stop)
    desk.trade(calm, "0.001")
    assert not order.triggered
    desk.quote(reaching, "50", str(Decimal(reaching) + 1), "50")
    desk.trade(reaching, "0.001")
    assert order.status is Status.FILLED


def test_stop_that_would_trigger_at_once_is_refused(desk, alice):
    desk.trade("100", "1")
    with pytest.raises(OrderRejected, match=WOULD_TRIGGER):
        desk.place(alice, "sell", "1", kind="STOP_LOSS", stop="100")


def test_stop_limit_rests_at_its_limit_when_the_market_has_gone_past(desk, alice):
    desk.quote("100", "5", "100.01", "5")
    desk.trade("100", "1")
    order = desk.place(alice, "sell", "1", "89", kind="STOP_LOSS_LIMIT", stop="90")
    desk.quote("80", "5", "80.01", "5")
    desk.trade("80", "1")
    assert (order.triggered, order.status, plain_open(order)) == (True, Status.NEW, 1)


def plain_open(order):
    return order.open // 10**8


def test_one_stop_may_trigger_the_next(desk, alice, bob):
    desk.place(bob, "buy", "1", "95")
    desk.place(bob, "buy", "1", "80")
    desk.trade("100", "0.001", buyer_is_maker=False)
    first = desk.place(alice, "sell", "1", kind="STOP_LOSS", stop="99")
    second = desk.place(alice, "sell", "1", kind="STOP_LOSS", stop="96")
    third = desk.place(bob, "sell", "0.1", "99")
    desk.place(alice, "buy", "0.1", "99")
    assert (third.status, desk.fills(first), desk.fills(second)) == (
        Status.FILLED,
        [("95", "1")],
        [("80", "1")],
    )


def test_list_holds_its_quantity_once_and_the_limit_leg_cancels_the_stop(desk, alice, bob):
    desk.trade("100", "1")
    oco = desk.oco(alice, "sell", "10", "110", "90")
    assert locked(alice, "BTC") == "10"
    desk.place(bob, "buy", "4", "110")
    limit, stop = oco.orders
    assert (limit.status, stop.status, locked(alice, "BTC")) == (
        Status.PARTIALLY_FILLED,
        Status.EXPIRED,
        "6",
    )


@pytest.mark.parametrize("stop_limit", [None, "89"])
def test_triggered_stop_leg_cancels_the_limit_and_takes_over_its_funds(desk, alice, stop_limit):
    desk.trade("100", "1")
    oco = desk.oco(alice, "sell", "10", "110", "90", stop_limit)
    desk.quote("90", "50", "90.01", "50")
    desk.trade("90", "0.001")
    limit, stop = oco.orders
    assert (limit.status, stop.status, locked(alice, "BTC"), free(alice, "BTC")) == (
        Status.EXPIRED,
        Status.FILLED,
        "0",
        "90",
    )


def test_buying_list_holds_the_dearer_leg_and_gives_all_back(desk, alice):
    desk.trade("100", "1")
    oco = desk.oco(alice, "buy", "10", "90", "110", "112")
    assert locked(alice, "USDT") == "1120"
    desk.cancel(oco.orders[0])
    assert (locked(alice, "USDT"), free(alice, "USDT")) == ("0", "1000000")
    assert not oco.is_open


# --- fees and self-trade prevention ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asset", "base", "quote"),
    [("RECEIVED", "100.999", "999900"), ("QUOTE", "101", "999899.9"), ("BASE", "100.999", "999900")],
)
def test_taker_fee_is_paid_in_the_chosen_asset(desk, bob, asset, base, quote):
    carol = desk.user("carol", FeeSchedule(Decimal(0), Decimal("0.001"), asset))
    desk.place(bob, "sell", "1", "100")
    desk.place(carol, "buy", "1", "100")
    assert (free(carol, "BTC"), free(carol, "USDT")) == (base, quote)


def test_third_asset_pays_at_its_last_price_with_discount_while_there_is_enough(bob, desk):
    desk.engine.add_market(Market("BNB", "USDT"))
    desk.engine.markets["BNB/USDT"].last_price = 500 * 10**8
    fees = FeeSchedule(Decimal("0.001"), Decimal("0.001"), "BNB")
    rich = desk.user("rich", fees, USDT="1000", BNB="1")
    poor = desk.user("poor", fees, USDT="1000", BNB="0.0001")
    desk.place(bob, "sell", "4", "100")
    desk.place(rich, "buy", "2", "100")
    desk.place(poor, "buy", "2", "100")
    assert (free(rich, "BNB"), free(rich, "BTC")) == ("0.9997", "2")
    assert (free(poor, "BNB"), free(poor, "BTC")) == ("0.0001", "1.998")


def test_resting_buy_that_pays_fees_in_quote_holds_them_too(desk):
    carol = desk.user("carol", FeeSchedule(Decimal("0.01"), Decimal("0.01"), "QUOTE"), USDT="101")
    order = desk.place(carol, "buy", "1", "100")
    assert (free(carol, "USDT"), locked(carol, "USDT")) == ("0", "101")
    desk.trade("99", "1")
    assert (order.status, free(carol, "USDT"), locked(carol, "USDT")) == (Status.FILLED, "0", "0")


@pytest.mark.parametrize(
    ("mode", "maker", "taker"),
    [
        ("EXPIRE_TAKER", Status.NEW, Status.EXPIRED_IN_MATCH),
        ("EXPIRE_MAKER", Status.EXPIRED_IN_MATCH, Status.FILLED),
        ("EXPIRE_BOTH", Status.EXPIRED_IN_MATCH, Status.EXPIRED_IN_MATCH),
        ("DECREMENT", Status.EXPIRED_IN_MATCH, Status.EXPIRED_IN_MATCH),
        ("NONE", Status.FILLED, Status.FILLED),
    ],
)
def test_self_trade_prevention(desk, alice, bob, mode, maker, taker):
    own = desk.place(alice, "sell", "1", "100")
    desk.place(bob, "sell", "1", "101")
    order = desk.place(alice, "buy", "1", "101", stp=mode)
    assert (own.status, order.status) == (maker, taker)


def test_self_trade_prevention_reaches_only_orders_that_would_match(desk, alice, bob):
    desk.place(bob, "sell", "1", "100")
    own = desk.place(alice, "sell", "1", "101")
    order = desk.place(alice, "buy", "1", "101", stp="EXPIRE_BOTH")
    assert (own.status, order.status) == (Status.NEW, Status.FILLED)


def test_decrement_takes_the_smaller_quantity_from_both_and_ends_the_smaller(desk, alice, bob):
    own = desk.place(alice, "sell", "3", "100")
    desk.place(bob, "sell", "5", "100")
    order = desk.place(alice, "buy", "5", "100", stp="DECREMENT")
    assert (own.status, order.status, desk.fills(order)) == (
        Status.EXPIRED_IN_MATCH,
        Status.FILLED,
        [("100", "2")],
    )
    assert (order.prevented, own.prevented) == (3 * 10**8, 3 * 10**8)
    assert (locked(alice, "BTC"), locked(alice, "USDT"), free(alice, "USDT")) == ("0", "0", "999800")


def test_decremented_order_rests_with_what_is_left_and_holds_only_that(desk, alice):
    own = desk.place(alice, "sell", "3", "100")
    order = desk.place(alice, "buy", "5", "100", stp="DECREMENT")
    assert (own.is_open, order.is_open, order.open, locked(alice, "USDT")) == (False, True, 2 * 10**8, "200")
    [prevented] = [event for event in desk.events if isinstance(event, PreventedMatch)]
    assert (prevented.taker, prevented.maker, prevented.taker_quantity) == (order, own, 3 * 10**8)


def test_fok_that_would_meet_its_owner_expires_whole(desk, alice, bob):
    desk.place(bob, "sell", "1", "100")
    desk.place(alice, "sell", "1", "100")
    order = desk.place(alice, "buy", "2", "100", tif="FOK", stp="EXPIRE_TAKER")
    assert (order.status, desk.fills(order)) == (Status.EXPIRED, [])


def test_market_buy_cannot_overspend_when_its_own_cheaper_orders_vanish(desk, bob):
    poor = desk.user("poor", BTC="9", USDT="1100")
    desk.place(poor, "sell", "9", "100")
    desk.place(bob, "sell", "10", "1000")
    order = desk.place(poor, "buy", "9.1", stp="EXPIRE_MAKER")
    assert desk.fills(order) == [("1000", "1.1")]
    assert free(poor, "USDT") == "0"


# --- icebergs -----------------------------------------------------------------------------------------


def test_iceberg_shows_a_slice_and_each_next_one_joins_the_back_of_the_queue(desk, alice, bob):
    iceberg = desk.place(alice, "sell", "5", "100", iceberg="2")
    plain = desk.place(bob, "sell", "1", "100")
    assert desk.state.book.best(SELL).quantity == 3 * 10**8
    taker = desk.place(desk.user("carol"), "buy", "4", "100")
    assert [e.order for e in desk.executions(Kind.TRADE) if e.is_maker] == [iceberg, plain, iceberg]
    assert desk.fills(taker) == [("100", "2"), ("100", "1"), ("100", "1")]
    assert (iceberg.open, iceberg.hidden, locked(alice, "BTC")) == (10**8, 10**8, "2")


def test_what_an_iceberg_hides_fills_before_a_worse_price(desk, alice, bob):
    desk.place(alice, "sell", "5", "100", iceberg="1")
    desk.place(bob, "sell", "5", "101")
    taker = desk.place(desk.user("carol"), "buy", "6", "101", tif="FOK")
    assert {price for price, _ in desk.fills(taker)} == {"100", "101"}
    assert taker.status is Status.FILLED


@pytest.mark.parametrize(
    ("quantity", "shown", "text"),
    [("11", "1", "ICEBERG_PARTS"), ("1", "0.0005", "LOT_SIZE"), ("1", "2", "IcebergQty exceeds")],
)
def test_iceberg_filters(desk, alice, quantity, shown, text):
    with pytest.raises(OrderRejected, match=text):
        desk.place(alice, "sell", quantity, "100", iceberg=shown)


# --- one triggers the other ---------------------------------------------------------------------------


def exit_after_entry(desk, alice, **more):
    entry = desk.request("buy", "2", "100", **more)
    return desk.place_list(alice, (desk.request("sell", "2", "110"),), entry)


def test_pending_order_is_placed_when_the_working_one_has_filled(desk, bob):
    dave = desk.user("dave", USDT="1000")
    entry, leave = exit_after_entry(desk, dave).orders
    assert (leave.status, locked(dave, "USDT"), locked(dave, "BTC")) == (Status.PENDING_NEW, "200", "0")
    desk.place(bob, "sell", "1", "100")
    assert leave.status is Status.PENDING_NEW
    desk.place(bob, "sell", "1", "100")
    assert (entry.status, leave.status, locked(dave, "BTC")) == (Status.FILLED, Status.NEW, "2")
    desk.place(bob, "buy", "2", "110")
    assert (leave.status, free(dave, "USDT")) == (Status.FILLED, "1020")


@pytest.mark.parametrize("which", [0, 1])
def test_canceling_either_order_cancels_both(desk, alice, which):
    order_list = exit_after_entry(desk, alice)
    desk.cancel(order_list.orders[which])
    assert [order.status for order in order_list.orders] == [Status.CANCELED] * 2
    assert not alice.open_orders
    done = [event for event in desk.events if isinstance(event, ListChange) and event.is_done]
    assert [event.order_list for event in done] == [order_list]


def test_pending_order_expires_with_a_working_one_that_did_not_fill(desk, alice):
    entry, leave = exit_after_entry(desk, alice, tif="IOC").orders
    assert (entry.status, leave.status) == (Status.EXPIRED, Status.EXPIRED)


def test_pending_order_without_funds_is_rejected_with_the_reason(desk, bob):
    dave = desk.user("dave", USDT="200", BTC="0")
    order_list = desk.place_list(dave, (desk.request("sell", "3", "110"),), desk.request("buy", "2", "100"))
    desk.place(bob, "sell", "2", "100")
    assert order_list.orders[1].status is Status.REJECTED
    assert [e.reject_reason for e in desk.executions(Kind.REJECTED)] == ["INSUFFICIENT_BALANCES"]
    assert not order_list.is_open


def test_released_pair_holds_its_quantity_once_and_one_leg_ends_the_other(desk, bob):
    dave = desk.user("dave", USDT="200")
    desk.trade("101", "1")
    legs = desk.pair("sell", "2", "110", "90")
    order_list = desk.place_list(dave, legs, desk.request("buy", "2", "100"))
    desk.place(bob, "sell", "2", "100")
    _, profit, stop = order_list.orders
    assert (profit.status, stop.status, locked(dave, "BTC")) == (Status.NEW, Status.NEW, "2")
    desk.quote("89", "5", "89.5", "5")
    desk.trade("89", "1")
    assert (profit.status, stop.status, free(dave, "USDT")) == (Status.EXPIRED, Status.FILLED, "178")


def test_both_legs_of_a_pair_may_wait_for_their_price(desk, alice):
    desk.quote("100", "50", "100.01", "50")
    desk.trade("100", "1")
    legs = (
        desk.request("sell", "1", kind="TAKE_PROFIT", stop="110"),
        desk.request("sell", "1", kind="STOP_LOSS", stop="90"),
    )
    profit, stop = desk.place_list(alice, legs).orders
    desk.quote("111", "50", "111.01", "50")
    desk.trade("111", "1")
    assert (profit.status, stop.status, locked(alice, "BTC")) == (Status.FILLED, Status.EXPIRED, "0")


def test_leg_that_self_trade_prevention_ends_takes_the_other_with_it(desk, alice):
    desk.trade("100", "1")
    oco = desk.oco(alice, "sell", "1", "110", "90")
    desk.place(alice, "buy", "1", "110", stp="EXPIRE_MAKER")
    assert [order.status for order in oco.orders] == [Status.EXPIRED_IN_MATCH, Status.EXPIRED]
    assert locked(alice, "BTC") == "0"


# --- filters ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("quantity", "price", "code", "text"),
    [
        ("1", "100.001", -1013, "PRICE_FILTER"),
        ("1", "0.001", -1013, "PRICE_FILTER"),
        ("1.0001", "100", -1013, "LOT_SIZE"),
        ("0.0001", "100", -1013, "LOT_SIZE"),
        ("9001", "100", -1013, "LOT_SIZE"),
        ("0.001", "100", -1013, "NOTIONAL"),
        ("1", "501", -1013, "PERCENT_PRICE_BY_SIDE"),
        ("1", "19", -1013, "PERCENT_PRICE_BY_SIDE"),
        ("1", "100.000000001", -1111, "too much precision"),
    ],
)
def test_filters_answer_with_the_exchanges_codes(desk, alice, quantity, price, code, text):
    desk.trade("100", "1")
    with pytest.raises(OrderRejected, match=text) as caught:
        desk.place(alice, "buy", quantity, price)
    assert caught.value.code == code


def test_numbers_of_open_orders_and_stops_are_limited():
    desk = Desk(max_open_orders=3, max_stop_orders=1)
    alice = desk.user("alice", FREE)
    desk.trade("100", "1")
    desk.place(alice, "sell", "1", kind="STOP_LOSS", stop="50")
    with pytest.raises(OrderRejected, match="MAX_NUM_ALGO_ORDERS"):
        desk.place(alice, "sell", "1", kind="STOP_LOSS", stop="51")
    desk.place(alice, "buy", "1", "50")
    desk.place(alice, "buy", "1", "50")
    with pytest.raises(OrderRejected, match="MAX_NUM_ORDERS"):
        desk.place(alice, "buy", "1", "50")


def test_executions_come_in_order_and_count_up(desk, alice, bob):
    desk.place(alice, "sell", "1", "100")
    desk.place(bob, "buy", "2", "100")
    kinds = [(e.kind, e.order.account.name) for e in desk.events if hasattr(e, "kind")]
    assert kinds == [(Kind.NEW, "alice"), (Kind.NEW, "bob"), (Kind.TRADE, "alice"), (Kind.TRADE, "bob")]
    numbers = [e.sequence for e in desk.events if hasattr(e, "kind")]
    assert numbers == sorted(set(numbers))


# --- one pays the other -------------------------------------------------------------------------------

IN_COIN = FeeSchedule(Decimal("0.001"), Decimal("0.001"))


def paid_exit(desk, account, *legs):
    return desk.place_list(account, legs, desk.request("buy", "2", "100"))


def test_what_a_working_buy_receives_is_kept_and_sold_in_whole_lots(desk, bob):
    dave = desk.user("dave", IN_COIN, USDT="1000")
    entry, leave = paid_exit(desk, dave, desk.request("sell", None, "110")).orders
    desk.place(bob, "sell", "1", "100")
    assert (leave.status, leave.quantity) == (Status.PENDING_NEW, 0)
    assert (locked(dave, "BTC"), free(dave, "BTC")) == ("0.999", "0")
    with pytest.raises(OrderRejected, match="pending OPO order"):
        desk.engine.reduce(leave, Decimal("0.5"), desk.now_ms)
    desk.place(bob, "sell", "0.5", "100")
    desk.place(bob, "sell", "0.5", "100")
    assert (entry.status, leave.status, leave.quantity) == (Status.FILLED, Status.NEW, 1_998 * 10**5)
    assert (locked(dave, "BTC"), free(dave, "BTC")) == ("1.998", "0")


def test_a_fee_in_the_coin_is_paid_from_what_is_free_and_a_rest_below_the_lot_becomes_free(desk, bob):
    dave = desk.user("dave", IN_COIN, USDT="1000", BTC="0.0021")
    _, leave = paid_exit(desk, dave, desk.request("sell", None, "110")).orders
    desk.place(bob, "sell", "2", "100")
    assert (leave.quantity, free(dave, "BTC")) == (2 * 10**8, "0.0001")
    poor = desk.user("erin", FeeSchedule(Decimal("0.0011"), Decimal("0.0011")), USDT="1000")
    _, leave = paid_exit(desk, poor, desk.request("sell", None, "110")).orders
    desk.place(bob, "sell", "2", "100")
    assert (leave.quantity, locked(poor, "BTC"), free(poor, "BTC")) == (1_997 * 10**5, "1.997", "0.0008")


def test_a_canceled_list_gives_back_what_was_received(desk, bob):
    dave = desk.user("dave", USDT="1000")
    legs = desk.pair("sell", "1", "110", "90")
    order_list = paid_exit(desk, dave, *(msgspec.structs.replace(leg, quantity=None) for leg in legs))
    desk.place(bob, "sell", "1", "100")
    assert (locked(dave, "BTC"), free(dave, "BTC")) == ("1", "0")
    desk.cancel(order_list.orders[0])
    assert [order.status for order in order_list.orders] == [Status.CANCELED] * 3
    assert (locked(dave, "BTC"), free(dave, "BTC"), locked(dave, "USDT")) == ("0", "1", "0")


def test_what_was_received_is_rejected_where_it_is_too_little_to_sell(desk, bob):
    dave = desk.user("dave", IN_COIN, USDT="1000")
    working = desk.request("buy", "0.001", "2000")
    _, leave = desk.place_list(dave, (desk.request("sell", None, "2100"),), working).orders
    desk.place(bob, "sell", "0.001", "2000")
    assert (leave.status, locked(dave, "BTC"), free(dave, "BTC")) == (Status.REJECTED, "0", "0.000999")
