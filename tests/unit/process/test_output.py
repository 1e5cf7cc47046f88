"""A flood of output is cut down to its rate, and what is missing is counted."""

from __future__ import annotations

import io
import json

from smarttrade.process.output import LINE, Bounded
from smarttrade.rates import Bucket


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def _events(stream: io.StringIO) -> list[str]:
    return [json.loads(line)["event"] for line in stream.getvalue().splitlines() if line.startswith("{")]


def test_what_is_beyond_the_rate_is_dropped_and_counted() -> None:
    stream, clock = io.StringIO(), Clock()
    bounded = Bounded(stream, {"component": "evaluation"}, Bucket(rate=2, burst=100), clock)
    for number in range(1000):
        print(number, file=bounded)  # type: ignore[arg-type]
    assert stream.getvalue().splitlines()[:90] == [str(number) for number in range(90)]
    assert _events(stream) == ["what is written now is dropped: more than 50 lines a second"]
    clock.now_s = 60
    print("later", file=bounded)  # type: ignore[arg-type]
    events = _events(stream)
    assert len(events) == 2
    written = len(stream.getvalue().splitlines()) - len(events) - 1
    assert 90 <= written <= 100
    assert 1000 - written <= int(events[1].split()[0]) <= 1001 - written
    assert json.loads(stream.getvalue().splitlines()[-2])["component"] == "evaluation"
    assert stream.getvalue().endswith("later\n")


def test_long_lines_count_as_several_and_one_without_end_is_dropped() -> None:
    stream, clock = io.StringIO(), Clock()
    bounded = Bounded(stream, {}, Bucket(rate=1, burst=100), clock)
    assert bounded.write("y" * LINE * 50 + "\n") == LINE * 50 + 1
    assert bounded.write("x" * LINE * 200) == LINE * 200
    assert bounded.write("z" * LINE * 60) == LINE * 60
    assert stream.getvalue().startswith("y" * LINE * 50 + "\n")
    assert "zz" not in stream.getvalue()
    assert "xx" not in stream.getvalue()


def test_a_notice_begins_a_line_of_its_own() -> None:
    stream, clock = io.StringIO(), Clock()
    bounded = Bounded(stream, {}, Bucket(rate=1, burst=1), clock)
    bounded.write("half a line")
    for _ in range(3):
        bounded.write(" and more\n")
    for line in stream.getvalue().splitlines()[1:]:
        assert json.loads(line)["level"] == "warning"


def test_everything_else_is_the_streams_own() -> None:
    stream = io.StringIO()
    bounded = Bounded(stream, {})
    bounded.write("text")
    bounded.flush()
    assert bounded.getvalue() == "text"
