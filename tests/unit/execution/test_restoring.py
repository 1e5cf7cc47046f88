"""A lost log: what the exchange keeps is taken over, nothing earlier is acted on, the owner looks first."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise
from typing import Any

import msgspec
import pytest

from smarttrade.exchange.reports import OrderReport, TradeReport, VenueStatus
from smarttrade.execution import effects as fx
from smarttrade.execution.book import KEPT_ENDED
from smarttrade.execution.context import Tuning
from smarttrade.execution.orders import Purpose
from smarttrade.execution.records import Batch, Breached, DecisionAccepted, HistoryRestored, encode_batch
from smarttrade.messages import Answer, EffectiveState, Side
from tests.unit.execution.desk import BTC, IDS, Desk

TUNING = Tuning(replicas=2, restores=True)
HOLD_MS = 12_000


@pytest.fixture
def desk() -> Desk:
    """The leader of an empty log; the exchange was not asked yet."""
    return Desk(tuning=TUNING).lead()


def order(desk: Desk, name: str = "d", status: VenueStatus = VenueStatus.FILLED, **more: Any) -> OrderReport:
    known: dict[str, Any] = {
        "client_order_id": IDS.build(name, 1, 1),
        "order_id": f"x-{name}",
        "market": BTC,
        "side": Side.BUY,
        "status": status,
        "price": Decimal(100),
        "quantity": Decimal(1),
        "filled": Decimal(1) if status is VenueStatus.FILLED else Decimal(0),
        "time_ms": desk.exchange_ms() - 60_000,
    }
    return OrderReport(**{**known, **more})


def trade(report: OrderReport, trade_id: str = "1") -> TradeReport:
    return TradeReport(
        trade_id=trade_id,
        order_id=report.order_id,
        market=report.market,
        side=report.side,
        price=report.price,
        quantity=report.filled,
        fee=Decimal(0),
        fee_asset="USDT",
        maker=False,
        time_ms=report.time_ms,
    )


def tell(desk: Desk, orders: tuple[OrderReport, ...] = (), trades: tuple[TradeReport, ...] = ()) -> None:
    desk.feed(fx.HistoryRead(orders=orders, trades=trades, asked_ms=desk.now_ms))


def lost(desk: Desk) -> str:
    """The exchange remembers a filled order that the log does not; the id of what the owner must name."""
    report = order(desk)
    tell(desk, (report,), (trade(report),))
    desk.advance(HOLD_MS)
    tell(desk, (report,), (trade(report),))
    desk.reconcile()
    breach = desk.core.ctx.book.losses.breach
    assert breach is not None
    return breach.id


def test_a_loss_counts_from_the_newest_order_where_the_exchanges_clock_was_read_too_long_ago(
    desk: Desk,
) -> None:
    ahead_ms = desk.exchange_ms() + 3_000
    report = order(desk, time_ms=ahead_ms)
    tell(desk, (report,), (trade(report),))
    assert desk.core.ctx.book.not_before_ms == ahead_ms
    resting = order(desk, "e", VenueStatus.OPEN, time_ms=ahead_ms + 1_000)
    tell(desk, (report, resting), (trade(report),))
    assert desk.core.ctx.book.not_before_ms == ahead_ms + 1_000


def test_a_new_log_decides_nothing_before_the_exchange_was_asked(desk: Desk) -> None:
    desk.decide("1", token=9)
    [reply] = desk.take(fx.Reply)
    assert (reply.reply.answer, reply.reply.code) == (Answer.DENIED, "NotLeading")
    desk.advance(2_500)
    assert desk.take(fx.ReadHistory)


def test_an_account_without_a_history_trades_at_once(desk: Desk) -> None:
    tell(desk)
    desk.reconcile()
    desk.decide("1")
    assert len(desk.sends()) == 1
    assert desk.core.ctx.book.losses.breach is None


def test_an_own_order_that_only_the_stream_tells_of_proves_that_a_new_log_is_not_a_fresh_accounts(
    desk: Desk,
) -> None:
    tell(desk)
    desk.reconcile()
    report = order(desk)
    desk.feed(fx.OrderSeen(report=msgspec.structs.replace(report, trades=(trade(report),))))
    desk.decide("1")
    assert desk.position() == 1
    assert not desk.sends()
    assert desk.core.accounting.state().state is EffectiveState.PAUSED


def test_orders_and_fills_are_restored_as_far_as_the_exchange_keeps_them(desk: Desk) -> None:
    lost(desk)
    assert desk.position() == 1
    assert str(desk.core.ctx.book.ledger.holding(BTC).cost) == "100"


def test_after_a_loss_the_account_is_paused_until_its_id_is_acknowledged_and_losses_count_anew(
    desk: Desk,
) -> None:
    breach = lost(desk)
    assert desk.core.accounting.state().state is EffectiveState.PAUSED
    [check] = [c for c in desk.core.reporting.checks() if c.type == "LogLost"]
    assert check.ok
    assert breach in check.message
    desk.quote(BTC, "50", "50.02")
    desk.control(3, acknowledgedBreach=breach)
    desk.advance(1_500)
    assert desk.core.accounting.state().state is EffectiveState.ACTIVE
    assert desk.core.ctx.book.losses.baseline == Decimal("-50")


def test_what_a_lost_log_had_sent_may_still_surface_and_is_waited_for(desk: Desk) -> None:
    report = order(desk)
    tell(desk, (report,), (trade(report),))
    desk.reconcile()
    assert not desk.core.ctx.lead.reconciled
    late = order(desk, "late", time_ms=desk.exchange_ms())
    desk.advance(HOLD_MS)
    tell(desk, (report, late), (trade(report), trade(late, "2")))
    assert desk.position() == 2
    assert not desk.core.ctx.lead.reconciled


def test_a_stricter_breach_stays_as_strict_when_the_log_turns_out_to_be_lost(desk: Desk) -> None:
    record = Breached(id="DailyLoss-1", reason="DailyLoss", effect=EffectiveState.HALTED, time_ms=1)
    desk.core.ctx.record(record)
    lost(desk)
    assert desk.core.accounting.state().state is EffectiveState.HALTED


def test_an_acknowledgement_does_not_end_the_wait_for_what_may_still_surface(desk: Desk) -> None:
    report = order(desk)
    tell(desk, (report,), (trade(report),))
    breach = desk.core.ctx.book.losses.breach
    assert breach is not None
    desk.control(3, acknowledgedBreach=breach.id)
    desk.advance(1_500)
    tell(desk, (report,), (trade(report),))
    assert desk.core.ctx.book.restoring


def test_a_leg_that_a_lost_end_of_the_log_had_tried_is_tried_under_another_id() -> None:
    desk = Desk().lead()
    kept = list(desk.log)
    decision = desk.decide("1")
    [send] = desk.sends()
    log = [
        *kept,
        *(each for each in desk.log[len(kept) :] if any(_accepts(r, decision) for r in each[1].records)),
    ]
    batch = msgspec.structs.replace(log[-1][1], records=log[-1][1].records[:1])
    later = Desk("b", tuning=Tuning(replicas=2), log=[*kept, (log[-1][0], batch)])
    later.replay()
    later.now_ms = desk.now_ms + 1_000
    later.lead()
    [again] = later.sends()
    assert (again.quantity, again.side) == (send.quantity, send.side)
    assert again.cid != send.cid


def _accepts(record: Any, decision: str) -> bool:
    return isinstance(record, DecisionAccepted) and record.decision.id == decision


def history(desk: Desk, orders: int) -> tuple[tuple[OrderReport, ...], tuple[TradeReport, ...]]:
    filled = [order(desk, f"n{number}") for number in range(orders)]
    return tuple(filled), tuple(trade(each, str(number)) for number, each in enumerate(filled))


def test_a_long_history_is_restored_in_appends_that_the_bus_takes(desk: Desk) -> None:
    tell(desk, *history(desk, 3_000))
    assert desk.position() == 3_000
    assert max(len(encode_batch(batch)) for _, batch in desk.log) < 500_000
    assert len(desk.core.ctx.book.snapshot(1).orders) <= 2 * KEPT_ENDED
    desk.advance(HOLD_MS)
    tell(desk, *history(desk, 3_000))
    assert desk.position() == 3_000
    assert not desk.core.ctx.book.restoring


def test_whoever_goes_on_in_the_middle_of_a_restored_history_knows_that_the_log_was_lost(
    desk: Desk,
) -> None:
    desk.auto_ack = False
    orders, trades = history(desk, 1_200)
    tell(desk, orders, trades)
    [first] = desk.take(fx.Append)
    later = Desk("b", tuning=TUNING, log=[*desk.log, (len(desk.log) + 1, first.batch)])
    later.replay()
    later.now_ms = desk.now_ms + 1_000
    later.lead()
    tell(later, orders, trades)
    assert later.position() == 1_200
    assert later.core.ctx.book.losses.breach is not None
    assert later.core.ctx.book.restoring


def test_no_decision_on_an_event_before_the_loss_is_executed(desk: Desk) -> None:
    breach = lost(desk)
    desk.control(3, acknowledgedBreach=breach)
    desk.advance(1_500)
    desk.decide("5", token=4)
    [reply] = desk.take(fx.Reply)
    assert (reply.reply.answer, reply.reply.code) == (Answer.SUPERSEDED, "BeforeLogLoss")
    assert desk.sends() == []


def test_a_set_waits_until_an_order_of_the_lost_log_whose_key_nobody_knows_is_gone(desk: Desk) -> None:
    resting = order(desk, "d", VenueStatus.OPEN, price=Decimal(99))
    tell(desk, (resting,))
    desk.advance(HOLD_MS)
    tell(desk, (resting,))
    desk.reconcile(resting)
    breach = desk.core.ctx.book.losses.breach
    assert breach is not None
    desk.control(acknowledgedBreach=breach.id)
    assert [cancel.cid for cancel in desk.take(fx.Cancel)] == [resting.client_order_id]
    desk.quote(BTC, "100", "100.02")
    desk.later()
    desk.rest(("bid", Side.BUY, "99", "1"))
    assert desk.sends() == []
    desk.feed(fx.OrderSeen(report=desk.report(resting.client_order_id, VenueStatus.CANCELED)))
    desk.advance(300)
    [send] = desk.sends()
    assert send.price == 99


def test_a_stop_of_the_lost_log_goes_on_protecting(desk: Desk) -> None:
    entry = order(desk)
    stop = order(
        desk,
        "stop",
        VenueStatus.OPEN,
        side=Side.SELL,
        price=Decimal("94.5"),
        trigger=Decimal(95),
        quantity=Decimal(1),
    )
    for _ in range(2):
        tell(desk, (entry, stop), (trade(entry),))
        desk.advance(HOLD_MS)
    desk.reconcile(stop)
    desk.advance(2_000)
    assert desk.order(stop.client_order_id).purpose is Purpose.PROTECTIVE
    assert desk.take(fx.Cancel) == []


def test_a_stranger_in_the_history_is_left_alone(desk: Desk) -> None:
    foreign = order(desk, client_order_id="web_1")
    tell(desk, (foreign,), (trade(foreign),))
    desk.reconcile(trades=(trade(foreign),))
    assert desk.position() == 0
    assert desk.core.ctx.book.losses.breach is None
    desk.take(fx.ReadHistory)
    desk.reconcile(trades=(trade(foreign),))
    assert desk.take(fx.ReadHistory) == []


def test_a_leader_that_others_trade_beside_asks_again_within_seconds_then_more_seldom() -> None:
    """Each comparison finds a trade that the history before it did not tell of."""
    desk = Desk(tuning=TUNING).lead()
    tell(desk)
    desk.take(fx.ReadAccount)
    asked_ms, began_ms = [], desk.now_ms
    for number in range(4):
        foreign = order(desk, client_order_id=f"web_{number}", order_id=f"foreign {number}")
        desk.reconcile(trades=(trade(foreign, str(number)),))
        assert not desk.core.ctx.lead.reconciled
        while not desk.take(fx.ReadAccount):
            desk.advance(500)
        asked_ms.append(desk.now_ms - began_ms)
    assert [later - earlier for earlier, later in pairwise([0, *asked_ms])] == [2_000, 4_000, 8_000, 16_000]
    desk.reconcile()
    assert desk.core.ctx.lead.reconciled
    desk.decide("1")
    assert desk.sends()


def test_a_trade_of_an_order_that_nobody_knows_is_looked_up_before_anything_is_sent() -> None:
    desk = Desk(tuning=TUNING).lead()
    tell(desk)
    desk.reconcile()
    desk.decide("1")
    [send] = desk.sends()
    desk.fill(send.cid)
    successor = Desk("b", tuning=TUNING, log=desk.log)
    successor.replay()
    report = order(successor, time_ms=successor.exchange_ms())
    successor.core.ctx.lead.reconciled = False
    successor.lead()
    successor.core.ctx.lead.reconciled = False
    successor.reconcile(trades=(trade(report, "77"),))
    assert successor.take(fx.ReadHistory)
    assert not successor.core.ctx.lead.reconciled
    tell(successor, (report,), (trade(report, "77"),))
    assert successor.position() == 2
    restored = [r for r in successor.records() if isinstance(r, HistoryRestored) and r.lost]
    assert len(restored) == 1


def test_a_reader_of_another_log_than_it_had_read_starts_over() -> None:
    desk = Desk().lead()
    standby = Desk("b")
    standby.replay()
    for sequence, batch in desk.log:
        standby.feed(fx.LogRead(sequence=sequence, batch=batch, live=True))
    after = standby.core.ctx.outbox.sequence
    other = Batch(epoch=9, records=(), after=after, id="other-2", previous="other-1")
    standby.feed(fx.LogRead(sequence=after + 1, batch=other, live=True))
    assert standby.take(fx.Reload)


def test_a_batch_that_a_leader_of_a_lost_log_wrote_is_not_followed() -> None:
    desk = Desk().lead()
    reader = Desk("b", log=desk.log)
    reader.replay()
    after, epoch = reader.core.ctx.outbox.sequence, reader.core.ctx.book.epoch
    alien = Batch(epoch=9, records=(), after=after, id="other-2", previous="other-1")
    reader.feed(fx.LogRead(sequence=after + 1, batch=alien))
    assert reader.core.ctx.outbox.sequence == after + 1
    assert reader.core.ctx.book.epoch == epoch
    assert "ForkedLog" in reader.core.ctx.problems
