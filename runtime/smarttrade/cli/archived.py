"""The audit trail of an account that was deleted, from the platform's archive.

Nothing of the account is left to ask, so the operator's pod is asked, which takes the platform's rights and
not the former owner's.
"""

from __future__ import annotations

import base64
import json

from smarttrade.audit import rows
from smarttrade.bus.trail import Entry
from smarttrade.cli.pods import execute, running_pods
from smarttrade.errors import SmartTradeError

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
    """The records of one archived message of the trail, a line of JSON each."""
    batch = json.loads(line)
    payload, is_change = base64.b64decode(batch["batch"]), batch.get("is_change", False)
    entry = Entry(batch["sequence"], payload, batch["time_ms"], is_change)
    return "".join(json.dumps(row) + "\n" for row in rows.to_rows(entry))


def _read_complaint(output: str) -> str:
    """What the operator's program logged last."""
    try:
        return str(json.loads(output.strip().splitlines()[-1])["event"])
    except (ValueError, IndexError, KeyError):
        return ""
