"""TLS contexts that read the system's authorities when they first connect, not when they are made.

`aiohttp` makes two at its import, whoever uses them: 45 ms of computing a process, where most bring a context
of their own. What bites: until then such a context trusts nobody, so its list of authorities is empty; it is
never less strict than it would have been.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class _Later(ssl.SSLContext):
    """An ordinary context once it has made its first connection."""

    def wrap_bio(self, *arguments: Any, **options: Any) -> ssl.SSLObject:
        _load(self)
        return self.wrap_bio(*arguments, **options)

    def wrap_socket(self, *arguments: Any, **options: Any) -> ssl.SSLSocket:
        _load(self)
        return self.wrap_socket(*arguments, **options)


def _load(context: ssl.SSLContext) -> None:
    context.__class__ = ssl.SSLContext
    context.set_default_verify_paths()


def _defer(context: ssl.SSLContext) -> None:
    context.__class__ = _Later


@contextmanager
def authorities_later() -> Iterator[None]:
    """Contexts made inside read the system's authorities at their first connection."""
    contexts: Any = ssl.SSLContext
    contexts.set_default_verify_paths = _defer
    try:
        yield
    finally:
        del contexts.set_default_verify_paths
