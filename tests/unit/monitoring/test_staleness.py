"""Silence of a market is fresh; silence of a connection is not; a stream behind REST is broken."""

from smarttrade.messages import Verdict
from smarttrade.monitoring.staleness import Action, StreamWatch


def watch() -> StreamWatch:
    made = StreamWatch(0, stale_ms=3_000, probe_ms=2_000)
    made.connected(0)
    return made


def test_before_the_connection_is_heard_the_stream_is_broken() -> None:
    assert StreamWatch(0, stale_ms=3_000, probe_ms=2_000).judge(1).verdict is Verdict.BROKEN


def test_a_silent_market_on_a_live_connection_is_fresh() -> None:
    made = watch()
    for second in range(1, 60):
        made.heard(second * 1_000)
        made.probed(second * 1_000, "")
        assert made.judge(second * 1_000).verdict is Verdict.FRESH


def test_a_silent_connection_is_stale_and_replaced() -> None:
    made = watch()
    assert made.judge(3_000).verdict is Verdict.FRESH
    judgement = made.judge(3_001)
    assert (judgement.verdict, judgement.action) == (Verdict.STALE, Action.RECONNECT)


def test_a_stream_without_data_is_probed_and_less_often_each_time() -> None:
    made = watch()
    probes = []
    for now in range(0, 40_000, 250):
        made.heard(now)
        if made.judge(now).action is Action.PROBE:
            probes.append(now)
            made.probed(now, "")
    assert probes == [2_000, 6_000, 14_000, 30_000]


def test_a_stream_that_is_behind_is_broken_and_replaced() -> None:
    made = watch()
    made.probed(2_000, "trade 7 did not come")
    judgement = made.judge(2_000)
    assert (judgement.verdict, judgement.action) == (Verdict.BROKEN, Action.RECONNECT)
    assert judgement.reason == "trade 7 did not come"


def test_data_that_comes_after_all_ends_the_doubt() -> None:
    made = watch()
    made.probed(2_000, "trade 7 did not come")
    made.data(2_100)
    assert made.judge(2_100).verdict is Verdict.FRESH


def test_fetching_what_was_missed_is_told() -> None:
    made = watch()
    made.backfilling("fetching trades 3 to 4")
    assert made.judge(1).verdict is Verdict.BACKFILLING
    made.backfilling("")
    assert made.judge(1).verdict is Verdict.FRESH


def unanswered() -> StreamWatch:
    """Of an exchange that answers no pings."""
    made = StreamWatch(0, stale_ms=3_000, probe_ms=2_000, unanswered_ms=5_000)
    made.connected(0)
    made.answers_pings = False
    return made


def test_without_answers_to_pings_a_look_by_rest_is_what_is_heard() -> None:
    made = unanswered()
    for now in range(0, 60_000, 250):
        judgement = made.judge(now)
        assert judgement.verdict is Verdict.FRESH
        if judgement.action is Action.PROBE:
            made.probed(now, "")


def test_without_answers_to_pings_or_from_rest_a_silent_stream_is_stale_and_replaced() -> None:
    made = unanswered()
    for now in (2_000, 4_000):
        made.probed(now, None)
    assert made.judge(5_000).verdict is Verdict.FRESH
    judgement = made.judge(5_001)
    assert (judgement.verdict, judgement.action) == (Verdict.STALE, Action.RECONNECT)


def test_without_answers_to_pings_a_stream_that_is_behind_is_broken() -> None:
    made = unanswered()
    made.probed(2_000, "trade 7 did not come")
    assert made.judge(2_001).verdict is Verdict.BROKEN
