"""What a strategy class declares in its body: found once, for parameters and for what is remembered."""

from __future__ import annotations

from typing import TypeVar

D = TypeVar("D")


class Declared:
    """A declaration, which learns its own name from the class body."""

    name = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name


def find_declared(owner: type, kind: type[D]) -> dict[str, D]:
    """Every declaration of this kind, inherited ones included, in order of declaration."""
    found: dict[str, D] = {}
    for base in reversed(owner.__mro__):
        found |= {name: value for name, value in vars(base).items() if isinstance(value, kind)}
    return found
