"""A process that holds a key leaves no core behind, however it ends and whatever the node does with cores."""

from __future__ import annotations

import subprocess
import sys

_ASK = """
import ctypes, resource
from smarttrade.process.secrecy import leave_no_core
library = ctypes.CDLL(None)
before = library.prctl(3, 0, 0, 0, 0)
leave_no_core()
print(before, library.prctl(3, 0, 0, 0, 0), *resource.getrlimit(resource.RLIMIT_CORE))
"""


def test_it_is_not_dumpable_and_cannot_raise_its_limit() -> None:
    told = subprocess.run([sys.executable, "-c", _ASK], capture_output=True, text=True, check=True)
    assert told.stdout.split() == ["1", "0", "0", "0"]
