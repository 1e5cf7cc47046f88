"""Keeps what a process has in its memory, the exchange's key above all, out of core dumps.

A limit of zero alone does not: where the node hands cores to a program, the kernel does not look at it. A
process that is not dumpable leaves no core in either case, and cannot be read by others of its user.
"""

from __future__ import annotations

import ctypes
import os
import resource

_SET_DUMPABLE = 4


def leave_no_core() -> None:
    """For the rest of the process's life. OSError when the kernel refuses."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    library = ctypes.CDLL(None, use_errno=True)
    if library.prctl(_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
