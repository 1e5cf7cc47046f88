"""A row of an account's audit trail that says what was changed of the account's object. Fields are only ever
added, with a default."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

import msgspec

OMITTED = "$omitted"


class Writer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A field manager as Kubernetes notes it: what a client calls itself, which is not who uses it."""

    manager: str
    operation: str
    time: str
    subresource: str = ""


class FieldChange(msgspec.Struct, frozen=True, kw_only=True):
    """One field: null is one that was not there, or is not any more. `by` is empty where nothing tells."""

    path: str
    old: Any = None
    new: Any = None
    by: tuple[Writer, ...] = ()


class ObjectChanged(msgspec.Struct, frozen=True, kw_only=True):
    """A row: the differences to the row before, and the object as it was then. `writers` are the managers of
    all of it. No previous generation: it is the first row of this object.

    `restates`: nothing was changed; the object is only told again before the row that told it is of age.
    `baseless`: the object was there before, but the row that told it is of age, cut or was never written, so
    `old` says nothing. `cut`: too big to be kept whole.
    """

    uid: str
    generation: int
    previous_generation: int | None
    resource_version: str
    changes: tuple[FieldChange, ...]
    object: dict[str, Any]
    writers: tuple[Writer, ...] = ()
    v: int = 1
    restates: bool = False
    baseless: bool = False
    cut: bool = False


def omit(value: Any) -> dict[str, Any]:
    """What stands for a value that is too big: its size, and the digest by which it can be recognised.

    Of a text its UTF-8, of anything else its JSON, with sorted keys and without spaces.
    """
    text = value if isinstance(value, str) else to_json(value)
    content = text.encode("utf-8", "surrogatepass")
    return {OMITTED: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}}


def is_omitted(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() == {OMITTED}


def to_json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def encode(row: ObjectChanged, max_bytes: int) -> bytes:
    """As much of the row as fits: the last resort says only that something has changed, and when."""
    payload = b""
    for each in _ever_shorter(row):
        payload = msgspec.json.encode(each)
        if len(payload) <= max_bytes:
            break
    return payload


def _ever_shorter(row: ObjectChanged) -> Iterator[ObjectChanged]:
    yield row
    known = tuple(msgspec.structs.replace(change, old=None) for change in row.changes)
    yield (cut := msgspec.structs.replace(row, object=omit(row.object), changes=known, cut=True))
    yield msgspec.structs.replace(cut, changes=(), writers=())
