"""Prints the account's audit trail: every decision, denial, order, fill, breach, command by hand, and every
change of the object.

`python -m smarttrade.audit FROM LIMIT` is what `smarttrade audit export` runs by way of `kubectl exec`: a
process of its own beside the running execution, which it does not disturb, with the same credentials. One
JSON object a line, one line a record; at most LIMIT messages of the trail beginning with sequence FROM.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Mapping
from typing import Any

from smarttrade.audit.rows import to_rows
from smarttrade.bus.connection import connect
from smarttrade.bus.trail import Trail
from smarttrade.errors import SmartTradeError
from smarttrade.process.settings import Settings


async def read_trail(trail: Trail, first: int, limit: int) -> AsyncIterator[dict[str, Any]]:
    """The rows of so many messages beginning with a sequence."""
    messages = 0
    async for entry in trail.read_all(first):
        if messages == limit:
            return
        messages += 1
        for row in to_rows(entry):
            yield row


async def _ignore() -> None:
    return None


async def _print(environ: Mapping[str, str], first: int, limit: int) -> None:
    settings = Settings.from_environment("execution", environ)
    nc = await connect(
        settings.nats_url,
        name=f"{settings.pod}-audit",
        role="execution",
        credentials=settings.nats_credentials,
        authority=settings.nats_authority,
        on_closed=_ignore,
    )
    try:
        async for row in read_trail(Trail(nc), first, limit):
            sys.stdout.write(json.dumps(row, separators=(",", ":")) + "\n")
    finally:
        await nc.close()


def main(arguments: list[str]) -> int:
    if len(arguments) != 2 or not all(each.isdigit() for each in arguments):
        print("usage: python -m smarttrade.audit FROM LIMIT", file=sys.stderr)
        return 2
    try:
        asyncio.run(_print(os.environ, int(arguments[0]), int(arguments[1])))
    except SmartTradeError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
