"""A demonstration's cluster: one for each module, which it starts itself, and which is gone afterwards."""

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass

import pytest

from cluster.kubectl import Kubectl
from cluster.locks import exclusive
from cluster.paths import cache_folder
from cluster.target import Origin, Target, target
from demo import accounts
from tests import readme

# What an outer `make` passes on is meant for that one.
_LEFT_OUT = ("KUBECONFIG", "CONTEXT", "DATA", "MAKEFLAGS", "MAKELEVEL", "MFLAGS")


@dataclass(frozen=True)
class Shell:
    """Commands as a user of this checkout types them."""

    where: Target
    cluster: str

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if name not in _LEFT_OUT}
        if self.where.origin is Origin.GIVEN:
            return {**kept, "KUBECONFIG": str(self.where.kubeconfig), "CONTEXT": self.where.context}
        return {**kept, "CLUSTER_NAME": self.cluster}

    def start(self, command: str, **options: object) -> "subprocess.Popen[str]":
        """Start the command in a process group of its own."""
        words = ["bash", "-euxc", command] if "\n" in command else ["bash", "-c", f"exec {command}"]
        return subprocess.Popen(  # type: ignore[call-overload,no-any-return]
            words, cwd=readme.ROOT, env=self.environment, text=True, start_new_session=True, **options
        )

    def run(self, command: str, timeout_s: float = 900) -> "subprocess.CompletedProcess[str]":
        """Run the command to its end, which must be a good one."""
        with self.start(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            stdout, stderr = process.communicate(timeout=timeout_s)
        assert process.returncode == 0, stderr[-4000:] + stdout[-2000:]
        return subprocess.CompletedProcess(command, process.returncode, stdout, stderr)


def assert_both_traded(printed: str) -> None:
    """What the demonstration printed in the end shows fills and results of both accounts."""
    for name in accounts.NAMES:
        section = re.search(rf"last fills of {name},.*\n((?:  .*\n)+)", printed)
        assert section, printed
        assert re.search(r"  \d\d:\d\d:\d\d (BUY |SELL) 0\.\d+ BTC/USDT at \d+", section[1]), printed
        assert re.search(r"  [1-9]\d* fills; equity [1-9]\d+\.\d\d; PnL realised [+-]\d+\.\d\d, ", section[1])


@pytest.fixture(scope="module")
def shell(request: pytest.FixtureRequest) -> Iterator[Shell]:
    given = bool(os.environ.get("CONTEXT"))
    name = f"{os.environ['CLUSTER_NAME']}-{request.path.stem.removeprefix('test_')}"
    with pytest.MonkeyPatch.context() as patch:
        if not given:
            patch.setenv("CLUSTER_NAME", name)
        where = target()
    made = Shell(where, name)
    # On the user's own cluster the modules take turns.
    with exclusive(cache_folder() / "demo" / "tests.lock") if given else nullcontext():
        if not given:
            made.run("make cluster-down")
        yield made
        made.run("make demo-down" if given else "make cluster-down")


@pytest.fixture(scope="module")
def kubectl(shell: Shell) -> Kubectl:
    return Kubectl(shell.where)
