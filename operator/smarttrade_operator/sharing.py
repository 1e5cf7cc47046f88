"""Finds two accounts on one exchange account, by marks that say nothing else (the runtime's `fingerprint`).

Who showed a mark first keeps it, whichever object is older: a key that is changed in the Secret of an old
account must not stop the one that trades with it. Claims are kept in the status, so that neither a restart of
the operator nor a pod that is away lets a second account in. The other one is not cleared, and is told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from smarttrade_operator.names import Key

Read = Callable[[Key, str], str]
"""What an account's mark stands for: each account seals its marks under a key of its own."""

_ELSEWHERE = "a TradingAccount of another namespace"


@dataclass(frozen=True, slots=True)
class Claim:
    """A mark, and since when this account has shown it (RFC 3339, to the microsecond)."""

    mark: str
    since: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """Marks that no other account showed earlier, and whom the first of the others belongs to."""

    cleared: tuple[str, ...] = ()
    shared: str = ""


def read_claims(account: dict[str, Any]) -> tuple[Claim, ...]:
    """As the object's status has them."""
    rows = (account.get("status") or {}).get("exchangeMarks") or []
    return tuple(Claim(row["mark"], row["since"]) for row in rows)


def build_claims(before: tuple[Claim, ...], shown: tuple[str, ...], now: datetime) -> tuple[Claim, ...]:
    """What is shown now, each since it was first shown; what is not shown any more is given up. An account
    that shows nothing, because its pods are away, keeps what it had."""
    if not shown:
        return before
    known = {claim.mark: claim for claim in before}
    since = now.astimezone(UTC).isoformat()
    return tuple(known.get(mark) or Claim(mark, since) for mark in shown)


def write_claims(claims: tuple[Claim, ...]) -> list[dict[str, str]]:
    """For the status."""
    return [{"mark": claim.mark, "since": claim.since} for claim in claims]


def judge_sharing(
    own: Key, claims: tuple[Claim, ...], others: Iterable[tuple[Key, tuple[Claim, ...]]], read: Read
) -> Verdict:
    """Which of the account's marks are its alone; at the same instant the first by name has it."""
    if not claims:
        return Verdict()
    earlier: dict[str, Key] = {}
    meant = {claim.mark: read(own, claim.mark) for claim in claims}
    mine = {meant[claim.mark]: (claim.since, own.namespace, own.name) for claim in claims}
    for key, theirs in others:
        for claim in theirs:
            what, rank = read(key, claim.mark), (claim.since, key.namespace, key.name)
            if key != own and what in mine and rank < mine[what]:
                earlier[what] = key
    cleared = tuple(claim.mark for claim in claims if meant[claim.mark] not in earlier)
    holder = next(iter(earlier.values()), None)
    return Verdict(cleared, _name(own, holder) if holder else "")


def _name(own: Key, holder: Key) -> str:
    """Nobody learns the names in another tenant's namespace."""
    same = holder.namespace == own.namespace
    return f"TradingAccount {holder.namespace}/{holder.name}" if same else _ELSEWHERE
