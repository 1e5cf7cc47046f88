"""What a pod's status says is told in the words of what went wrong."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from smarttrade_operator.diagnose import diagnose


def pod(container: str, code: int, message: str = "", reason: str = "Error") -> dict[str, Any]:
    ended = {"exitCode": code, "reason": reason, "message": message}
    status = {"name": container, "ready": False, "restartCount": 3, "lastState": {"terminated": ended}}
    return {
        "metadata": {"name": "alice-1", "creationTimestamp": "2026-01-01T00:00:00Z"},
        "status": {"phase": "Running", "containerStatuses": [status]},
    }


@pytest.mark.parametrize(
    ("container", "code", "reason", "expected"),
    [
        ("evaluation", 4, "Error", "StrategyFailed"),
        ("evaluation", 1, "Error", "CrashLoopBackOff"),
        ("execution", 4, "Error", "CrashLoopBackOff"),
        ("evaluation", 137, "OOMKilled", "StrategyFailed"),
        ("execution", 137, "OOMKilled", "OOMKilled"),
    ],
)
def test_a_container_that_ended_is_named_by_what_ended_it(
    container: str, code: int, reason: str, expected: str
) -> None:
    [problem] = diagnose(None, [pod(container, code, "last words", reason)], {}, datetime.now(UTC))
    assert problem.reason == expected
    assert "last words" in problem.message
    assert f"container {container}: exited with {code} (3 restarts)" in problem.message
    limit = f"out of memory: raise its limit in spec.resources.{container}"
    assert (limit in problem.message) == (reason == "OOMKilled")


def line(event: str, level: str = "info") -> str:
    """As containers log it."""
    where = {"account": "alice/alice", "component": "evaluation", "pod": "alice-75cb5cb8dd-bzwv4"}
    return json.dumps(where | {"event": event, "level": level, "time": "2026-01-01T00:00:00Z"}) + "\n"


TRACEBACK = """Traceback (most recent call last):
  File "/opt/smarttrade/lib/python3.11/site-packages/smarttrade/evaluation/core.py", line 262, in _call
    wants = handler(event)
            ^^^^^^^^^^^^^^
  File "/tmp/strategy-1-55em0cbn/mine.py", line 11, in on_candle
    self.consider(candle)
  File "/tmp/strategy-1-55em0cbn/mine.py", line 17, in consider
    raise ValueError("nobody said what to do with a position")
ValueError: nobody said what to do with a position"""
STUCK = """the strategy has not returned from its handler for 10 s: File "/opt/evaluation/core.py", line 262
    wants = handler(event)
  File "/tmp/strategy-1-55em0cbn/mine.py", line 11, in on_candle
    while self.position(candle.market) > 0:"""


def told(log: str) -> str:
    [problem] = diagnose(None, [pod("evaluation", 4, log)], {}, datetime.now(UTC))
    return problem.message


def test_an_exception_is_told_with_its_last_lines_however_much_was_logged_before() -> None:
    message = told(10 * line("decision answered") + line(TRACEBACK, "critical"))
    assert message.endswith("ValueError: nobody said what to do with a position")
    assert "mine.py" in message
    assert "decision answered" not in message


def test_the_watchdog_s_words_are_told_and_where_the_strategy_was() -> None:
    message = told(line("leading") + line(STUCK, "critical"))
    assert "the strategy has not returned from its handler for 10 s" in message
    assert message.endswith("while self.position(candle.market) > 0:")


def test_of_a_log_without_such_an_end_its_last_lines_are_told() -> None:
    assert told("".join(map(line, "abcd"))).endswith(": b | c | d")
    assert told("what a library\nprinted").endswith(": what a library | printed")


def test_what_was_logged_last_is_bounded_and_its_end_is_kept() -> None:
    message = told(line("x" * 2_000 + " the end", "critical"))
    assert len(message) <= 700
    assert message.endswith("the end")
