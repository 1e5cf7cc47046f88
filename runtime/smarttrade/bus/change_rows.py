"""A row of an account's audit trail that says what was changed of the account's object. Fields are only ever
added, with a default."""

from __future__ import annotations

from typing import Any

import msgspec


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
    all of it. No previous generation: it is the first row of this object."""

    uid: str
    generation: int
    previous_generation: int | None
    resource_version: str
    changes: tuple[FieldChange, ...]
    object: dict[str, Any]
    writers: tuple[Writer, ...] = ()
    v: int = 1
