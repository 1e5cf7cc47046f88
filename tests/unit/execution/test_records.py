"""What is written must be readable by the next leader and the next version; an older one must not guess."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from smarttrade.exchange.reports import VenueStatus
from smarttrade.execution import effects as fx
from smarttrade.execution import records
from smarttrade.execution.book import Book
from smarttrade.execution.context import Tuning
from smarttrade.execution.errors import UnknownRecordError
from smarttrade.execution.ledger import LedgerState
from smarttrade.execution.orders import OrderState
from smarttrade.execution.records import (
    RECORD_VERSION,
    AnyRecord,
    Batch,
    FillRecorded,
    HaltLifted,
    HaltOrdered,
    Instructed,
    OrderMoved,
    ProtectionMissed,
    decode_batch,
    encode_batch,
    version_of,
)
from smarttrade.execution.snapshot import decode_snapshot, encode_snapshot
from smarttrade.messages import OrderStyle, Side
from tests.unit.execution.desk import BTC, ETH, Desk
from tests.unit.execution.test_long_life import fill, life

HERE = Path(__file__).parent
FIXTURE = HERE / "log-v1.jsonl"
VOCABULARY = msgspec.json.decode((HERE / "vocabulary-v1.json").read_bytes())
"""What version 1 knows: its records with their fields, and the words of its enumerations."""
_WORDS = ("kind", "purpose", "state", "outcome", "effect")


def traded() -> Desk:
    """A log in which much happened: fills, a cancel, a refusal, a set, a breach."""
    desk = Desk(tuning=Tuning(replicas=2, hold_ms=0)).lead(risk={"maxDailyLoss": "50"})
    desk.decide("2")
    for send in desk.sends():
        desk.fill(send.cid, "1.5")
    desk.advance(500)
    for send in desk.sends():
        desk.reject(send.cid, "InsufficientBalance")
    desk.decide("1", ETH, style=OrderStyle.PASSIVE)
    for send in desk.sends():
        desk.accept(send.cid)
    desk.rest(("bid", Side.BUY, "9", "1"), market=ETH)
    for cancel in desk.take(fx.Cancel):
        desk.feed(fx.OrderSeen(report=desk.report(cancel.cid, VenueStatus.CANCELED)))
    desk.advance(500)
    for send in desk.sends():
        desk.uncertain(send.cid)
    desk.quote(BTC, "50", "50.02")
    desk.advance(2_000)
    return desk


def folded(book: Book, sequence: int) -> bytes:
    return encode_snapshot(book.snapshot(sequence))


def untold(state: LedgerState) -> LedgerState:
    """As a version keeps it that does not tell the sides of trades."""
    sides = {market: "?" * len(trades) for market, trades in state.trades.items()}
    return msgspec.structs.replace(state, sides=sides)


def test_replaying_the_log_gives_the_leaders_book_but_for_what_only_it_may_doubt() -> None:
    desk = traded()
    book = Book()
    for _, batch in desk.log:
        for record in decode_batch(encode_batch(batch)).records:
            book.apply(record)
    leader = desk.core.ctx.book
    assert book.ledger.state() == leader.ledger.state()
    assert book.losses == leader.losses
    assert book.markets == leader.markets
    assert set(book.orders) == set(leader.orders)
    assert book.losses.breach is not None


def test_a_snapshot_and_the_tail_give_the_same_book_as_the_whole_log() -> None:
    desk = traded()
    middle = len(desk.log) // 2
    whole, half = Book(), Book()
    for position, (_, batch) in enumerate(desk.log):
        if position == middle:
            half = Book.restore(decode_snapshot(folded(half, position)))
        for record in batch.records:
            whole.apply(record)
            half.apply(record)
    assert folded(whole, 0) == folded(half, 0)


def test_a_log_of_version_1_is_read_as_it_was_written() -> None:
    book = Book()
    for line in FIXTURE.read_bytes().splitlines():
        for record in decode_batch(line).records:
            book.apply(record)
    assert str(book.ledger.quantity(BTC)) == "1.5"
    assert book.epoch == 1
    assert book.losses.breach is not None
    assert len(book.orders) == 4


def test_a_log_of_version_2_is_read_as_it_was_written() -> None:
    book = Book()
    for line in (HERE / "log-v2.jsonl").read_bytes().splitlines():
        for record in decode_batch(line).records:
            book.apply(record)
    guards = [order for order in book.unsettled(BTC) if order.group]
    assert str(book.ledger.quantity(BTC)) == "2"
    assert {(str(order.kind), str(order.trigger)) for order in guards} == {
        ("Limit", "None"),
        ("StopLimit", "95"),
    }
    assert book.not_before_ms > 0
    assert not book.restoring


def test_a_log_of_version_3_and_its_snapshot_say_what_fees_were_worth_and_which_have_no_value_yet() -> None:
    book = Book()
    for line in (HERE / "log-v3.jsonl").read_bytes().splitlines():
        for record in decode_batch(line).records:
            book.apply(record)
    restored = Book.restore(decode_snapshot((HERE / "snapshot-v4.json").read_bytes()))
    for each in (book, restored):
        assert str(each.ledger.quantity(BTC)) == "2"
        assert each.ledger.realized_pnl == -1
        assert each.owed == {BTC: {"BNB": Decimal("0.002")}}


@pytest.mark.parametrize("version", [1, 2])
def test_a_snapshot_of_every_version_says_what_its_log_does(version: int) -> None:
    book = Book()
    for line in (HERE / f"log-v{version}.jsonl").read_bytes().splitlines():
        for record in decode_batch(line).records:
            book.apply(record)
    restored = Book.restore(decode_snapshot((HERE / f"snapshot-v{version}.json").read_bytes()))
    ledger = book.ledger.state()
    # Versions 1 and 2 do not say since when a position is held, nor which side of a trade was counted.
    past = {name: msgspec.structs.replace(held, opened_ms=0) for name, held in ledger.holdings.items()}
    assert restored.ledger.state() == msgspec.structs.replace(untold(ledger), holdings=past)
    assert restored.losses == book.losses
    assert restored.orders == book.orders
    assert all(restored.market(name).high_water == market.high_water for name, market in book.markets.items())


def test_a_snapshot_of_version_3_counts_no_trade_again_that_it_has_forgotten() -> None:
    restored = Book.restore(decode_snapshot((HERE / "snapshot-v3.json").read_bytes()))
    before = restored.ledger.state()
    assert before.forgotten_before_ms > 0
    for record in life(400):
        if isinstance(record, FillRecorded):
            told = record.fill
            assert restored.ledger.may_have_counted(BTC, told.trade_id, told.side, told.time_ms)
    late = fill("rests", Side.BUY, 500)
    assert not restored.ledger.may_have_counted(BTC, late.fill.trade_id, Side.BUY, late.fill.time_ms)
    restored.apply(late)
    assert restored.ledger.quantity(BTC) == Decimal("0.002")
    assert restored.fills == 402
    assert decode_snapshot(encode_snapshot(restored.snapshot(2))).v == 3


def test_a_log_of_version_1_is_traded_on_and_stays_readable_for_version_1() -> None:
    log = [(number, decode_batch(line)) for number, line in enumerate(FIXTURE.read_bytes().splitlines(), 1)]
    desk = Desk("b", log=log)
    desk.replay()
    breach = desk.core.ctx.book.losses.breach
    assert breach is not None
    desk.lead(acknowledgedBreach=breach.id)
    desk.answer_queries(None)
    desk.advance(1_500)
    before = len(log)
    desk._event = 100
    desk.decide("3", ETH)
    for send in desk.sends():
        desk.fill(send.cid, price="10")
    desk.rest(("bid", Side.BUY, "9", "1"), market=ETH)
    assert len(log) > before + 1
    for _, batch in log[before:]:
        assert batch.v == 1
        _assert_known_to_version_1(msgspec.json.decode(encode_batch(batch)))


def test_a_log_of_version_3_with_what_was_done_by_hand_is_read_as_it_was_written() -> None:
    """Recorded of a core that halted by hand, adopted, lowered an order, and was told another sum."""
    lines = (HERE / "log-v3-by-hand.jsonl").read_bytes().splitlines()
    book, batches = Book(), [decode_batch(line) for line in lines]
    for batch in batches:
        for record in batch.records:
            book.apply(record)
    kinds = Counter(type(record) for batch in batches for record in batch.records)
    assert (kinds[Instructed], kinds[HaltOrdered], kinds[HaltLifted]) == (2, 1, 1)
    assert {batch.v for batch in batches} == {1, 2, 3}
    assert book.halt is None
    assert (book.ledger.quantity(BTC), book.ledger.quantity(ETH)) == (Decimal("1.4"), 3)
    [(resolved, told)] = book.differing()
    assert (resolved.recorded, told) == (Decimal("0.4"), 1)
    assert [order.quantity for order in book.orders.values() if order.key == "bid"] == [Decimal("0.4")]
    assert book.market(BTC).bare_ms > 0
    restored = Book.restore(decode_snapshot((HERE / "snapshot-v4-by-hand.json").read_bytes()))
    assert restored.ledger.state() == untold(book.ledger.state())
    assert restored.orders == book.orders
    assert (restored.losses, restored.owed) == (book.losses, book.owed)


def test_a_log_of_version_4_and_its_snapshot_have_both_sides_of_a_trade_with_itself() -> None:
    """Recorded of a core whose buy met its own profit."""
    book = Book()
    for line in (HERE / "log-v4.jsonl").read_bytes().splitlines():
        for record in decode_batch(line).records:
            book.apply(record)
    restored = Book.restore(decode_snapshot((HERE / "snapshot-both-sides.json").read_bytes()))
    for each in (book, restored):
        assert each.ledger.quantity(BTC) == 1
        assert each.fills == 3
        assert all(each.ledger.knows(BTC, "895", side) for side in Side)
    assert folded(restored, 0) == folded(book, 0)


def test_what_an_older_version_would_misread_is_written_as_the_version_that_knows_it() -> None:
    desk = Desk().lead()
    desk.decide("1", stop_loss=Decimal(95))
    for send in desk.sends():
        desk.fill(send.cid, price="100")
    assert {batch.v for _, batch in desk.log} == {1, 2, 3}
    for _, batch in desk.log:
        if batch.v == 1:
            _assert_known_to_version_1(msgspec.json.decode(encode_batch(batch)))
    snapshot = desk.core.ctx.book.snapshot(1)
    assert snapshot.v == 2


def _moved(**more: Any) -> OrderMoved:
    return OrderMoved(cid="c", state=OrderState.NEW, order_id="1", filled=Decimal(0), time_ms=1, **more)


@pytest.mark.parametrize(
    ("record", "version"),
    [
        (_moved(), 1),
        (_moved(quantity=Decimal(1)), 3),
        (_moved(told=Decimal(1)), 3),
        (ProtectionMissed(market=BTC, since_ms=1), 3),
    ],
)
def test_a_version_that_does_not_know_a_field_that_matters_stands_aside(
    record: AnyRecord, version: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert version_of((record,)) == version
    payload = encode_batch(Batch(v=version_of((record,)), epoch=1, records=(record,)))
    if version == 1:
        _assert_known_to_version_1(msgspec.json.decode(payload))
    monkeypatch.setattr(records, "RECORD_VERSION", max(version - 1, 1))
    if version > 1:
        with pytest.raises(UnknownRecordError, match="finish the rollout"):
            decode_batch(payload)


def _assert_known_to_version_1(batch: dict[str, Any]) -> None:
    """Version 1 ignores fields that it does not know, so they may only say nothing."""
    for record in batch["records"]:
        known = VOCABULARY["records"][record["type"]]
        news = {name: value for name, value in record.items() if name not in (*known, "type")}
        assert all(value in (None, "", False) for value in news.values()), news
        assert all(record[word] in VOCABULARY[word] for word in _WORDS if word in record), record


def test_a_newer_batch_is_refused_with_what_to_do() -> None:
    newer = b'{"v":%d,"epoch":1,"records":[]}' % (RECORD_VERSION + 1)
    with pytest.raises(UnknownRecordError, match="finish the rollout"):
        decode_batch(newer)


def test_fields_that_are_not_known_are_ignored_within_a_version() -> None:
    [(_, batch)] = traded().log[:1]
    payload = msgspec.json.decode(encode_batch(batch))
    payload["records"][0]["later"] = 1
    assert decode_batch(msgspec.json.encode(payload)).records[0] == batch.records[0]


def test_a_newer_snapshot_is_refused() -> None:
    with pytest.raises(UnknownRecordError, match="finish the rollout"):
        decode_snapshot(b'{"v":99}')


def test_garbage_is_refused() -> None:
    with pytest.raises(UnknownRecordError, match="cannot be read"):
        decode_batch(b"{")


def test_a_snapshot_is_taken_after_its_number_of_batches_and_names_what_it_covers() -> None:
    desk = Desk(tuning=Tuning(replicas=2, snapshot_every=10)).lead()
    for round_ in range(12):
        desk.decide(str(round_ % 2))
        for send in desk.sends():
            desk.fill(send.cid)
    saved = desk.take(fx.SaveSnapshot)
    assert saved
    snapshot = decode_snapshot(saved[-1].payload)
    assert snapshot.sequence == saved[-1].up_to
    assert saved[-1].up_to <= desk.log[-1][0]
