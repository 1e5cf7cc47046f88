"""The demonstration as a newcomer runs it: the README's commands, killed and run again.

In this order: each test goes on with the cluster that the one before has left.
"""

import json
import os
import random
import re
import shutil
import signal
import subprocess

import pytest
import yaml

from cluster import clusters
from cluster.kubectl import Kubectl, eventually
from demo import accounts, platform
from tests import readme
from tests.e2e.demo.conftest import Shell, assert_both_traded
from tests.pages import blocks

FIRST_ACCOUNT = "export KUBECONFIG="

pytestmark = pytest.mark.timeout(1800)


def kill_when(shell: Shell, reached: str, after_s: float) -> None:
    """Start the demonstration and kill it with everything that it started, some time into a step."""
    with shell.start("make demo", stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as first:
        assert first.stderr is not None
        assert any(f"{reached}:" in line for line in first.stderr), f"it ended without {reached}"
        with pytest.raises(subprocess.TimeoutExpired):
            first.wait(after_s)
        os.killpg(first.pid, signal.SIGKILL)


def lose_too_much(kubectl: Kubectl, name: str) -> None:
    """Let the account come to its limit of loss, as one does that is left alone for hours."""
    change = json.dumps({"spec": {"risk": {"maxDailyLoss": "0.01"}}})
    kubectl("patch", "ta", name, "-n", name, "--type=merge", "-p", change)
    eventually(lambda: bool(accounts.look(kubectl, name).breach), f"{name} is stopped", 120)


def assert_steps_are_timed(shown: str) -> None:
    """Each step of the story says how long after the start it began."""
    steps = ("cluster", "images", "platform", "accounts", "alice trades", "bob trades", "fail-over", "done")
    began_s = [re.search(rf"\[ *(\d+\.\d) s\]\S* {step}\b", shown) for step in steps]
    assert all(began_s), shown
    assert (times := [float(found[1]) for found in began_s if found]) == sorted(times)


def assert_it_says_what_next(printed: str) -> None:
    """The accounts as kubectl lists them, then commands to go on with."""
    columns = ["NAMESPACE", "NAME", "STATE", "MODE", "READY", "LEADER", "EQUITY", "PNL", "AGE"]
    [listing, _, suggested] = printed.partition("Try next:")
    lines = [line.split() for line in listing.splitlines()]
    rows = lines[lines.index(columns) + 1 :]
    for name in accounts.NAMES:
        [row] = [row for row in rows if row[:2] == [name, name]]
        assert re.fullmatch(r"(\d+[smhd])+", row[len(columns) - 1]), row
    for command in ("kubectl get ta -A -w", "kubectl patch ta alice", "make demo-down", "make cluster-down"):
        assert command in suggested


def test_killed_at_any_point_it_can_be_run_again(shell: Shell, kubectl: Kubectl) -> None:
    chance = random.Random(195)  # spreads them well
    for reached in ("cluster", "images", "platform", "accounts", "alice trades", "fail-over"):
        kill_when(shell, reached, chance.uniform(0, 3))
    lose_too_much(kubectl, "bob")
    shown = shell.run("make demo")
    assert_both_traded(shown.stdout)
    assert_steps_are_timed(shown.stderr)
    assert_it_says_what_next(shown.stdout)
    listed = kubectl("get", "ta", "-A")
    assert re.search(r"alice +alice +Active +Live +True", listed), listed


def test_the_first_account_of_the_readme(shell: Shell, kubectl: Kubectl) -> None:
    told = shell.run(readme.block_with(FIRST_ACCOUNT), timeout_s=300).stdout
    assert re.search(r"carol +Active +Paper +True", told), told
    kubectl("delete", "namespace", "carol", "--wait=false")


def test_the_cluster_part_of_the_strategy_guide(shell: Shell) -> None:
    page = (readme.ROOT / "docs" / "strategies.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```sh\n(.*?)```", page, flags=re.DOTALL)
    [make, in_the_cluster] = [found for found in blocks if "strategy new" in found or "kubectl" in found]
    folder = readme.ROOT / "mean-cross"
    try:
        shell.run(make.splitlines()[0])
        told = shell.run(in_the_cluster, timeout_s=400).stdout
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    assert re.search(r"mean-cross +Active +Paper +True", told), told


def test_another_version_of_a_strategy_as_the_guide_has_it(shell: Shell, kubectl: Kubectl) -> None:
    """For alice, who has traded a built-in one until then."""
    guide = [block for block in blocks() if block.page == "docs/strategies.md"]
    [ours] = [block.text for block in guide if block.text.startswith("export ")]
    first, second = (block.text for block in guide if block.text.startswith("kubectl "))
    [module] = [block.text for block in guide if "class AboveTheMean" in block.text]
    page = (readme.ROOT / "docs" / "strategies.md").read_text(encoding="utf-8")
    [source] = re.findall(r"```yaml\nstrategy: (.*configMapRef.*)\n```", page)
    change = {"spec": {"strategy": {"name": None, "parameters": None, **yaml.safe_load(source)}}}
    to_cluster = "".join(line for line in ours.splitlines(keepends=True) if line.startswith("export "))

    def runs(config_map: str) -> None:
        def is_shown() -> bool:
            status = kubectl.get("ta", "alice", "-n", "alice")["status"]
            return str(status.get("strategyVersion")).startswith(f"{config_map}@")

        eventually(is_shown, f"alice runs {config_map}", 120)

    file = readme.ROOT / "mine.py"
    file.write_text(module)
    try:
        shell.run(to_cluster + first)
        kubectl("patch", "ta", "alice", "-n", "alice", "--type=merge", "-p", json.dumps(change))
        runs("above-the-mean-1")
        shell.run(to_cluster + second)
        runs("above-the-mean-2")
    finally:
        file.unlink()


def test_it_is_removed_from_the_cluster(shell: Shell, kubectl: Kubectl) -> None:
    shell.run("make demo-down")
    assert not kubectl.get("ta", "-A")["items"]
    left = {item["metadata"]["name"] for item in kubectl.get("namespaces")["items"]}
    assert not left & {*accounts.NAMES, platform.NAMESPACE}


@pytest.mark.skipif(bool(os.environ.get("CONTEXT")), reason="the cluster is not ours to remove")
def test_without_its_cluster_there_is_nothing_to_remove(shell: Shell) -> None:
    shell.run("make cluster-down")
    assert "nothing to remove" in shell.run("make demo-down").stderr
    assert not clusters.is_there(shell.where)


def test_an_example_runs_without_a_cluster(shell: Shell) -> None:
    command = ".venv/bin/smarttrade run examples/alice.yaml"
    with shell.start(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as run:
        assert run.stdout is not None
        assert any(" fill: " in line for line in run.stdout), "it ended without a fill"
        os.killpg(run.pid, signal.SIGINT)
        rest = run.stdout.read()
    assert run.returncode == 0, rest
