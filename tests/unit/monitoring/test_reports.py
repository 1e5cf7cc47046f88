"""The worst stream decides what the operator hears."""

from smarttrade.messages import Verdict
from smarttrade.monitoring.reports import build_data_check
from smarttrade.monitoring.staleness import Judgement

FRESH = Judgement(Verdict.FRESH)


def test_all_streams_fresh() -> None:
    check = build_data_check({"BTC/USDT": {"trade": FRESH, "quote": FRESH}}, "")
    assert (check.ok, check.reason) == (True, "StreamsFresh")


def test_the_worst_verdict_is_told_with_its_market() -> None:
    judgements = {
        "BTC/USDT": {"trade": Judgement(Verdict.BACKFILLING, "fetching"), "quote": FRESH},
        "ETH/USDT": {"trade": Judgement(Verdict.STALE, "nothing heard for 3100 ms"), "quote": FRESH},
    }
    check = build_data_check(judgements, "")
    assert (check.ok, check.reason) == (False, "StreamStale")
    assert check.message == "ETH/USDT trade: nothing heard for 3100 ms"


def test_an_exchange_that_cannot_be_reached_is_told_first() -> None:
    check = build_data_check({}, "cannot load the markets of binance")
    assert (check.ok, check.reason) == (False, "ExchangeUnavailable")


def test_nothing_watched_is_not_fresh() -> None:
    assert not build_data_check({}, "").ok
