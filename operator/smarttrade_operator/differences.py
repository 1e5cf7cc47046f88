"""What two states of an account's object differ in, field by field, and by whom Kubernetes says it was done.

`metadata.managedFields` tell what a client called itself (its field manager), not which user it acted for,
and only who holds a field now. What bites: an update that does nothing but remove a field leaves no note of
itself, and times are whole seconds. Where nothing tells, nothing is said. Pure.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import msgspec

from smarttrade.bus.change_rows import FieldChange, ObjectChanged, Writer, is_omitted, omit, to_json
from smarttrade.bus.rotation import ROTATE
from smarttrade_operator.kinds import Manifest
from smarttrade_operator.names import INSTALLATION_LABEL

# All of an account's metadata that the platform heeds; anybody may note anything beside it, of any size.
HEEDED = {
    "annotations": (ROTATE, "smarttrade.io/allow-deletion"),
    "labels": (INSTALLATION_LABEL,),
}
_VALUE_BYTES = 1024
# By which the object's lists of objects are maps, as its definition says.
_LIST_KEY = "symbol"
_PLAIN = re.compile(r"\w+")


class Item(NamedTuple):
    """A step into a list: the entry of that symbol."""

    key: str


Step = str | Item
Path = tuple[Step, ...]
Difference = tuple[Path, Any, Any]


def meaning(account: Manifest) -> Manifest:
    """What of the object means something: not its status, nor what clients and others note on it.

    Two that mean the same are equal: maps are in the order of their keys, and null is what is not there.
    """
    metadata = account["metadata"]
    ours = {
        place: {name: value for name, value in (metadata.get(place) or {}).items() if name in names}
        for place, names in HEEDED.items()
    }
    going = {name: metadata[name] for name in ("deletionTimestamp",) if metadata.get(name)}
    kept = {place: kept for place, kept in ours.items() if kept} | going
    return {"metadata": _normalize(kept), "spec": _normalize(account.get("spec") or {})}


def _normalize(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _normalize(each) for name, each in value.items() if each is not None}
    if _is_map(value):
        return [_normalize(entry) for entry in sorted(value, key=lambda entry: str(entry[_LIST_KEY]))]
    if isinstance(value, str):
        return omit(value) if len(value) > _VALUE_BYTES else value
    return omit(value) if isinstance(value, list) and len(to_json(value)) > _VALUE_BYTES else value


def _is_map(value: Any) -> bool:
    """Whether it is a list of objects that their symbols tell apart."""
    if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
        return False
    keys = [entry.get(_LIST_KEY) for entry in value]
    return bool(keys) and all(isinstance(key, str) for key in keys) and len(set(keys)) == len(keys)


def build_change(
    before: ObjectChanged | None, account: Manifest, *, kept_since: str = ""
) -> ObjectChanged | None:
    """The next row of the trail; None where nothing that means something has changed since the one before.

    One made anew under the name of a deleted one begins anew. One that has no row before it, although it was
    made before the time since which rows are kept or has had generations, has lost them.
    """
    metadata, now = account["metadata"], meaning(account)
    before = before if before is not None and before.uid == metadata["uid"] else None
    if before is None:
        baseless = metadata["generation"] > 1 or metadata.get("creationTimestamp", kept_since) < kept_since
    else:
        baseless = is_omitted(before.object) and before.object != omit(now)
    if before is not None and is_omitted(before.object) and not baseless:
        return None
    known = before.object if before and not baseless else {}
    managed = [entry for entry in metadata.get("managedFields") or [] if _concerns(entry)]
    wrote = [entry for entry in managed if not before or _writer(entry) not in before.writers]
    changes = [
        FieldChange(path=render(path), old=old, new=new, by=attribute(path, new, managed, wrote))
        for path, old, new in compare(known, now)
    ]
    if not changes:
        return None
    return ObjectChanged(
        uid=metadata["uid"],
        generation=metadata["generation"],
        previous_generation=before.generation if before else None,
        resource_version=metadata["resourceVersion"],
        changes=tuple(changes),
        object=now,
        writers=tuple(map(_writer, managed)),
        baseless=baseless,
    )


def restate(row: ObjectChanged) -> ObjectChanged:
    """What the row says the object is, as a row that changes nothing: it is of age later."""
    return msgspec.structs.replace(
        row, previous_generation=row.generation, changes=(), restates=True, baseless=False
    )


def compare(old: Any, new: Any, path: Path = ()) -> Iterator[Difference]:
    """Every field that differs, down to values; a list is a value unless its entries have a symbol."""
    if old == new:
        return
    before, after = _parts(old), _parts(new)
    if before is None or after is None or not (before or after):
        yield path, old, new
        return
    for step in before | after:
        yield from compare(before.get(step), after.get(step), (*path, step))


def _parts(value: Any) -> dict[Step, Any] | None:
    """None for what is compared as a whole."""
    if value is None:
        return {}
    if is_omitted(value):
        return None
    if isinstance(value, dict):
        return dict(value)
    if _is_map(value):
        return {Item(entry[_LIST_KEY]): entry for entry in value}
    return None


def render(path: Path) -> str:
    """`spec.markets[symbol=BTC/USDT].enabled`, `metadata.annotations[smarttrade.io/rotate-credentials]`."""
    text = ""
    for step in path:
        if isinstance(step, Item):
            text += f"[{_LIST_KEY}={step.key}]"
        else:
            text += f".{step}" if _PLAIN.fullmatch(step) else f"[{step}]"
    return text.removeprefix(".")


def attribute(
    path: Path, new: Any, managed: Iterable[Manifest], wrote: Iterable[Manifest]
) -> tuple[Writer, ...]:
    """Who holds the field, of several whoever wrote last. `wrote` are those that wrote since the row before.

    A value that is there was set by who holds it. Nobody holds what was removed, and a list may have been
    shortened by somebody who holds nothing of it: there only those count that wrote since.
    """
    wrote = list(wrote)
    if new is None:
        return tuple(map(_writer, wrote))
    held = [entry for entry in managed if _holds(entry["fieldsV1"], path)]
    lately = [entry for entry in held if entry in wrote]
    owners = lately or ([] if isinstance(new, list | dict) else held)
    newest = max((entry.get("time") or "" for entry in owners), default="")
    return tuple(_writer(entry) for entry in owners if (entry.get("time") or "") == newest)


def _concerns(entry: Manifest) -> bool:
    """Whether it holds anything of what means something."""
    fields = entry.get("fieldsV1") or {}
    metadata = fields.get("f:metadata") or {}
    meant = "f:spec" in fields or "f:annotations" in metadata or "f:labels" in metadata
    return meant and entry.get("subresource", "") != "status"


def _holds(fields: Manifest, path: Path) -> bool:
    for step in path:
        if not fields:
            return True  # all below is one value
        below = _below(fields, step)
        if below is None:
            return False
        fields = below
    return True


def _below(fields: Manifest, step: Step) -> Manifest | None:
    if isinstance(step, str):
        return fields.get(f"f:{step}")
    keys = (name for name in fields if name.startswith("k:"))
    return next((fields[name] for name in keys if json.loads(name[2:]) == {_LIST_KEY: step.key}), None)


def _writer(entry: Manifest) -> Writer:
    return Writer(
        manager=entry.get("manager") or "",
        operation=entry.get("operation") or "",
        time=entry.get("time") or "",
        subresource=entry.get("subresource") or "",
    )
