"""What a check has to say about one line of a strategy."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """`line` counts from 1, 0 is the file as a whole; `code` is one CamelCase word."""

    line: int
    code: str
    message: str
