"""Import the asynchronous half of the Kubernetes client without the synchronous one.

Importing anything of `kubernetes` runs its `__init__`, which loads the client for threads with requests and
OAuth: 9 MiB and a sixth of the time until the operator answers, for code that nothing here calls. So an empty
package with the same name and path stands in its place. What bites: this works only where it is imported
before the client is. And its aiohttp reads no authorities of the system at the start: API servers have their
own.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec, module_from_spec

from smarttrade.process.authorities import authorities_later


def make_bare(package: str) -> None:
    """Let submodules be imported without what the package's `__init__` loads, unless that has happened."""
    if package not in sys.modules and (spec := find_spec(package)):
        sys.modules[package] = module_from_spec(spec)


make_bare("kubernetes")
with authorities_later():
    import aiohttp  # noqa: F401
