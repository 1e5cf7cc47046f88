"""Client order ids: 18 alphanumerics that never come again and nobody else can forge by accident.

tag (2, says SmartTrade) + hash of account, decision, leg, attempt and claim (12) + check of the account, its
installation included (4). The claim is the lead under which the order was intended: a log that loses its end
forgets which legs were tried, and a new leader would try them again under ids that the exchange knows. The
check tells own orders from a look-alike and from another account's; two accounts never share an id. Portable:
every supported exchange takes 18 letters and digits.
"""

from __future__ import annotations

from smarttrade.identity import AccountIdentity, stable_hash

TAG = "sT"
LENGTH = 18


def client_order_id(
    account: AccountIdentity, decision_id: str, leg: int, attempt: int, claim: str = ""
) -> str:
    """The id of one attempt at one leg of a decision; a second attempt is another order, as is one under
    another `claim`."""
    body = stable_hash("order", account.key, decision_id, str(leg), str(attempt), claim, length=12)
    return TAG + body + _check(account, body)


def is_own(account: AccountIdentity, identifier: str) -> bool:
    """Whether an order that the log does not know was placed by this very account."""
    if not is_tagged(identifier):
        return False
    body, check = identifier[2:14], identifier[14:]
    return check == _check(account, body)


def is_tagged(identifier: str) -> bool:
    """Whether some installation of SmartTrade may have placed the order."""
    return len(identifier) == LENGTH and identifier.startswith(TAG) and identifier.isalnum()


def _check(account: AccountIdentity, body: str) -> str:
    return stable_hash("check", account.key, body, length=4)
