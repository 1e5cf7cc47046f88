from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smarttrade.execution.ledger import KEPT_TRADES, Ledger, LedgerState, value_at, value_fee
from smarttrade.messages import Fill, Side
from tests.unit.execution_risk.building import BTC, ETH, NOW, fill

D = Decimal


def ledger_of(*fills: Fill, bnb: str | Decimal = "500") -> Ledger:
    """A fee in a third asset is charged after its fill, at the price `bnb`."""
    ledger = Ledger()
    for each in fills:
        value = value_fee(each)
        counted = ledger.apply(each, value or D(0))
        if counted and value is None:
            ledger.charge(each.market, value_at(each.fee, D(bnb)))
    return ledger


def test_partial_exit_leaves_the_average_cost_and_realises_the_difference() -> None:
    ledger = ledger_of(
        fill(Side.BUY, "2", "100", trade_id="1"),
        fill(Side.BUY, "2", "200", trade_id="2"),
        fill(Side.SELL, "1", "180", trade_id="3"),
    )
    holding = ledger.holding(BTC)
    assert (holding.quantity, holding.average_price, holding.realized_pnl) == (D(3), D(150), D(30))


@pytest.mark.parametrize(
    ("fee", "asset", "quantity", "realized"),
    [
        pytest.param("0.001", "BTC", "0.999", "-0.1", id="in the base asset: less is held"),
        pytest.param("0.1", "USDT", "1", "-0.1", id="in the quote asset"),
        pytest.param("0.002", "BNB", "1", "-1", id="in a third asset, valued at its price of 500"),
        pytest.param("-0.1", "USDT", "1", "0.1", id="a maker's rebate"),
    ],
)
def test_a_fee_is_realised_when_it_is_paid_in_whatever_asset(
    fee: str, asset: str, quantity: str, realized: str
) -> None:
    ledger = ledger_of(fill(Side.BUY, "1", "100", fee=fee, asset=asset))
    holding = ledger.holding(BTC)
    assert (holding.quantity, holding.realized_pnl) == (D(quantity), D(realized))
    assert holding.average_price == 100


def test_a_position_began_with_the_first_purchase_after_the_newest_sale() -> None:
    ledger, began = Ledger(), []
    for number, side in enumerate((Side.BUY, Side.BUY, Side.SELL, Side.SELL, Side.BUY, Side.BUY)):
        ledger.apply(fill(side, "1", "100", trade_id=str(number), time_ms=NOW + number), Decimal(0))
        began.append(ledger.holding(BTC).opened_ms - NOW)
    assert began == [0, 0, 0, 0, 4, 4]
    assert Ledger(ledger.state()).holding(BTC).opened_ms == NOW + 4


def test_a_fee_in_an_asset_without_a_price_is_not_guessed() -> None:
    assert value_fee(fill(Side.BUY, "1", "100", fee="1", asset="XYZ")) is None


def test_a_trade_counts_once() -> None:
    ledger = Ledger()
    assert ledger.apply(fill(Side.BUY, "1", "100"), D(0)) is not None
    assert ledger.apply(fill(Side.BUY, "1", "100"), D(0)) is None
    assert ledger.quantity(BTC) == 1


def test_trade_ids_are_per_market() -> None:
    ledger = ledger_of(fill(Side.BUY, "1", "100"), fill(Side.BUY, "3", "10", market=ETH))
    assert (ledger.quantity(BTC), ledger.quantity(ETH)) == (1, 3)


def test_only_the_newest_trades_are_remembered_and_older_ones_are_known_by_their_time() -> None:
    ledger = Ledger()
    for number in range(KEPT_TRADES + 10):
        ledger.apply(fill(Side.BUY, "1", "100", trade_id=str(number), time_ms=NOW + number), D(0))
    state = ledger.state()
    assert sum(len(trades) for trades in state.trades.values()) == KEPT_TRADES
    assert state.forgotten_before_ms == NOW + 10
    for memory in (ledger, Ledger(state)):
        assert not memory.knows(BTC, "9", Side.BUY)
        assert memory.may_have_counted(BTC, "9", Side.BUY, NOW + 9)
        assert memory.may_have_counted(BTC, "10", Side.BUY, NOW + 10)
        assert not memory.may_have_counted(BTC, "new", Side.BUY, NOW + 10)


def test_a_trade_of_the_account_with_itself_counts_once_for_each_side() -> None:
    ledger = ledger_of(fill(Side.BUY, "3", "90", trade_id="1"))
    bought, sold = fill(Side.BUY, "1", "100", trade_id="2"), fill(Side.SELL, "1", "100", trade_id="2")
    assert ledger.apply(bought, D(0)) is not None
    assert ledger.crosses(sold)
    assert ledger.apply(sold, D(0)) is not None
    restored = Ledger(ledger.state())
    for each in (ledger, restored):
        assert each.quantity(BTC) == 3
        assert each.crosses(bought)
        assert each.crosses(sold)
        assert each.apply(bought, D(0)) is each.apply(sold, D(0)) is None


def test_a_trade_from_before_sides_were_kept_counts_as_both() -> None:
    state = msgspec.structs.replace(ledger_of(fill(Side.BUY, "1", "100")).state(), sides={})
    ledger = Ledger(state)
    for side in Side:
        assert ledger.apply(fill(side, "1", "100"), D(0)) is None
    assert not ledger.crosses(fill(Side.SELL, "1", "100"))


def test_a_second_side_in_the_log_counts_whatever_snapshot_a_reader_began_with() -> None:
    """One replica read the first side in the log, the other a snapshot that does not tell sides."""
    told = ledger_of(fill(Side.BUY, "1", "100"))
    untold = Ledger(msgspec.structs.replace(told.state(), sides={}))
    for ledger in (told, untold):
        assert ledger.apply(fill(Side.SELL, "1", "101"), D(0), crossed=True) is not None
        assert ledger.apply(fill(Side.SELL, "1", "101"), D(0), crossed=True) is None
        assert ledger.apply(fill(Side.BUY, "1", "100"), D(0)) is None
    assert told.state() == untold.state()
    assert told.quantity(BTC) == 0


def test_a_trade_that_is_forgotten_is_forgotten_with_its_sides() -> None:
    ledger = ledger_of(fill(Side.BUY, "1", "100", trade_id="x"), fill(Side.SELL, "1", "100", trade_id="x"))
    for number in range(KEPT_TRADES):
        ledger.apply(fill(Side.BUY, "1", "100", trade_id=str(number), time_ms=NOW + 1), D(0))
    assert ledger.state().sides == {BTC: "B" * KEPT_TRADES}
    assert not ledger.knows(BTC, "x", Side.BUY)


def test_an_adopted_holding_brings_no_profit_until_the_price_moves() -> None:
    ledger = Ledger()
    ledger.adopt(BTC, D(2), D(100))
    assert ledger.realized_pnl == 0
    assert ledger.holding(BTC).unrealized(D(100)) == 0
    assert ledger.holding(BTC).unrealized(D(110)) == 20


@pytest.mark.parametrize(
    ("price", "fee", "losing"), [("99", "0", True), ("101", "0", False), ("100.05", "0.1", True)]
)
def test_an_exit_is_losing_when_it_loses_after_its_fee(price: str, fee: str, losing: bool) -> None:
    ledger = ledger_of(fill(Side.BUY, "1", "100"))
    applied = ledger.apply(fill(Side.SELL, "1", price, fee=fee, trade_id="2"), D(fee))
    assert applied is not None
    assert applied.losing_exit is losing


def test_an_entry_is_never_a_losing_exit() -> None:
    applied = Ledger().apply(fill(Side.BUY, "1", "100", fee="1"), D(1))
    assert applied is not None
    assert not applied.losing_exit


# --- against a slow reference: cash and coins as fractions ---

amounts = st.decimals(min_value="0.00000001", max_value="1000000", places=8, allow_nan=False)
prices = st.decimals(min_value="0.00000001", max_value="1000000", places=8, allow_nan=False)
fees = st.decimals(min_value="-0.001", max_value="0.002", places=6, allow_nan=False)
drafts = st.tuples(
    st.sampled_from([BTC, ETH]),
    st.sampled_from(list(Side)),
    amounts,
    prices,
    fees,
    st.sampled_from(["base", "USDT", "BNB"]),
    st.integers(0, 8),
)
BNB = D("612.34")


def realise(draft: tuple[str, Side, Decimal, Decimal, Decimal, str, int]) -> Fill:
    market, side, quantity, price, rate, asset, trade = draft
    fee = {"base": quantity * rate, "USDT": quantity * price * rate, "BNB": quantity * rate}[asset]
    name = market.partition("/")[0] if asset == "base" else asset
    return fill(side, quantity, price, fee=fee, asset=name, trade_id=str(trade), market=market)


class SlowBook:
    """Cash and coins, nothing else: what an accountant would count by hand."""

    def __init__(self) -> None:
        self.cash = Fraction(0)
        self.coins = {BTC: Fraction(0), ETH: Fraction(0)}
        self.seen: set[tuple[str, str, Side]] = set()

    def apply(self, each: Fill) -> None:
        if (each.market, each.trade_id, each.side) in self.seen:
            return
        self.seen.add((each.market, each.trade_id, each.side))
        sign = 1 if each.side is Side.BUY else -1
        quantity, price, fee = Fraction(each.quantity), Fraction(each.price), Fraction(each.fee)
        self.cash -= sign * quantity * price
        self.coins[each.market] += sign * quantity
        if each.fee_asset == each.market.partition("/")[0]:
            self.coins[each.market] -= fee
        else:
            self.cash -= fee * (Fraction(BNB) if each.fee_asset == "BNB" else 1)


@given(st.lists(drafts, max_size=14), prices, prices)
def test_the_ledger_conserves_money_to_the_last_digit(
    history: list[tuple[str, Side, Decimal, Decimal, Decimal, str, int]], btc: Decimal, eth: Decimal
) -> None:
    ledger, reference = ledger_of(*map(realise, history), bnb=BNB), SlowBook()
    for each in map(realise, history):
        reference.apply(each)
    marks = {BTC: btc, ETH: eth}
    for market in marks:
        assert Fraction(ledger.quantity(market)) == reference.coins[market]
    worth = reference.cash + sum(reference.coins[m] * Fraction(mark) for m, mark in marks.items())
    counted = Fraction(ledger.realized_pnl) + sum(
        (Fraction(ledger.holding(m).unrealized(mark)) for m, mark in marks.items()), Fraction(0)
    )
    assert abs(counted - worth) < Fraction(1, 10**15)


@given(st.lists(drafts, max_size=12), st.integers(0, 12))
def test_a_ledger_restored_from_its_snapshot_goes_on_as_if_nothing_had_happened(
    history: list[tuple[str, Side, Decimal, Decimal, Decimal, str, int]], cut: int
) -> None:
    fills = [realise(each) for each in history]
    whole, first = Ledger(), Ledger()
    for each in fills:
        whole.apply(each, D(0))
    for each in fills[:cut]:
        first.apply(each, D(0))
    encoded = msgspec.json.Encoder(decimal_format="string").encode(first.state())
    second = Ledger(msgspec.json.decode(encoded, type=LedgerState))
    for each in fills:
        second.apply(each, D(0))
    assert second.state() == whole.state()


@given(st.lists(drafts, max_size=12))
def test_a_flat_position_costs_nothing(
    history: list[tuple[str, Side, Decimal, Decimal, Decimal, str, int]],
) -> None:
    ledger = Ledger()
    for each in map(realise, history):
        ledger.apply(each, D(0))
        holding = ledger.holding(each.market)
        assert holding.quantity != 0 or holding.cost == 0
        assert holding.quantity * holding.cost >= 0
