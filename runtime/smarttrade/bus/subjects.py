"""The subjects inside one account's core NATS account.

A pod's name is one token, so a pod speaks and listens only about itself; the names of what evaluation may
import (`STRATEGY_*`) are the same in its NATS account, and monitoring's too.
"""

from __future__ import annotations

import re

from smarttrade.errors import ConfigurationError

STREAM = "ACCOUNT"
LOG = "log"
SNAPSHOT = "snapshot"
CONTROL = "control.account"

LEASE_BUCKET = "LEASE"
LEASE_STREAM = f"KV_{LEASE_BUCKET}"
LEASE_KEY = f"$KV.{LEASE_BUCKET}.leader"

ARCHIVE_STREAM = "ARCHIVE"

TRAIL_STREAM = "TRAIL"
TRAIL_FEED = "trail.feed"
"""Below it the servers deliver the log into the account of its trail; nobody speaks or listens there."""
CHANGES = "changes"
"""In the trail's own account: what the operator writes into the trail of changes of the account's object."""
TRAIL_READ = "trail.read"
"""The one thing that an account may ask of its trail: a record."""

PEER_TRADES = "peer.trades"
"""Where the monitorings of one account ask one another; no strategy hears or speaks there."""

MARKET_KINDS = ("trade", "quote", "book", "candle", "status", "control")
ROLES = ("monitoring", "evaluation", "execution")

STRATEGY_STREAMS = ("market.>", "position.>", "fill.>")
STRATEGY_SERVICES = ("history.>", "decide.>")

_TOKEN = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")


def _token(pod: str) -> str:
    if not _TOKEN.fullmatch(pod):
        raise ConfigurationError(
            f"pod name {pod!r} cannot be part of a subject: use lower-case letters, digits and -"
        )
    return pod


def market(pod: str, kind: str) -> str:
    """Where monitoring of one pod publishes batches of one kind of event (`*` for all kinds)."""
    if kind != "*" and kind not in MARKET_KINDS:
        raise ConfigurationError(f"unknown kind of market event {kind!r}: one of {', '.join(MARKET_KINDS)}")
    return f"market.{_token(pod)}.{kind}"


def archived(token: str, deleted_s: int | None = None) -> str:
    """Where a deleted account's log is kept: one subject a deletion, of all deletions where none is named."""
    return f"archive.{token}.{'*' if deleted_s is None else deleted_s}"


def history(pod: str) -> str:
    """The service of one pod's monitoring."""
    return f"history.{_token(pod)}"


def decide(pod: str) -> str:
    """The service of one pod's execution."""
    return f"decide.{_token(pod)}"


def position(pod: str) -> str:
    """Where execution of one pod publishes AccountView."""
    return f"position.{_token(pod)}"


def fill(pod: str) -> str:
    """Where execution of one pod publishes Fill and DecisionOutcome."""
    return f"fill.{_token(pod)}"


def report(role: str) -> str:
    """Where a container reports, inside its core account."""
    return f"report.{role}"


def platform_report(account_token: str, role: str) -> str:
    """The same in the platform's account, where the token says whose report it is (`*` for any)."""
    return f"report.{account_token}.{role}"


def inbox(role: str) -> str:
    """The prefix of a role's reply subjects; no other role may subscribe to it."""
    return f"_INBOX.{role}"
