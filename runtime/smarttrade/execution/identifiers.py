"""Client order ids: 18 alphanumerics that never come again and that nobody else can make.

tag (2, says SmartTrade) + hash of account, decision, leg, attempt and claim (12) + check (4), both under a
key of this account's that only its installation has. The claim is the lead under which the order was
intended: a log that loses its end forgets which legs were tried, and a new leader would try them again under
ids that the exchange knows. The check tells own orders from a look-alike, from another account's, and from
those of an installation that happens to have the same name. Portable: every supported exchange takes 18
letters and digits.

What bites: ids were once made without a key. Such an order is this account's if its log says so; one that
only its check speaks for may as well be of another installation of the same name (`may_be_former`).
"""

from __future__ import annotations

from smarttrade.identity import AccountIdentity, keyed_hash, stable_hash

TAG = "sT"
LENGTH = 18


class OrderIds:
    """One account's ids. An empty `key` is for an exchange inside this process, which nobody else uses."""

    def __init__(self, account: AccountIdentity, key: bytes) -> None:
        self._account = account.key
        self._key = key

    def build(self, decision_id: str, leg: int, attempt: int, claim: str = "") -> str:
        """The id of one attempt at one leg of a decision; a second attempt is another order, as is one under
        another `claim`."""
        parts = (self._account, decision_id, str(leg), str(attempt), claim)
        body = keyed_hash(self._key, "order", *parts, length=12)
        return TAG + body + self._check(body)

    def is_own(self, identifier: str) -> bool:
        """Whether an order that the log does not know was placed by this very account."""
        return is_tagged(identifier) and identifier[14:] == self._check(identifier[2:14])

    def may_be_former(self, identifier: str) -> bool:
        """Whether it is an id without a key of an account of this name."""
        if not is_tagged(identifier):
            return False
        return identifier[14:] == stable_hash("check", self._account, identifier[2:14], length=4)

    def _check(self, body: str) -> str:
        return keyed_hash(self._key, "check", self._account, body, length=4)


def is_tagged(identifier: str) -> bool:
    """Whether some installation of SmartTrade may have placed the order."""
    return len(identifier) == LENGTH and identifier.startswith(TAG) and identifier.isalnum()
