"""A burst is let through, then so much a second."""

from __future__ import annotations

from smarttrade.rates import Bucket, Buckets


def test_a_burst_is_let_through_and_then_the_rate() -> None:
    bucket = Bucket(rate=2, burst=10)
    assert sum(bucket.take(0.0) for _ in range(100)) == 10
    assert bucket.wait_s(0.0) == 0.5
    taken = sum(bucket.take(step / 100) for step in range(1, 1001))
    assert taken == 20, "2 a second for 10 seconds"


def test_what_is_not_used_is_kept_up_to_the_burst() -> None:
    bucket = Bucket(rate=2, burst=10)
    assert bucket.take(0.0, 10)
    assert not bucket.take(1.0, 3)
    assert sum(bucket.take(1000.0) for _ in range(100)) == 10


def test_one_key_does_not_spend_anothers_and_keys_that_rest_are_forgotten() -> None:
    buckets: Buckets[int] = Buckets(rate=1, burst=2)
    for key in range(1000):
        assert [buckets.of(key, float(key)).take(float(key)) for _ in range(3)] == [True, True, False]
    assert len(buckets._buckets) < 130
