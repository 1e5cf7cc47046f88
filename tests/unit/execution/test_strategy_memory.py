"""Execution keeps what a strategy remembered, unread, and gives it to whoever decides next."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from smarttrade.execution import effects as fx
from smarttrade.execution.book import Book
from smarttrade.execution.context import Tuning
from smarttrade.execution.records import DecisionAccepted, decode_batch, encode_batch
from smarttrade.execution.snapshot import decode_snapshot, encode_snapshot
from smarttrade.messages import MEMORY_LIMIT, Answer, Target
from tests.unit.execution.desk import ETH, AccountView, Desk

HERE = Path(__file__).parent
GARBAGE = '{"not json": \u20ac "\\'


def decide(desk: Desk, memory: str, market: str = "BTC/USDT") -> str:
    want = Target(quantity=Decimal(1), valid_until_ms=desk.exchange_ms() + 60_000)
    return desk.send(msgspec.structs.replace(desk.decision(want, market), memory=memory))


def told(desk: Desk) -> str:
    desk.take(fx.Publish)
    desk.advance(1_000)
    return desk.published(AccountView)[-1].memory


def test_what_was_remembered_at_the_newest_decision_is_told_whatever_it_is() -> None:
    desk = Desk().lead()
    assert told(desk) == ""
    decide(desk, "the first")
    decide(desk, GARBAGE, ETH)
    assert told(desk) == GARBAGE


def test_a_decision_that_says_nothing_of_it_leaves_what_is_remembered() -> None:
    desk = Desk().lead()
    decide(desk, "kept")
    desk.decide("2")
    assert told(desk) == "kept"


def test_a_new_leader_tells_what_the_log_remembers() -> None:
    first = Desk(tuning=Tuning(replicas=2)).lead()
    decide(first, GARBAGE)
    second = Desk("b", tuning=Tuning(replicas=2), log=first.log)
    second.replay()
    second.lead()
    assert told(second) == GARBAGE


def test_it_is_in_the_log_with_its_decision_and_in_a_snapshot_once() -> None:
    desk = Desk().lead()
    decide(desk, "remembered " * 100)
    [accepted] = [record for record in desk.records() if isinstance(record, DecisionAccepted)]
    assert accepted.decision.memory == "remembered " * 100
    snapshot = encode_snapshot(desk.core.ctx.book.snapshot(1))
    assert snapshot.count(b"remembered " * 100) == 1
    assert Book.restore(decode_snapshot(snapshot)).memory == "remembered " * 100


def test_an_older_version_reads_the_records_and_the_snapshot() -> None:
    """It ignores what it does not know, as long as the version is one that it reads."""
    desk = Desk().lead()
    decide(desk, "remembered")
    assert {batch.v for _, batch in desk.log} == {1}
    assert desk.core.ctx.book.snapshot(1).v == 1


@pytest.mark.parametrize("version", [1, 2])
def test_a_log_that_is_older_than_memories_remembers_nothing(version: int) -> None:
    book = Book()
    for line in (HERE / f"log-v{version}.jsonl").read_bytes().splitlines():
        for record in decode_batch(line).records:
            book.apply(record)
    assert book.memory == ""


@pytest.mark.parametrize("version", [1, 2, 3])
def test_a_snapshot_that_is_older_than_memories_remembers_nothing(version: int) -> None:
    payload = (HERE / f"snapshot-v{version}.json").read_bytes()
    assert b'"memory"' not in payload
    assert Book.restore(decode_snapshot(payload)).memory == ""


def test_a_memory_survives_an_older_leaders_turn_until_its_snapshot() -> None:
    """In a mixed pair the older version's decisions say nothing of a memory."""
    desk = Desk().lead()
    decide(desk, "kept")
    log = []
    for _, batch in desk.log:
        written = msgspec.json.decode(encode_batch(batch))
        log.append(written)
    desk.decide("2")
    older = msgspec.json.decode(encode_batch(desk.log[-1][1]))
    for record in older["records"]:
        record.get("decision", {}).pop("memory", None)
    book = Book()
    for written in (*log, older):
        for record in decode_batch(msgspec.json.encode(written)).records:
            book.apply(record)
    assert book.memory == "kept"


def test_a_memory_that_no_evaluation_writes_is_denied_and_leaves_no_trace() -> None:
    desk = Desk().lead()
    before = len(desk.log)
    decide(desk, "x" * (MEMORY_LIMIT + 1))
    [reply] = [effect.reply for effect in desk.take(fx.Reply)]
    assert (reply.answer, reply.code) == (Answer.DENIED, "Malformed")
    assert reply.message == f"memory has {MEMORY_LIMIT + 1} characters: use at most {MEMORY_LIMIT}"
    assert len(desk.log) == before
    decide(desk, "x" * MEMORY_LIMIT)
    assert told(desk) == "x" * MEMORY_LIMIT
