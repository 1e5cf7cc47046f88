"""Import first what would load an optional library on seeing it installed, while it looks absent.

`structlog` loads rich for its console renderer and `nats` loads aiohttp for websockets: 3 and 11 MiB a
container that nothing here uses. What bites: this works only where it is imported before either of the two,
so a container's `__main__` begins with it; and whoever needs rich or aiohttp itself imports them later as
ever.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def absent(*names: str) -> Iterator[None]:
    """Importing these fails inside, if they have not been imported before."""
    hidden = [name for name in names if name not in sys.modules]
    for name in hidden:
        sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


with absent("rich", "aiohttp"):
    import nats.aio.client  # noqa: F401
    import structlog  # noqa: F401
