"""How long an account's pod takes on the cluster from being created to Ready, with every image there.

The standby of the demonstration's alice is deleted, and its successor watched as the API server tells of it:
created, all three containers running (what Kubernetes takes), Ready (what ours take: start, NATS, history,
probes once a second). The CPU time of its processes depends less on what else the machine does. The
demonstration is started where it does not run, and removed again.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from benchmarks._account import load_note
from benchmarks._resident import cpu_s
from benchmarks._rows import alone
from cluster import clusters
from cluster.kubectl import Kubectl
from cluster.target import target
from demo import accounts, story

ACCOUNT = "alice"
TARGET_S = 3.0
REPEATS = 7
_LABEL = f"smarttrade.io/account={ACCOUNT}"

Event = tuple[float, dict[str, Any]]


def run() -> list[dict[str, Any]]:
    where = target()
    was_there = clusters.is_there(where)
    try:
        story.up(None)
        kubectl = Kubectl(where)
        with _pods(kubectl) as events:
            took = [_replace(kubectl, events) for _ in range(REPEATS)]
    finally:
        if not was_there:
            story.down()
            clusters.down(where)
    running, ready, computed = (statistics.median(each) for each in zip(*took, strict=True))
    note = f"median of {REPEATS}, {load_note()}"
    return [
        alone(f"pod created to Ready ({note})", "s", ready, f"<= {TARGET_S:.0f}", ready <= TARGET_S),
        alone("of that until all containers run", "s", running, "reported", None),
        alone("slowest of them", "s", max(ready for _, ready, _ in took), "reported", None),
        alone("CPU time of its containers until then", "s", computed, "reported", None),
    ]


def _replace(kubectl: Kubectl, events: Iterator[Event]) -> tuple[float, float, float]:
    """Seconds from a standby's creation until its containers run, and until it is Ready; CPU time by then."""
    leader = accounts.look(kubectl, ACCOUNT).leader
    names = kubectl("get", "pods", "-n", ACCOUNT, "-l", _LABEL, "-o", "name").split()
    known = {name.removeprefix("pod/") for name in names}
    [standby] = known - {leader}
    # Not waited for: what comes meanwhile is read as it comes.
    deleting = subprocess.Popen(
        kubectl.words("delete", "pod", standby, "-n", ACCOUNT), stdout=subprocess.DEVNULL
    )
    created = running = 0.0
    for at, pod in events:
        if pod["metadata"]["name"] in known:
            continue
        created = created or at
        states = pod["status"].get("containerStatuses") or []
        if states and all("running" in state["state"] for state in states):
            running = running or at
        if any(c["type"] == "Ready" and c["status"] == "True" for c in pod["status"].get("conditions") or []):
            computed = _cpu_s_of(pod["metadata"]["name"])
            deleting.wait(60)
            return running - created, at - created, computed
    raise RuntimeError("the watch of the pods ended")


def _cpu_s_of(pod: str) -> float:
    """Of the pod's processes, where its node is this machine; else 0."""
    mark, computed = f"SMARTTRADE_POD={pod}\0".encode(), 0.0
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if mark in (entry / "environ").read_bytes():
                computed += cpu_s(int(entry.name))
    return computed


@contextmanager
def _pods(kubectl: Kubectl) -> Iterator[Iterator[Event]]:
    """Every word of the API server about the account's pods, and when it came."""
    words = ("get", "pods", "-n", ACCOUNT, "-l", _LABEL, "--watch", "--output=json")
    with subprocess.Popen(kubectl.words(*words), stdout=subprocess.PIPE) as watch:
        try:
            yield _read(watch)
        finally:
            watch.terminate()


def _read(watch: subprocess.Popen[bytes]) -> Iterator[Event]:
    assert watch.stdout is not None
    decoder, text = json.JSONDecoder(), ""
    while part := os.read(watch.stdout.fileno(), 1 << 20):
        at = time.monotonic()
        text += part.decode()
        while text.strip():
            try:
                pod, end = decoder.raw_decode(text.lstrip())
            except json.JSONDecodeError:  # the rest of it comes with the next part
                break
            text = text.lstrip()[end:]
            yield at, pod
