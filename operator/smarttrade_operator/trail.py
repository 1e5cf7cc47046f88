"""Prints what the archive has of an account that was deleted, for `smarttrade audit export --deleted`.

It runs beside the operator in the operator's pod, whose keys it uses. What a record says is not this image's
to know: the batches go out as they were logged, and whoever asked decodes them.
"""

from __future__ import annotations

import argparse
import base64
import json
import sys
from dataclasses import dataclass

from smarttrade.bus import subjects
from smarttrade.bus.accounts import ARCHIVE, platform_credentials
from smarttrade.bus.archive import list_deletions, read_archived
from smarttrade.bus.connection import connect
from smarttrade.errors import SmartTradeError
from smarttrade.identity import AccountIdentity
from smarttrade_operator.children.credentials import AUTHORITY
from smarttrade_operator.settings import Settings, read_keys


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A page of the newest deletion of a name: at most `limit` batches beginning with sequence `first`."""

    namespace: str
    name: str
    first: int
    limit: int


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("namespace")
    parser.add_argument("name")
    parser.add_argument("first", type=int)
    parser.add_argument("limit", type=int)


def from_arguments(parsed: argparse.Namespace) -> Wanted:
    return Wanted(namespace=parsed.namespace, name=parsed.name, first=parsed.first, limit=parsed.limit)


async def run(wanted: Wanted) -> None:
    """One JSON object a line, one line a batch; SmartTradeError where nothing is kept."""
    settings = Settings.from_environment()
    tls = settings.network.nats_tls
    identity = AccountIdentity(settings.installation, wanted.namespace, wanted.name)
    archive = await connect(
        settings.network.nats_url,
        name=f"{settings.pod}-trail",
        role="operator",
        credentials=platform_credentials(read_keys(settings.keys), ARCHIVE),
        authority=tls / AUTHORITY if tls else None,
        on_closed=_ignore,
    )
    try:
        deletions = await list_deletions(archive, identity)
        if not deletions:
            raise SmartTradeError(
                f"nothing is kept of a deleted account {wanted.namespace}/{wanted.name}: it was not deleted, "
                "it had logged nothing, or the retention is over"
            )
        printed = 0
        async for batch in read_archived(archive, subjects.archived(identity.token, deletions[-1])):
            if batch.sequence < wanted.first:
                continue
            if printed == wanted.limit:
                return
            printed += 1
            payload = base64.b64encode(batch.payload).decode()
            row = {"sequence": batch.sequence, "time_ms": batch.time_ms, "batch": payload}
            sys.stdout.write(json.dumps(row) + "\n")
    finally:
        await archive.close()


async def _ignore() -> None:
    return None
