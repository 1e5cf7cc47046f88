"""No batch is missed, none is taken twice."""

from smarttrade.evaluation.intake import Intake, Verdict
from smarttrade.messages import DescribeReply, MarketBatch


def batch(seq: int, feed: str = "a") -> MarketBatch:
    return MarketBatch(feed=feed, seq=seq, events=[])


def intake() -> Intake:
    made = Intake()
    made.start(DescribeReply(generation=1, spec={}, feed="a", seq=5))
    return made


def test_batches_follow_each_other() -> None:
    made = intake()
    assert [made.judge(batch(seq)) for seq in (6, 7, 8)] == [Verdict.NEXT] * 3


def test_what_the_description_covered_is_not_taken_again() -> None:
    made = intake()
    assert [made.judge(batch(seq)) for seq in (4, 5, 6, 6)] == [
        Verdict.SEEN,
        Verdict.SEEN,
        Verdict.NEXT,
        Verdict.SEEN,
    ]


def test_a_lost_batch_is_a_gap_until_the_stream_is_described_again() -> None:
    made = intake()
    assert made.judge(batch(7)) is Verdict.GAP
    assert made.judge(batch(8)) is Verdict.GAP
    made.start(DescribeReply(generation=1, spec={}, feed="a", seq=8))
    assert made.judge(batch(9)) is Verdict.NEXT


def test_another_run_of_monitoring_is_a_gap() -> None:
    assert intake().judge(batch(1, feed="b")) is Verdict.GAP


def test_what_is_missing_is_told_of_the_same_feed_only() -> None:
    made = intake()
    assert list(made.missing(batch(9))) == [6, 7, 8]
    assert list(made.missing(batch(9, feed="b"))) == []
