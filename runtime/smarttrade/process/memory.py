"""Give memory back to the system that only the start needed.

Importing and loading leave free blocks behind that the allocator keeps: 18 MiB in a process that loads one
exchange class of ccxt. A container lives for weeks on what it holds after its start.

A full collection looks at everything, which takes 25 ms where it is nothing but modules. So what they are
made of is set aside once they are loaded. What bites: cycles among what was set aside are never found, so
nothing that is replaced later may be there yet.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc


def give_back() -> None:
    """Collect garbage and return free blocks; takes some milliseconds. Without effect outside glibc."""
    gc.collect()
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)


def settle() -> None:
    """Give back what importing left, and let later collections pass over what was imported."""
    give_back()
    gc.freeze()
