"""What a pod's status says is told in the words of what went wrong."""

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
