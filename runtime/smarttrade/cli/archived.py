"""The audit trail of an account that was deleted, from the platform's archive.

Nothing of the account is left to ask, so the operator's pod is asked, which takes the platform's rights and
not the former owner's.
"""

from __future__ import annotations

import base64
import json

from smarttrade.cli.pods import execute, running_pods
from smarttrade.errors import SmartTradeError
from smarttrade.execution.audit_rows import build_rows

_SELECTOR = "app.kubernetes.io/name=operator,app.kubernetes.io/part-of=smarttrade"


class Archive:
    """What the installation in the namespace `system` keeps of one name."""

    def __init__(self, context: str | None, system: str, namespace: str, name: str) -> None:
        self._context, self._system = context, system
        self._account = (namespace, name)

    def read_trail(self, first: int, limit: int) -> str:
        """A page of it, as lines of JSON; SmartTradeError where nothing is kept."""
        pods = running_pods(self._context, self._system, _SELECTOR)
        if not pods:
            raise SmartTradeError(f"no operator runs in {self._system}: name its namespace with --system")
        command = ["smarttrade-operator", "trail", *self._account, str(first), str(limit)]
        output, errors, failure = execute(self._context, self._system, pods[0], "operator", command)
        if failure:
            raise SmartTradeError(_read_complaint(output) or errors.strip() or failure)
        return "".join(to_rows(line) for line in output.splitlines() if line.strip())


def to_rows(line: str) -> str:
    """The records of one archived batch, a line of JSON each."""
    batch = json.loads(line)
    rows = build_rows(batch["sequence"], base64.b64decode(batch["batch"]), batch["time_ms"])
    return "".join(json.dumps(row) + "\n" for row in rows)


def _read_complaint(output: str) -> str:
    """What the operator's program logged last."""
    try:
        return str(json.loads(output.strip().splitlines()[-1])["event"])
    except (ValueError, IndexError, KeyError):
        return ""
