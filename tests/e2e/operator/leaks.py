"""Searches text for secrets, however they were written there.

What leaks is seldom the bare value: it stands in JSON, in a URL, in a header, in somebody's base64. Letters'
case is ignored, since hex and percent signs come in both.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import quote, quote_plus

# A request that is signed can be sent by whoever reads it, as long as the exchange's window lasts.
_SIGNED = re.compile(rb"signature\W{1,8}[0-9a-f]{32,}")


@dataclass(frozen=True)
class Output:
    """Something that others can read: `kind` is logs, objects, processes ...; `place` says which one."""

    kind: str
    place: str
    content: bytes


@dataclass(frozen=True)
class Leak:
    """Where which secret stands, and in which form."""

    secret: str
    form: str
    kind: str
    place: str


def find_leaks(secrets: Mapping[str, str], outputs: Iterable[Output]) -> set[Leak]:
    """Every secret (name to value) that stands in an output, and every request that is signed."""
    forms = {name: build_forms(value) for name, value in secrets.items()}
    found = set()
    for output in outputs:
        content = output.content.lower()
        for name, written in forms.items():
            found |= {
                Leak(name, form, output.kind, output.place)
                for form, text in written.items()
                if text.lower() in content
            }
        if _SIGNED.search(content):
            found.add(Leak("signed request", "raw", output.kind, output.place))
    return found


def build_forms(value: str) -> dict[str, bytes]:
    """The name of each way in which a value may be written, and how it then looks."""
    raw = value.encode()
    forms = {
        "raw": raw,
        "json": json.dumps(value)[1:-1].encode(),
        "json in json": json.dumps(json.dumps(value)[1:-1])[1:-1].encode(),
        "repr": repr(value)[1:-1].encode(),
        "url": quote(value, safe="").encode(),
        "form": quote_plus(value).encode(),
        "hex": raw.hex().encode(),
    }
    for shift in range(3):
        forms |= {f"base64 + {shift}": _base64(raw, shift)}
        forms |= {f"base64url + {shift}": _base64(raw, shift, b"-_")}
    return forms


def _base64(raw: bytes, shift: int, letters: bytes | None = None) -> bytes:
    """What of the encoding depends on the value alone, where so many bytes stand before it."""
    encoded = base64.b64encode(b"\0" * shift + raw, letters).rstrip(b"=")
    beyond = (shift + len(raw)) % 3
    return encoded[(0, 2, 3)[shift] : len(encoded) - (1 if beyond else 0)]
