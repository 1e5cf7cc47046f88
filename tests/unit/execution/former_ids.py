"""Client order ids as they were before they had keys."""

from __future__ import annotations

from smarttrade.execution.identifiers import TAG, OrderIds
from smarttrade.identity import stable_hash


class KeylessIds(OrderIds):
    """Ids that everybody who knows the account's name can make."""

    def build(self, decision_id: str, leg: int, attempt: int, claim: str = "") -> str:
        parts = (self._account, decision_id, str(leg), str(attempt), claim)
        body = stable_hash("order", *parts, length=12)
        return TAG + body + stable_hash("check", self._account, body, length=4)

    def is_own(self, identifier: str) -> bool:
        return self.may_be_former(identifier)
