"""Decisions derive from events alone, in an order that grows."""

from decimal import Decimal
from typing import ClassVar

import msgspec
import pytest

from smarttrade.evaluation.core import MissingCandlesError, StrategyFailedError
from smarttrade.evaluation.strategy import Strategy, Wants
from smarttrade.identity import decision_id
from smarttrade.messages import AccountView, Book, Candle, EffectiveState, Position, Quote, Target
from tests.unit.evaluation.strategies import IDENTITY, MARKET, MINUTE, OTHER, candle, core, setup, trade
from tests.unit.monitoring.events import moment


def test_a_final_candle_becomes_a_decision_named_after_it() -> None:
    [decision] = core(generation=7).on_event(candle(3, "2"))
    assert decision.id == decision_id(IDENTITY, "follower", MARKET, f"1m:{3 * MINUTE}", 0)
    assert (decision.event_key, decision.generation) == (f"1m:{3 * MINUTE}", 7)
    assert decision.order_key == (4 * MINUTE, 0, 0)
    assert decision.want == Target(quantity=Decimal(2), valid_until_ms=5 * MINUTE)


def test_two_replicas_give_the_same_events_the_same_decisions() -> None:
    events = [candle(1, "1"), trade(11, 2 * MINUTE + 1), candle(2, "3"), trade(12, 3 * MINUTE + 5)]
    one, other = core(), core()
    assert [one.on_event(event) for event in events] == [other.on_event(event) for event in events]


def test_a_candle_seen_before_is_not_decided_again() -> None:
    made = core()
    assert len(made.on_event(candle(1))) == 1
    assert made.on_event(candle(1)) == []
    assert made.on_event(candle(0)) == []


def test_a_missing_candle_stops_before_the_strategy_sees_anything() -> None:
    made = core()
    made.on_event(candle(1, "1"))
    with pytest.raises(MissingCandlesError):
        made.on_event(candle(4, "4"))
    made.fill([candle(1, "1"), candle(2, "2"), candle(3, "3")])
    [decision] = made.on_event(candle(4, "4"))
    assert decision.want == Target(quantity=Decimal(4), valid_until_ms=6 * MINUTE)


def month(opens: str, closes: str) -> Candle:
    made, length_ms = candle(0, "1"), moment(closes) - moment(opens)
    times = {"open_ms": moment(opens), "close_ms": moment(opens) + length_ms}
    return msgspec.structs.replace(made, timeframe="1M", **times)


def test_a_short_month_after_a_long_one_misses_nothing_and_a_left_out_one_is_noticed() -> None:
    made = core()
    assert made.on_event(month("2023-01-01", "2023-02-01"))
    [decision] = made.on_event(month("2023-02-01", "2023-03-01"))
    assert decision.want.valid_until_ms == moment("2023-04-01")
    with pytest.raises(MissingCandlesError):
        made.on_event(month("2023-04-01", "2023-05-01"))


def test_history_is_not_sent_but_is_what_is_wanted_now() -> None:
    made = core()
    made.fill([candle(1, "1"), candle(2, "2")])
    [newest] = made.newest_live(3 * MINUTE)
    assert newest.event_key == f"1m:{2 * MINUTE}"
    assert made.newest_live(4 * MINUTE) == []


def test_a_running_candle_decides_nothing() -> None:
    running = Candle(
        **{name: getattr(candle(1), name) for name in Candle.__struct_fields__} | {"final": False}
    )
    assert core().on_event(running) == []


def test_a_want_behind_a_newer_decision_is_dropped_and_counted() -> None:
    made = core()
    made.on_event(trade(5, 2 * MINUTE + 1))
    assert made.on_event(candle(1)) == []
    assert made.late == 1


def test_trades_of_one_millisecond_are_told_apart() -> None:
    made = core()
    [first] = made.on_event(trade(5, 1_000))
    [second] = made.on_event(trade(6, 1_000))
    assert first.order_key < second.order_key
    assert first.want.valid_until_ms == 6_000


class Booked(Strategy):
    book_levels = 5

    def on_book(self, book: Book) -> Wants:
        return self.target(book.market, book.bids[0][1], reason=str(self.price(book.market)))


def test_an_order_book_is_decided_on_and_named_after_its_update() -> None:
    bids, asks = [(Decimal(99), Decimal(3))], [(Decimal(101), Decimal(1))]
    seen = Book(market=MARKET, bids=bids, asks=asks, time_ms=1_000, update_id=17)
    [decision] = core(Booked(setup())).on_event(seen)
    assert decision.want == Target(quantity=Decimal(3), valid_until_ms=6_000)
    assert (decision.event_key, decision.event_ordinal, decision.reason) == ("book:17", 17, "100")


class Several(Strategy):
    def on_candle(self, candle: Candle) -> Wants:
        return [
            self.target(OTHER, Decimal(1)),
            self.target(OTHER, Decimal(2)),
            self.target(MARKET, Decimal(3)),
        ]


class Quoter(Strategy):
    """Wants what may be bought at the best ask, while the spread is small."""

    def on_quote(self, quote: Quote) -> Wants:
        if quote.ask - quote.bid > 1:
            return None
        return self.target(quote.market, quote.ask_quantity, reason=str(self.price(quote.market)))


def quote(time_ms: int, update_id: int, ask: str = "101", market: str = MARKET) -> Quote:
    return Quote(
        market=market,
        bid=Decimal(100),
        bid_quantity=Decimal(3),
        ask=Decimal(ask),
        ask_quantity=Decimal(2),
        time_ms=time_ms,
        update_id=update_id,
    )


def test_a_quote_is_decided_on_at_its_mid_and_named_after_its_update() -> None:
    subject = core(Quoter(setup()))
    [decision] = subject.on_event(quote(1_000, 17))
    assert (decision.event_key, decision.order_key) == ("17", (1_000, 17, 0))
    assert decision.reason == "100.5"
    assert isinstance(decision.want, Target)
    assert (decision.want.quantity, decision.want.valid_until_ms) == (Decimal(2), 6_000)
    assert subject.on_event(quote(1_001, 18, ask="102")) == []
    assert subject.strategy.price(MARKET) == Decimal(101)


def test_quotes_of_one_millisecond_are_told_apart_by_their_updates() -> None:
    subject = core(Quoter(setup()))
    keys = [subject.on_event(quote(1_000, update))[0].order_key for update in (17, 18)]
    assert keys == [(1_000, 17, 0), (1_000, 18, 0)]
    assert subject.on_event(quote(1_000, 16)) == []
    assert subject.late == 1


def test_quotes_without_an_update_id_are_named_after_their_time() -> None:
    subject = core(Quoter(setup()))
    first, second = (subject.on_event(quote(time_ms, 0))[0] for time_ms in (1_000, 1_001))
    assert (first.event_key, second.event_key) == ("quote:1000", "quote:1001")
    assert first.id != second.id


def test_several_wants_of_one_event_are_numbered_by_market() -> None:
    made = core(Several(setup(MARKET, OTHER)))
    decisions = made.on_event(candle(1))
    assert [(each.market, each.index) for each in decisions] == [(OTHER, 0), (OTHER, 1), (MARKET, 0)]
    later = made.on_event(candle(1, market=OTHER))
    assert [(each.market, each.index) for each in later] == [(OTHER, 2), (OTHER, 3), (MARKET, 1)]
    assert len({each.id for each in decisions + later}) == 6


class Clocked(Strategy):
    timers: ClassVar[dict[str, int]] = {"hourly": 3_600}

    def on_timer(self, name: str, time_ms: int) -> Wants:
        return self.target(MARKET, Decimal(1), reason=name)


def test_timers_follow_event_time_and_carry_it_in_their_key() -> None:
    made = core(Clocked(setup()))
    assert made.on_event(trade(1, 3_599_000)) == []
    [decision] = made.on_event(trade(2, 3_600_500))
    assert decision.event_key == "timer:hourly:3600000"
    assert decision.event_time_ms == 3_600_000
    assert made.on_event(trade(3, 3_601_000)) == []
    assert [each.event_time_ms for each in made.on_event(trade(4, 4 * 3_600_000))] == [4 * 3_600_000]


class Broken(Strategy):
    def on_candle(self, candle: Candle) -> Wants:
        raise ZeroDivisionError("no volume")


def test_a_strategys_exception_is_told_with_its_last_lines() -> None:
    with pytest.raises(StrategyFailedError, match=r"(?s)on_candle.*ZeroDivisionError: no volume"):
        core(Broken(setup())).on_event(candle(1))


class Floating(Strategy):
    def on_candle(self, candle: Candle) -> Wants:
        return self.target(MARKET, 0.5)  # type: ignore[arg-type]


def test_money_that_is_not_decimal_is_refused() -> None:
    with pytest.raises(StrategyFailedError, match=r"must be a Decimal, not 0\.5"):
        core(Floating(setup())).on_event(candle(1))


class Curious(Strategy):
    def start(self) -> None:
        self.seen: list[tuple[Decimal, Decimal]] = []

    def on_candle(self, candle: Candle) -> Wants:
        self.seen.append((self.position(MARKET), self.equity))
        return None


def test_the_account_is_known_from_the_moment_it_is_told() -> None:
    strategy = Curious(setup())
    made = core(strategy)
    made.on_event(candle(1))
    position = Position(
        market=MARKET,
        quantity=Decimal("0.5"),
        average_price=Decimal(1),
        realized_pnl=Decimal(0),
        unrealized_pnl=Decimal(0),
    )
    view = AccountView(
        leading=True,
        epoch=1,
        effective_state=EffectiveState.ACTIVE,
        currency="USDT",
        equity=Decimal(12_000),
        available=Decimal(0),
        positions=[position],
        time_ms=1,
    )
    made.on_view(view)
    made.on_event(candle(2))
    assert strategy.seen == [(Decimal(0), Decimal(10_000)), (Decimal("0.5"), Decimal(12_000))]


def test_a_replacing_strategy_decides_after_the_one_before() -> None:
    old, new = core(), core(generation=2)
    old.on_event(candle(5))
    new.fill([candle(4), candle(5)])
    new.adopt(old)
    [decision] = new.on_event(candle(6))
    assert (decision.generation, decision.event_time_ms) == (2, 7 * MINUTE)
