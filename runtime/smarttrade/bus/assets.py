"""The JetStream assets of an account, as plain configurations.

Their number is what limits a NATS cluster, so everything durable shares one stream and there are no
consumers. The lease is in memory: it is renewed several times a second and means nothing after a restart.
The trail is in an account of its own (see `trail`).
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from smarttrade.bus import subjects

_SECOND = 1_000_000_000

# A bound for what a dead holder leaves behind; how long a lease is valid is written in the lease itself.
LEASE_MAX_AGE_S = 60
LEASE_MAX_BYTES = 64 * 1024

TRAIL_ORIGIN = "origin"
"""What the log's own account is called in that of its trail."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How long trails are kept, those of deleted accounts as well, and what the latter together may take of a
    server's disk."""

    seconds: float = 30 * 86_400.0
    max_bytes: int = 1024**3


def build_stream_config(max_bytes: int, replicas: int = 1) -> dict[str, Any]:
    """The account's stream: the log, and the last values of snapshot and control.

    Discard new: a full log refuses the next intent, which stops trading; dropping the oldest record would
    lose orders.
    """
    return {
        "name": subjects.STREAM,
        "subjects": [subjects.LOG, subjects.SNAPSHOT, "control.>"],
        "retention": "limits",
        "storage": "file",
        "discard": "new",
        "max_bytes": max_bytes,
        "max_msgs": -1,
        "max_consumers": -1,
        "num_replicas": replicas,
        "duplicate_window": 120 * _SECOND,
        "allow_rollup_hdrs": True,
        "allow_direct": True,
        "deny_delete": True,
        "deny_purge": False,
    }


def build_lease_config(replicas: int = 1) -> dict[str, Any]:
    """The KV bucket of the lease.

    Its revisions begin with the time (ms) at which it is made: a bucket that a restarted server has forgotten
    comes back with revisions that no earlier holder can take for its own.
    """
    return {
        "name": subjects.LEASE_STREAM,
        "first_seq": time.time_ns() // 1_000_000,
        "subjects": [f"$KV.{subjects.LEASE_BUCKET}.>"],
        "retention": "limits",
        "storage": "memory",
        "discard": "new",
        "max_bytes": LEASE_MAX_BYTES,
        "max_msgs": -1,
        "max_msgs_per_subject": 1,
        "max_age": LEASE_MAX_AGE_S * _SECOND,
        "max_consumers": -1,
        "num_replicas": replicas,
        "duplicate_window": LEASE_MAX_AGE_S * _SECOND,
        "allow_rollup_hdrs": True,
        "allow_direct": True,
        "deny_delete": True,
        "deny_purge": False,
    }


def build_trail_config(max_bytes: int, retention: Retention, replicas: int = 1) -> dict[str, Any]:
    """The account's audit trail, which the servers themselves fill from its log. The operator alone has
    credentials that may write there, of changes of the object.

    Sources, not a mirror: a mirror of a log that was lost and made anew waits until that has grown beyond the
    former one. Discard new: whoever floods the log fills the trail and erases nothing in it. A record that
    has the message id of an older one is another record.
    """
    external = {"api": f"{TRAIL_ORIGIN}.API", "deliver": subjects.TRAIL_FEED}
    origin = {"name": subjects.STREAM, "filter_subject": subjects.LOG, "external": external}
    return {
        "name": subjects.TRAIL_STREAM,
        "subjects": [subjects.CHANGES],
        "sources": [origin],
        "retention": "limits",
        "storage": "file",
        "discard": "new",
        "max_age": int(retention.seconds * _SECOND),
        "max_bytes": max_bytes,
        "max_msgs": -1,
        "max_consumers": -1,
        "num_replicas": replicas,
        "duplicate_window": _SECOND // 10,
        "allow_direct": False,
        "deny_delete": True,
        "deny_purge": True,
    }


def build_archive_config(retention: Retention, replicas: int = 1) -> dict[str, Any]:
    """Discard new: a full archive refuses, and the account that is being deleted keeps its log for now."""
    return {
        "name": subjects.ARCHIVE_STREAM,
        "subjects": [subjects.archived("*")],
        "retention": "limits",
        "storage": "file",
        "discard": "new",
        "max_age": int(retention.seconds * _SECOND),
        "max_bytes": retention.max_bytes,
        "max_msgs": -1,
        "max_consumers": -1,
        "num_replicas": replicas,
        "duplicate_window": min(120, int(retention.seconds)) * _SECOND,
        "allow_direct": True,
        "deny_delete": True,
        "deny_purge": True,
    }
