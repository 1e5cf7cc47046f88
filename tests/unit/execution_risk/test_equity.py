from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import msgspec
import pytest

from smarttrade.api import DailyReset, Risk
from smarttrade.errors import ConfigurationError
from smarttrade.execution.equity import (
    BreachState,
    LossState,
    Valuation,
    acknowledge,
    fold,
    mark,
    observe,
    reset_instant_ms,
    trading_day,
)
from smarttrade.execution.ledger import Ledger
from smarttrade.execution.records import BreachAcknowledged, Breached, DayStarted, PeakReached
from smarttrade.messages import EffectiveState, Side
from tests.unit.execution_risk.building import BTC, ETH, NOW, fill, quote, spec, valuation

D = Decimal
DAY_MS = 86_400_000


def risk(**more: object) -> Risk:
    return spec(risk={"maxDailyLoss": "200", "maxDrawdown": "0.10", **more}).risk


def run(state: LossState, *pnls: str, limits: Risk | None = None, start_ms: int = NOW) -> LossState:
    """The state after valuations a second apart."""
    for second, pnl in enumerate(pnls):
        now_ms = start_ms + second * 1000
        for record in observe(state, valuation(pnl), limits or risk(), now_ms):
            state = fold(state, record)
    return state


# --- valuation ---


def test_longs_are_marked_at_the_bid_and_shorts_at_the_ask() -> None:
    ledger = Ledger()
    ledger.apply(fill(Side.BUY, "2", "100"), D(0))
    ledger.apply(fill(Side.SELL, "1", "10", market=ETH), D(0))
    quotes = {BTC: quote(BTC, "110", "111"), ETH: quote(ETH, "8", "9")}
    worth = mark(D(1000), ledger, quotes, {BTC, ETH}, NOW)
    assert (worth.unrealized, worth.equity, worth.complete) == (D(21), D(1021), True)


def test_a_position_without_a_fresh_quote_makes_the_valuation_incomplete() -> None:
    ledger = Ledger()
    ledger.apply(fill(Side.BUY, "2", "100"), D(0))
    worth = mark(D(1000), ledger, {BTC: quote(BTC, "90", "91")}, set(), NOW)
    assert (worth.stale, worth.equity) == ((BTC,), D(980))
    assert mark(D(1000), ledger, {}, {BTC}, NOW).stale == (BTC,)


def test_a_market_without_a_position_needs_no_quote() -> None:
    assert mark(D(1000), Ledger(), {}, set(), NOW).complete


# --- baseline, peak, breach ---


def test_the_first_complete_valuation_starts_the_day_and_the_peak() -> None:
    records = observe(LossState(), valuation("5"), risk(), NOW)
    assert [type(record) for record in records] == [DayStarted, PeakReached]


def test_an_incomplete_valuation_concludes_nothing() -> None:
    state = run(LossState(), "0")
    assert observe(state, valuation("-9999", stale=(BTC,)), risk(), NOW + DAY_MS) == []


def test_steady_state_records_nothing() -> None:
    state = run(LossState(), "0")
    assert observe(state, valuation("-199"), risk(), NOW + 1000) == []


def test_a_daily_loss_at_the_limit_is_a_breach_with_an_id_and_the_declared_effect() -> None:
    state = run(LossState(), "50", "-149.99", "-150", limits=risk(onBreach="Halted"))
    assert state.breach is not None
    assert (state.breach.reason, state.breach.effect) == ("DailyLoss", EffectiveState.HALTED)
    assert state.breach.id.startswith("DailyLoss-2026")


def test_drawdown_counts_from_the_highest_equity_over_all_days() -> None:
    limits = risk(maxDailyLoss="9999")
    state = run(LossState(), "0", "1000", limits=limits)
    state = run(state, "500", "-99", limits=limits, start_ms=NOW + DAY_MS)
    assert state.breach is None
    state = run(state, "-100", limits=limits, start_ms=NOW + DAY_MS + 5000)
    assert state.breach is not None
    assert state.breach.reason == "Drawdown"


def test_raising_the_allocation_hides_no_loss() -> None:
    state = run(LossState(), "0", "-150")
    raised = valuation("-201", allocation="20000")
    assert [type(record) for record in observe(state, raised, risk(), NOW + 2000)] == [Breached]


def test_the_next_day_counts_anew_but_a_breach_stays() -> None:
    state = run(LossState(), "0", "-200")
    tomorrow = run(state, "-300", start_ms=NOW + DAY_MS)
    assert tomorrow.baseline == -300
    assert tomorrow.breach == state.breach


def test_a_loss_made_while_nobody_watched_over_the_reset_is_not_forgiven() -> None:
    state = run(LossState(), "0")
    records = observe(state, valuation("-250"), risk(), NOW + DAY_MS, previous=valuation("-10"))
    assert [record.pnl for record in records if isinstance(record, DayStarted)] == [D(-10)]
    assert any(isinstance(record, Breached) for record in records)


def test_only_the_breach_named_is_acknowledged_and_losses_count_from_there() -> None:
    state = run(LossState(), "0", "-200")
    assert state.breach is not None
    assert acknowledge(state, "DailyLoss-20200101T000000.000Z", valuation("-200"), NOW) == []
    assert acknowledge(state, state.breach.id, valuation("-200", stale=(BTC,)), NOW) == []
    (record,) = acknowledge(state, state.breach.id, valuation("-210"), NOW)
    cleared = fold(state, record)
    assert (cleared.breach, cleared.baseline, cleared.peak) == (None, D(-210), D(-210))
    assert observe(cleared, valuation("-409"), risk(), NOW + 5000) == []


def test_an_acknowledged_id_does_not_pardon_the_next_breach() -> None:
    state = run(LossState(), "0", "-200")
    assert state.breach is not None
    old = state.breach.id
    state = fold(state, BreachAcknowledged(id=old, pnl=D(-200), time_ms=NOW))
    state = run(state, "-400", start_ms=NOW + 9000)
    assert state.breach is not None
    assert acknowledge(state, old, valuation("-400"), NOW + 9000) == []


def test_a_limit_broken_while_a_looser_breach_stands_closes_the_account_further() -> None:
    lost = BreachState(id="LogLost-1", reason="LogLost", effect=EffectiveState.PAUSED, time_ms=NOW)
    state = run(LossState(breach=lost), "0", "-300", "-400", limits=risk(onBreach="Halted"))
    assert state.breach == msgspec.structs.replace(lost, effect=EffectiveState.HALTED)


def test_one_breach_is_recorded_once() -> None:
    state = run(LossState(), "0", "-200")
    assert observe(state, valuation("-900"), risk(), NOW + 5000) == []


def test_the_state_survives_a_snapshot() -> None:
    state = run(LossState(), "0", "-200")
    encoded = msgspec.json.Encoder(decimal_format="string").encode(state)
    assert msgspec.json.decode(encoded, type=LossState) == state
    assert isinstance(state.breach, BreachState)


def test_everything_lost_is_a_drawdown_of_one() -> None:
    state = LossState(day="2026-11-18", baseline=D(-100), peak=D(-100))
    assert state.drawdown(D(100), D(-101)) == 1


# --- the trading day ---


def at(zone: str, text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000)


@pytest.mark.parametrize(
    ("zone", "time", "now", "day"),
    [
        ("UTC", "00:00", "2026-11-21T00:00:00", "2026-11-21"),
        ("UTC", "00:00", "2026-11-20T23:59:59.999", "2026-11-20"),
        ("America/New_York", "17:00", "2026-11-21T16:59:59", "2026-11-20"),
        ("America/New_York", "17:00", "2026-11-21T17:00:00", "2026-11-21"),
        ("Asia/Kolkata", "09:15", "2026-11-21T09:14:00", "2026-11-20"),
    ],
)
def test_a_trading_day_begins_at_the_reset_in_its_time_zone(zone: str, time: str, now: str, day: str) -> None:
    assert trading_day(DailyReset(time=time, time_zone=zone), at(zone, now)) == day


def test_days_around_a_change_of_clocks_are_23_and_25_hours_long() -> None:
    reset = DailyReset(time="00:00", time_zone="Europe/Berlin")
    hours = [
        (reset_instant_ms(reset, after) - reset_instant_ms(reset, before)) / 3_600_000
        for before, after in [("2026-03-29", "2026-03-30"), ("2026-10-25", "2026-10-26")]
    ]
    assert hours == [23, 25]


@pytest.mark.parametrize("day", ["2026-03-29", "2026-10-25"])
def test_every_day_begins_exactly_once_when_the_reset_is_skipped_or_shown_twice(day: str) -> None:
    reset = DailyReset(time="02:30", time_zone="Europe/Berlin")
    midnight = at("Europe/Berlin", f"{day}T00:00:00")
    days = [trading_day(reset, midnight + minute * 60_000) for minute in range(6 * 60)]
    assert days == sorted(days)
    assert len(set(days)) == 2


def test_an_unknown_time_zone_is_named() -> None:
    """The object's own check passed on another machine, with other zones than this one's."""
    reset = DailyReset.model_construct(time="00:00", time_zone="Europe/Berln")
    with pytest.raises(ConfigurationError, match="Europe/Berln"):
        trading_day(reset, NOW)


def test_equity_is_allocation_and_profit() -> None:
    assert Valuation(D(100), D(5), D(-2), NOW).equity == 103
