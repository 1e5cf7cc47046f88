"""What the account is worth, and whether it has lost more than it may.

Losses are counted in profit (realised + unrealised), not in equity: when the allocation is raised, equity
jumps and would hide a loss, profit does not. A valuation without a fresh quote for every position held is
incomplete; nothing is concluded from it, and whoever wants to add exposure is told so.

The state is folded from log records, so that a new leader judges by the same baseline and peak. The
records are proposed here and take effect when the log has them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from smarttrade.api import DailyReset, Risk
from smarttrade.errors import ConfigurationError
from smarttrade.execution.ledger import ZERO, Ledger
from smarttrade.execution.records import BreachAcknowledged, Breached, DayStarted, PeakReached
from smarttrade.messages import EffectiveState, Quote

PEAK_STEP = Decimal("0.001")
_HOUR_MS = 3_600_000
_SPAN_MS = 12 * _HOUR_MS

LossRecord = DayStarted | PeakReached | Breached | BreachAcknowledged


class Valuation(msgspec.Struct, frozen=True, gc=False):
    """The account's worth at one instant, in capital.currency; `stale` names positions without a quote."""

    allocation: Decimal
    realized: Decimal
    unrealized: Decimal
    as_of_ms: int
    stale: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        return not self.stale

    @property
    def pnl(self) -> Decimal:
        return self.realized + self.unrealized

    @property
    def equity(self) -> Decimal:
        return self.allocation + self.pnl


class BreachState(msgspec.Struct, frozen=True, kw_only=True):
    """A limit that was broken, until its id is acknowledged."""

    id: str
    reason: str
    effect: EffectiveState
    time_ms: int


class LossState(msgspec.Struct, frozen=True, kw_only=True):
    """What losses are measured against, as it stands in a snapshot. None: not measured yet."""

    day: str = ""
    baseline: Decimal | None = None
    peak: Decimal | None = None
    breach: BreachState | None = None

    def daily_loss(self, pnl: Decimal) -> Decimal:
        """Loss since the daily reset; negative is a gain."""
        return ZERO if self.baseline is None else self.baseline - pnl

    def drawdown(self, allocation: Decimal, pnl: Decimal) -> Decimal:
        """Fall from the highest equity, as a share of it."""
        if self.peak is None or pnl >= self.peak:
            return ZERO
        highest = allocation + self.peak
        return (self.peak - pnl) / highest if highest > 0 else Decimal(1)


def mark(
    allocation: Decimal, ledger: Ledger, quotes: Mapping[str, Quote], fresh: Collection[str], now_ms: int
) -> Valuation:
    """Value the ledger at the bid for longs and at the ask for shorts; `fresh` names markets to be believed.

    A position without a fresh quote is valued at the last one, or at cost, and named in `stale`.
    """
    unrealized, stale = ZERO, []
    for market in ledger.held():
        quote, holding = quotes.get(market), ledger.holding(market)
        if quote is None or market not in fresh:
            stale.append(market)
        if quote is not None:
            unrealized += holding.unrealized(quote.bid if holding.quantity > 0 else quote.ask)
    return Valuation(allocation, ledger.realized_pnl, unrealized, now_ms, tuple(stale))


def observe(
    state: LossState, valuation: Valuation, risk: Risk, now_ms: int, previous: Valuation | None = None
) -> list[LossRecord]:
    """The records that a valuation calls for: a new day, a new peak, a breach. None from an incomplete one.

    A new day counts from the greater of the profits now and at `previous`, the last complete valuation: a
    loss made while nobody watched is not forgiven. Peaks are recorded in steps of a thousandth of the
    allocation.
    """
    if not valuation.complete:
        return []
    records: list[LossRecord] = []
    day = trading_day(risk.daily_reset, now_ms)
    if state.baseline is None or day != state.day:
        before = previous.pnl if previous and previous.complete else valuation.pnl
        records.append(DayStarted(day=day, pnl=max(before, valuation.pnl), time_ms=now_ms))
    step = PEAK_STEP * max(valuation.allocation, ZERO)
    if state.peak is None or valuation.pnl >= state.peak + step:
        records.append(PeakReached(pnl=valuation.pnl, time_ms=now_ms))
    judged = state
    for record in records:
        judged = fold(judged, record)
    return records + _breaches(judged, valuation, risk, now_ms)


def acknowledge(
    state: LossState, acknowledged: str, valuation: Valuation, now_ms: int
) -> list[BreachAcknowledged]:
    """The record that ends a breach whose id the user named; losses then count from this valuation on.

    Waits for a complete valuation, because a baseline at an unknown worth would be a guess.
    """
    breach = state.breach
    if breach is None or breach.id != acknowledged or not valuation.complete:
        return []
    return [BreachAcknowledged(id=breach.id, pnl=valuation.pnl, time_ms=now_ms)]


def fold(state: LossState, record: LossRecord) -> LossState:
    """The state after a record that the log has."""
    match record:
        case DayStarted():
            return msgspec.structs.replace(state, day=record.day, baseline=record.pnl)
        case PeakReached():
            return msgspec.structs.replace(state, peak=record.pnl)
        case Breached():
            breach = BreachState(
                id=record.id, reason=record.reason, effect=record.effect, time_ms=record.time_ms
            )
            return msgspec.structs.replace(state, breach=breach)
        case BreachAcknowledged():
            return msgspec.structs.replace(state, breach=None, baseline=record.pnl, peak=record.pnl)


def trading_day(reset: DailyReset, now_ms: int) -> str:
    """The date, in the reset's time zone, on which the current trading day began.

    A reset time that the clocks skip in spring comes as long after the one of the day before as ever, 24 h;
    one that they show twice in autumn counts the first time only.
    """
    wall_time, zone = reset.time, reset.time_zone
    return (
        _day_of_span(wall_time, zone, now_ms // _SPAN_MS, _SPAN_MS)
        or _day_of_span(wall_time, zone, now_ms // _HOUR_MS, _HOUR_MS)
        or _find_day(wall_time, zone, now_ms)
    )


@lru_cache(maxsize=64)
def _day_of_span(wall_time: str, time_zone: str, number: int, length_ms: int) -> str:
    """The day of every instant of a span, empty if another begins in it: days do not go back, so both ends
    tell."""
    day = _find_day(wall_time, time_zone, number * length_ms)
    return day if day == _find_day(wall_time, time_zone, (number + 1) * length_ms - 1) else ""


def _find_day(wall_time: str, time_zone: str, now_ms: int) -> str:
    local = datetime.fromtimestamp(now_ms / 1000, _zone(time_zone)).date()
    begins = _instant_ms(wall_time, time_zone, local.isoformat())
    return (local if now_ms >= begins else local - timedelta(days=1)).isoformat()


def reset_instant_ms(reset: DailyReset, day: str) -> int:
    """When the trading day of that date begins, in ms of UTC."""
    return _instant_ms(reset.time, reset.time_zone, day)


@lru_cache(maxsize=64)
def _instant_ms(wall_time: str, time_zone: str, day: str) -> int:
    zone = _zone(time_zone)
    wall = datetime.combine(datetime.fromisoformat(day).date(), time.fromisoformat(wall_time), tzinfo=zone)
    return int(wall.timestamp() * 1000)


@lru_cache(maxsize=64)
def _zone(time_zone: str) -> ZoneInfo:
    try:
        return ZoneInfo(time_zone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ConfigurationError(
            f"risk.dailyReset.timeZone {time_zone!r} is not a known IANA time zone: "
            "write one such as UTC or Europe/Berlin"
        ) from error


def _breaches(state: LossState, valuation: Valuation, risk: Risk, now_ms: int) -> list[LossRecord]:
    loss = state.daily_loss(valuation.pnl)
    drawdown = state.drawdown(valuation.allocation, valuation.pnl)
    if loss < risk.max_daily_loss and drawdown < risk.max_drawdown:
        return []
    if state.breach is not None:
        return _tightened(state.breach, risk)
    return [_breach("DailyLoss" if loss >= risk.max_daily_loss else "Drawdown", risk, now_ms)]


def _tightened(breach: BreachState, risk: Risk) -> list[LossRecord]:
    """A limit that is broken while another breach stands: the account stays as closed as either asks."""
    effect = stricter(breach.effect, EffectiveState(risk.on_breach))
    if effect is breach.effect:
        return []
    return [Breached(id=breach.id, reason=breach.reason, effect=effect, time_ms=breach.time_ms)]


def _breach(reason: str, risk: Risk, now_ms: int) -> Breached:
    return Breached(
        id=breach_id(reason, now_ms), reason=reason, effect=EffectiveState(risk.on_breach), time_ms=now_ms
    )


def stricter(known: EffectiveState | None, wanted: EffectiveState) -> EffectiveState:
    """The effect of a breach that takes the place of another: it never loosens what holds."""
    return wanted if known is None else max(known, wanted, key=list(EffectiveState).index)


def breach_id(reason: str, time_ms: int) -> str:
    """Readable, unique to the millisecond: `DailyLoss-20261121T070503.123Z`."""
    at = datetime.fromtimestamp(time_ms / 1000, UTC)
    return f"{reason}-{at:%Y%m%dT%H%M%S}.{time_ms % 1000:03d}Z"
