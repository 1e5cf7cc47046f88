"""What deleted accounts leave behind: their audit trails, in one append-only stream of the platform's own.

One stream for all of them, because the number of JetStream assets is what limits a NATS cluster; its maximum
age is the retention, so that the servers themselves purge what is older. A trail is written as pages, each
behind the one before (compare-and-swap on its subject): whoever goes on after a crash reads the last page
first, so nothing is there twice and nothing is left out.
"""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator

import msgspec
from nats.aio.client import Client

from smarttrade.bus import jetstream, subjects
from smarttrade.bus.trail import Trail
from smarttrade.errors import BusError
from smarttrade.identity import AccountIdentity
from smarttrade.messages import MALFORMED

# Of records before they are compressed; a page is well below what the servers take as one message.
PAGE_BYTES = 512 * 1024
_LAST = "Smarttrade-Last-Sequence"
_PAGE_VERSION = 2


class ArchivedBatch(msgspec.Struct, frozen=True, array_like=True):
    """One message of an account's audit trail, as it was there: a batch of its log, or a change of its
    object."""

    sequence: int
    time_ms: int
    payload: bytes
    is_change: bool = False


class Page(msgspec.Struct, frozen=True, array_like=True):
    """Consecutive batches; `v` is raised when an older reader must not guess. 2: changes are among them."""

    v: int
    batches: list[ArchivedBatch]


_pages = msgspec.msgpack.Decoder(Page)


async def copy_trail(trail: Trail, archive: Client, subject: str) -> int:
    """Bring what the trail has and the archive has not there; the sequence of the newest record that it has.

    May be repeated until it succeeds. BusError when the archive refuses, or another process copies as well.
    """
    last = await jetstream.last(archive, subjects.ARCHIVE_STREAM, subject)
    after, copied = (last.sequence, int(last.headers[_LAST])) if last else (0, 0)
    page: list[ArchivedBatch] = []
    size = 0
    async for entry in trail.read_all(copied + 1):
        if page and size + len(entry.payload) > PAGE_BYTES:
            after = await _append(archive, subject, page, after)
            page, size = [], 0
        page.append(ArchivedBatch(entry.sequence, entry.time_ms, entry.payload, entry.is_change))
        size += len(entry.payload)
    if page:
        after = await _append(archive, subject, page, after)
    return after


async def _append(archive: Client, subject: str, batches: list[ArchivedBatch], after: int) -> int:
    version = 2 if any(batch.is_change for batch in batches) else 1
    content = zlib.compress(msgspec.msgpack.encode(Page(version, batches)))
    headers = {
        "Nats-Expected-Last-Subject-Sequence": str(after),
        _LAST: str(batches[-1].sequence),
    }
    return await jetstream.publish(archive, subject, content, headers, timeout_s=10.0)


async def list_deletions(archive: Client, identity: AccountIdentity) -> list[int]:
    """When accounts of this name were deleted, as far as it is kept: seconds since 1970, in order."""
    body = {"subjects_filter": subjects.archived(identity.token)}
    try:
        answer = await jetstream.api(archive, f"STREAM.INFO.{subjects.ARCHIVE_STREAM}", body)
    except jetstream.ApiError as error:
        if error.code == jetstream.STREAM_NOT_FOUND:
            return []
        raise
    found = (answer.get("state") or {}).get("subjects") or {}
    return sorted(int(subject.rpartition(".")[2]) for subject in found)


async def read_archived(archive: Client, subject: str) -> AsyncIterator[ArchivedBatch]:
    """The batches of one deleted account, in order."""
    following = 1
    while True:
        body = {"seq": following, "next_by_subj": subject}
        try:
            answer = await jetstream.api(archive, f"STREAM.MSG.GET.{subjects.ARCHIVE_STREAM}", body)
        except jetstream.ApiError as error:
            if error.code == jetstream.NO_MESSAGE:
                return
            raise
        stored = jetstream.read_stored(answer["message"])
        for batch in _decode(stored.payload).batches:
            yield batch
        following = stored.sequence + 1


def _decode(content: bytes) -> Page:
    try:
        page = _pages.decode(zlib.decompress(content))
    except (*MALFORMED, zlib.error) as error:
        raise BusError(f"unreadable page of the archive: {error}") from error
    if page.v > _PAGE_VERSION:
        raise BusError(f"the archive's page has version {page.v}: a newer operator can read it")
    return page
