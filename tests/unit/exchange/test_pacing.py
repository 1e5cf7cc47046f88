"""Room for cancels, whatever else is asked; and the exchange's own word on its limits."""

from __future__ import annotations

import pytest

from smarttrade.api.catalogue import Endpoint
from smarttrade.exchange.endpoints import create_exchange
from smarttrade.exchange.pacing import (
    Allowance,
    Pacer,
    TokenBucket,
    Urgency,
    build_share,
    read_allowance,
)
from smarttrade.exchange.weights import BINANCE, EXECUTION, OrderLimit, Question, limiter, share_of


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def build_pacer(clock: Clock) -> Pacer:
    """10 a second, bursts of 20, the last 5 for urgent ones."""
    return Pacer(TokenBucket(10, 20, 5, clock), clock=clock)


def drain(pacer: Pacer, urgency: Urgency, question: Question = Question.ORDER) -> int:
    """How many leave before one has to wait."""
    count = 0
    while not pacer.delay(question, urgency):
        count += 1
    return count


def test_orders_leave_room_for_urgent_questions_and_those_leave_room_for_cancels(clock: Clock) -> None:
    pacer = build_pacer(clock)
    assert drain(pacer, Urgency.ORDINARY) == 15
    assert drain(pacer, Urgency.URGENT) == 2
    assert drain(pacer, Urgency.CANCEL) == 3


def test_tokens_come_back_at_the_rate(clock: Clock) -> None:
    pacer = build_pacer(clock)
    drain(pacer, Urgency.ORDINARY)
    clock.now += pacer.delay(Question.ORDER) + 0.001
    assert pacer.delay(Question.ORDER) == 0


def test_near_the_exchanges_own_limit_only_urgent_questions_leave_until_it_is_renewed(clock: Clock) -> None:
    pacer = build_pacer(clock)
    pacer.heed(Allowance(used=0.95, renewed_in_s=12))
    assert pacer.delay(Question.ORDER) == pytest.approx(12)
    assert pacer.delay(Question.FIND_ORDER, Urgency.URGENT) == 0
    clock.now += 12
    assert pacer.delay(Question.ORDER) == 0


def test_at_the_limit_only_cancels_leave(clock: Clock) -> None:
    pacer = build_pacer(clock)
    pacer.heed(Allowance(used=0.98, renewed_in_s=12))
    assert pacer.delay(Question.FIND_ORDER, Urgency.URGENT) == pytest.approx(12)
    assert pacer.delay(Question.CANCEL, Urgency.CANCEL) == 0


def test_below_it_nothing_changes(clock: Clock) -> None:
    pacer = build_pacer(clock)
    pacer.heed(Allowance(used=0.5, renewed_in_s=30))
    assert pacer.delay(Question.ORDER) == 0


def test_nothing_is_asked_while_the_exchange_says_so(clock: Clock) -> None:
    pacer = build_pacer(clock)
    pacer.heed(Allowance(silent_s=3))
    assert pacer.delay(Question.CANCEL, Urgency.CANCEL) == pytest.approx(3)
    clock.now += 3
    assert pacer.delay(Question.CANCEL, Urgency.CANCEL) == 0


def test_a_shorter_word_does_not_shorten_a_longer_one(clock: Clock) -> None:
    pacer = build_pacer(clock)
    pacer.heed(Allowance(silent_s=30))
    pacer.heed(Allowance(silent_s=1))
    assert pacer.delay(Question.CANCEL, Urgency.CANCEL) == pytest.approx(30)


def build_counter(clock: Clock) -> Pacer:
    """Bound by how many new orders an account may send: ten in ten seconds."""
    return Pacer(TokenBucket(1_000, 1_000, 0, clock), orders=(TEN,), clock=clock)


TEN = OrderLimit(10, 10.0, "x-orders-10s")


def test_new_orders_stay_below_the_exchanges_count_and_the_last_are_for_exits(clock: Clock) -> None:
    pacer = build_counter(clock)
    assert drain(pacer, Urgency.ORDINARY) == 8
    assert pacer.delay(Question.ORDER_PAIR, Urgency.URGENT) == 0
    assert pacer.delay(Question.ORDER, Urgency.URGENT) == pytest.approx(10)
    assert drain(pacer, Urgency.ORDINARY, Question.CANCEL) > 50


def test_no_interval_of_the_exchanges_has_more_wherever_it_begins(clock: Clock) -> None:
    pacer, sent = build_counter(clock), list[float]()
    while clock.now < 1_000 + 60:
        wait_s = pacer.delay(Question.ORDER, Urgency.URGENT)
        if not wait_s:
            sent.append(clock.now)
        clock.now += wait_s + 0.3
    assert max(sum(at <= other < at + 10 for other in sent) for at in sent) == 10
    assert len(sent) > 55


def test_an_order_that_fills_does_not_count(clock: Clock) -> None:
    pacer = build_counter(clock)
    for _ in range(100):
        assert pacer.delay(Question.ORDER) == 0
        pacer.filled()


def test_orders_that_others_send_for_the_account_count_until_the_interval_ends(clock: Clock) -> None:
    pacer = build_counter(clock)
    pacer.heed(read_allowance({"X-Orders-10S": "9"}, "", 0, (TEN,), now_s=lambda: 1_003.0))
    assert pacer.delay(Question.ORDER) == pytest.approx(7)
    assert pacer.delay(Question.ORDER, Urgency.URGENT) == 0
    pacer.heed(read_allowance({}, "", 0, (TEN,), now_s=lambda: 1_004.0))
    assert pacer.delay(Question.ORDER) == pytest.approx(7), "an answer that does not tell changes nothing"
    clock.now += 7
    assert pacer.delay(Question.ORDER) == 0


NOON = "Mon, 30 Nov 2026 12:00:00 GMT"
NOON_S = 1_796_040_000.0


@pytest.mark.parametrize(
    ("read_at_s", "renewed_in_s"),
    [(0.5, 59.5), (0.0, 60.0), (4.0, 59.001), (-7.0, 60.0)],
    ids=["in the same second", "at its beginning", "later, or by a fast clock", "by a slow clock"],
)
def test_what_is_used_counts_for_the_minute_in_which_the_exchange_answered(
    read_at_s: float, renewed_in_s: float
) -> None:
    allowance = read_allowance({"Date": NOON}, "", 0, now_s=lambda: NOON_S + read_at_s)
    assert allowance.renewed_in_s == pytest.approx(renewed_in_s)


def test_an_answer_read_in_the_next_minute_holds_nothing_back_for_all_of_it() -> None:
    headers = {"date": "Mon, 30 Nov 2026 11:59:59 GMT", "X-Orders-10S": "9"}
    allowance = read_allowance(headers, "", 0, (TEN,), now_s=lambda: NOON_S + 0.02)
    assert allowance.renewed_in_s == pytest.approx(0.001, abs=1e-6)
    assert allowance.orders[0][2] == pytest.approx(0.001, abs=1e-6)


@pytest.mark.parametrize("date", ["", "yesterday", "Mon, 99 Nov 2026 12:00:00 GMT", 12])
def test_a_date_that_is_none_is_taken_for_now(date: object) -> None:
    assert read_allowance({"Date": date}, "", 0, now_s=lambda: 75.0).renewed_in_s == 45


def build_sharer(clock: Clock, weight: float) -> Pacer:
    """Hardly bound by requests, only by the share."""
    return Pacer(TokenBucket(1_000, 1_000, 0, clock), build_share(weight, clock), BINANCE, clock=clock)


def test_an_accounts_share_counts_weight_and_keeps_its_last_for_cancels(clock: Clock) -> None:
    """600 a minute: 150 at once, of which 37.5 are the reserve."""
    pacer = build_sharer(clock, 600)
    assert drain(pacer, Urgency.ORDINARY, Question.ACCOUNT) == 5
    assert drain(pacer, Urgency.URGENT, Question.OPEN_ORDERS) == 5
    assert drain(pacer, Urgency.CANCEL, Question.CANCEL) == 20


def test_no_minute_takes_more_than_the_share(clock: Clock) -> None:
    pacer, spent = build_sharer(clock, 600), list[float]()
    while clock.now < 1_000 + 300:
        if wait_s := pacer.delay(Question.CANCEL, Urgency.CANCEL):
            clock.now += wait_s + 1e-6
        else:
            spent.append(clock.now)
    most = max(sum(1 for other in spent if at <= other < at + 60) for at in spent[::10])
    assert 570 < most <= 601


def test_a_question_that_outweighs_what_can_be_saved_up_leaves_with_a_debt(clock: Clock) -> None:
    pacer = build_sharer(clock, 60)
    assert pacer.delay(Question.ACCOUNT, Urgency.ORDINARY) == 0
    assert pacer.delay(Question.CANCEL, Urgency.CANCEL) > 5


@pytest.mark.parametrize(
    ("account", "platform", "share"),
    [(None, None, None), (600, None, 420), (None, 900, 630), (600, 300, 210)],
)
def test_an_account_can_only_lower_the_platforms_word(
    account: int | None, platform: int | None, share: float | None
) -> None:
    assert share_of(account, platform, EXECUTION) == (share and pytest.approx(share))


async def test_ccxts_own_limiter_keeps_to_the_share() -> None:
    exchange = create_exchange("binance", Endpoint(), limiter("binance", 600))
    assert exchange.tokenBucket["refillRate"] * 60_000 / 0.2 == pytest.approx(600)
    assert limiter("binance", None) == {}
    await exchange.close()


@pytest.mark.parametrize(
    ("headers", "used", "silent_s"),
    [
        ({"X-MBX-USED-WEIGHT-1M": "5400"}, 0.9, 0),
        ({"x-mbx-used-weight-1m": "60", "Retry-After": "7"}, 0.01, 7),
        ({}, 0, 0),
        ({"X-MBX-USED-WEIGHT-1M": "many", "Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}, 0, 0),
    ],
)
def test_headers_are_read_in_any_case_and_nonsense_limits_nothing(
    headers: dict[str, str], used: float, silent_s: float
) -> None:
    allowance = read_allowance(headers, "x-mbx-used-weight-1m", 6_000, now_s=lambda: 75.0)
    assert (allowance.used, allowance.silent_s) == (pytest.approx(used), silent_s)
    assert allowance.renewed_in_s == 45
