"""Prints what the archive has of an account that was deleted, for `smarttrade audit export --deleted`.

It runs beside the operator in the operator's pod, whose keys it uses. What a record says is not this image's
to know: the batches go out as they were logged, and whoever asked decodes them.
"""

from __future__ import annotations

import argparse
import base64
import json
import sys
from contextlib import AsyncExitStack
from dataclasses import dataclass

from smarttrade.bus import subjects
from smarttrade.bus.accounts import ARCHIVE, platform_credentials
from smarttrade.bus.archive import list_deletions, read_archived
from smarttrade.bus.connection import Connection, connect
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
    identity = AccountIdentity(settings.installation, wanted.namespace, wanted.name)
    buses = [name for name in ("", *settings.buses) if settings.admits(wanted.namespace, name)]
    async with AsyncExitStack() as stack:
        kept = []
        for archive in [await _open(stack, settings, name) for name in buses]:
            kept += [(deleted_s, archive) for deleted_s in await list_deletions(archive, identity)]
        if not kept:
            raise SmartTradeError(
                f"nothing is kept of a deleted account {wanted.namespace}/{wanted.name}: it was not deleted, "
                "it had logged nothing, or the retention is over"
            )
        deleted_s, archive = max(kept, key=lambda each: each[0])
        await _print(archive, subjects.archived(identity.token, deleted_s), wanted)


async def _open(stack: AsyncExitStack, settings: Settings, bus: str) -> Connection:
    """The archive of one set of NATS servers."""
    network = settings.network_of(bus)
    archive = await connect(
        network.nats_url,
        name=f"{settings.pod}-trail",
        role="operator",
        credentials=platform_credentials(read_keys(settings.keys), ARCHIVE),
        authority=network.nats_tls / AUTHORITY if network.nats_tls else None,
        on_closed=_ignore,
    )
    stack.push_async_callback(archive.close)
    return archive


async def _print(archive: Connection, subject: str, wanted: Wanted) -> None:
    printed = 0
    async for batch in read_archived(archive, subject):
        if batch.sequence < wanted.first:
            continue
        if printed == wanted.limit:
            return
        printed += 1
        payload = base64.b64encode(batch.payload).decode()
        row = {"sequence": batch.sequence, "time_ms": batch.time_ms, "batch": payload}
        row |= {"is_change": True} if batch.is_change else {}
        sys.stdout.write(json.dumps(row) + "\n")


async def _ignore() -> None:
    return None
