"""Fees in a third asset: they count at the price of their time, the same for every leader, or it is told."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from smarttrade.exchange.reports import Balance, VenueStatus
from smarttrade.execution import effects as fx
from smarttrade.execution.book import Book
from smarttrade.execution.records import FeeValued, FillRecorded, decode_batch, encode_batch
from smarttrade.execution.snapshot import decode_snapshot, encode_snapshot
from smarttrade.messages import ExecutionReport
from tests.unit.execution.desk import BALANCES, BTC, ETH, Desk, build_filters

BNB = "BNB/USDT"


@pytest.fixture
def desk() -> Desk:
    return Desk().lead()


def pay(desk: Desk, target: str = "1", fee: str = "0.002", asset: str = "BNB") -> None:
    """Trade to a target at 100, with the fee in an asset."""
    desk.decide(target)
    for send in desk.sends():
        report = desk.report(send.cid, VenueStatus.FILLED, desk.order(send.cid).quantity)
        trades = tuple(
            msgspec.structs.replace(trade, fee=Decimal(fee), fee_asset=asset) for trade in report.trades
        )
        desk.feed(fx.SendSucceeded(cid=send.cid, report=msgspec.structs.replace(report, trades=trades)))


def priced(desk: Desk, price: str | None, asset: str = "BNB") -> None:
    answer = Decimal(price) if price else None
    desk.feed(fx.PriceRead(asset=asset, price=answer, reason="" if price else "nobody tells"))


def realized(desk: Desk) -> Decimal:
    return desk.core.ctx.book.ledger.realized_pnl


def conditions(desk: Desk) -> dict[str, str]:
    desk.advance(6_000)
    return {check.type: check.message for check in desk.published(ExecutionReport)[-1].checks}


def replayed(desk: Desk) -> Book:
    book = Book()
    for _, batch in desk.log:
        for record in decode_batch(encode_batch(batch)).records:
            book.apply(record)
    return book


def test_a_fee_in_a_third_asset_is_asked_a_price_for_and_counts_at_it(desk: Desk) -> None:
    pay(desk)
    assert desk.take(fx.ReadPrice) == [fx.ReadPrice(asset="BNB", currency="USDT")]
    assert (desk.position(), realized(desk)) == (1, 0)
    priced(desk, "500")
    assert realized(desk) == -1
    assert desk.core.ctx.book.ledger.holding(BTC).fees == 1
    assert "FeeUnvalued" not in conditions(desk)


def test_every_later_leader_counts_what_the_log_says_whatever_the_price_is_by_then(desk: Desk) -> None:
    pay(desk)
    priced(desk, "500")
    other = Desk("b", log=desk.log)
    other.replay()
    assert realized(other) == -1
    other.lead()
    priced(other, "900")
    assert realized(other) == -1
    assert other.take(fx.ReadPrice) == []


def test_a_price_holds_for_the_fills_of_a_moment_and_is_asked_for_again_later(desk: Desk) -> None:
    pay(desk, "1")
    priced(desk, "500")
    desk.take(fx.ReadPrice)
    pay(desk, "2")
    assert (realized(desk), desk.take(fx.ReadPrice)) == (-2, [])
    desk.advance(11_000)
    pay(desk, "3")
    assert realized(desk) == -2
    assert len(desk.take(fx.ReadPrice)) == 1
    priced(desk, "1000")
    assert realized(desk) == -4


def test_while_nobody_tells_a_price_it_is_a_condition_and_it_counts_once_it_is_known(desk: Desk) -> None:
    pay(desk)
    pay(desk, "2")
    priced(desk, None)
    told = conditions(desk)["FeeUnvalued"]
    assert "0.004 BNB" in told
    assert "nobody tells" in told
    assert realized(desk) == 0
    assert len(desk.take(fx.ReadPrice)) >= 2, "asked again"
    priced(desk, "500")
    assert realized(desk) == -2
    assert "FeeUnvalued" not in conditions(desk)


def test_who_takes_over_meanwhile_asks_too_and_a_snapshot_carries_what_is_owed(desk: Desk) -> None:
    pay(desk)
    snapshot = desk.core.ctx.book.snapshot(1)
    assert snapshot.v == 4
    assert Book.restore(decode_snapshot(encode_snapshot(snapshot))).owed == {BTC: {"BNB": Decimal("0.002")}}
    other = Desk("b", log=desk.log)
    other.replay()
    other.lead()
    other.advance(100)
    priced(other, "500")
    assert realized(other) == -1
    assert other.core.ctx.book.owed == {}


def test_a_version_that_does_not_know_such_fees_stands_aside_and_others_are_written_as_before(
    desk: Desk,
) -> None:
    pay(desk, fee="0.1", asset="USDT")
    assert {batch.v for _, batch in desk.log} == {1}
    pay(desk, "2")
    priced(desk, "500")
    for _, batch in desk.log:
        ours = any(
            isinstance(r, FeeValued) or (isinstance(r, FillRecorded) and r.unvalued) for r in batch.records
        )
        assert batch.v == (3 if ours else 1)
    assert realized(desk) == Decimal("-1.1")


def test_the_daily_loss_counts_fees_in_a_third_asset(desk: Desk) -> None:
    desk.control(risk={"maxDailyLoss": "50"})
    desk.advance(1_500)
    pay(desk, fee="0.2")
    priced(desk, "500")
    desk.advance(1_500)
    breach = desk.core.ctx.book.losses.breach
    assert breach is not None
    assert breach.reason == "DailyLoss"


# --- an account that trades the asset in which its fees are paid ---


def trader() -> Desk:
    """Holds 2 BNB at 400, which are worth 500 by now."""
    spec: dict[str, Any] = {"markets": [{"symbol": BTC}, {"symbol": ETH}, {"symbol": BNB}]}
    spec["capital"] = {
        "perMarket": "3000",
        "initialPositions": [{"symbol": BNB, "quantity": "2", "averagePrice": "400"}],
    }
    desk = Desk()
    desk.quote(BNB, "499.99", "500.01")
    desk.lead(**spec)
    desk.feed(fx.FiltersRead(filters=tuple(build_filters(market) for market in (BTC, ETH, BNB))))
    desk.feed(fx.StreamSeen(market=BNB, fresh=True))
    desk.quote(BNB, "499.99", "500.01")
    return desk


def wallet(bnb: str) -> tuple[Balance, ...]:
    return (*BALANCES, Balance(asset="BNB", free=Decimal(bnb), total=Decimal(bnb)))


def test_the_accounts_own_price_is_used_and_its_position_pays() -> None:
    desk = trader()
    pay(desk)
    assert desk.take(fx.ReadPrice) == []
    ledger = desk.core.ctx.book.ledger
    assert ledger.quantity(BNB) == Decimal("1.998")
    # 0.002 sold at 500 that had cost 400, and spent on the fee.
    assert ledger.realized_pnl == Decimal("0.2") - 1
    assert ledger.realized_pnl + ledger.holding(BNB).unrealized(Decimal(500)) == 200 - 1
    assert replayed(desk).ledger.state() == ledger.state()


def test_a_wallet_that_fees_shrink_is_no_difference() -> None:
    desk = trader()
    desk.reconcile(balances=wallet("2"))
    pay(desk)
    desk.reconcile(balances=wallet("1.998"))
    assert desk.reconciled() == (True, "InAgreement")
    desk.reconcile(balances=wallet("1.5"))
    assert desk.reconciled() == (False, "BalanceShortfall")


def test_a_wallet_that_a_fee_without_a_price_shrinks_is_no_difference_either() -> None:
    desk = trader()
    pay(desk)
    desk.feed(fx.StreamSeen(market=BNB, fresh=False))
    pay(desk, "0")
    assert desk.core.ctx.position(BNB) == Decimal("1.998")
    desk.reconcile(balances=wallet("1.996"))
    assert desk.reconciled() == (True, "InAgreement")


def test_a_rebate_in_a_third_asset_is_a_gain_and_no_position() -> None:
    desk = trader()
    pay(desk, fee="-0.002")
    ledger = desk.core.ctx.book.ledger
    assert (ledger.quantity(BNB), ledger.realized_pnl) == (2, 1)
    assert desk.position(BTC) == 1


def test_a_sale_that_loses_by_its_fee_starts_the_cooldown(desk: Desk) -> None:
    pay(desk)
    priced(desk, "500")
    pay(desk, "0")
    assert realized(desk) == -2
    assert desk.core.ctx.book.market(BTC).last_loss_ms > 0
