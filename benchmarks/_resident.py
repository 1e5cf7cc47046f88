"""How much memory a process keeps, and how long it has computed, by the kernel's account of it."""

from __future__ import annotations

import os
from pathlib import Path

_KIB_A_MIB = 1024


def resident(pid: int) -> dict[str, float]:
    """MiB of a process: `Rss` with what it shares, `Pss` with its share of that."""
    sizes = {}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        name, _, rest = line.partition(":")
        if name in ("Rss", "Pss"):
            sizes[name] = int(rest.split()[0]) / _KIB_A_MIB
    return sizes


def total(pids: list[int], kind: str) -> float:
    return sum(resident(pid)[kind] for pid in pids)


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
