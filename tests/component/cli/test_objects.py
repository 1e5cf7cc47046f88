"""status, halt, pause, resume and flatten against a real API server."""

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from cluster import binaries
from cluster.controlplane import ControlPlane
from smarttrade.cli.errors import EXIT_UNKNOWN

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "bob.yaml"


def smarttrade(control_plane: ControlPlane, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"KUBECONFIG": str(control_plane.kubeconfig), "COLUMNS": "140"}
    command = [sys.executable, "-m", "smarttrade.cli.main", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=environment)


def kubectl(control_plane: ControlPlane, *arguments: str, manifest: object = None) -> str:
    command = [binaries.ensure("kubectl"), "--kubeconfig", control_plane.kubeconfig, *arguments]
    text = yaml.safe_dump(manifest) if manifest else None
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def defined(control_plane: ControlPlane) -> None:
    """The objects' definitions, as the command prints them, are served."""
    definitions = smarttrade(control_plane, "crds").stdout
    kubectl(
        control_plane,
        "apply",
        "--server-side",
        "--force-conflicts",
        "-f",
        "-",
        manifest={"apiVersion": "v1", "kind": "List", "items": list(yaml.safe_load_all(definitions))},
    )
    kubectl(control_plane, "wait", "crd", "--all", "--for=condition=Established", "--timeout=60s")


@pytest.fixture
def bob(control_plane: ControlPlane, defined: None) -> Iterator[str]:
    """The namespace in which the account `bob` is until the test ends."""
    namespace = f"cli-{uuid.uuid4().hex[:8]}"
    kubectl(control_plane, "create", "namespace", namespace)
    account = yaml.safe_load(EXAMPLE.read_text())
    account["metadata"]["namespace"] = namespace
    kubectl(control_plane, "apply", "-f", "-", manifest=account)
    yield namespace
    kubectl(control_plane, "delete", "ta", "bob", "-n", namespace)


@pytest.mark.parametrize(
    ("command", "state"),
    [("pause", "Paused"), ("flatten", "Flatten"), ("resume", "Active")],
)
def test_a_command_changes_the_state_of_the_object(
    control_plane: ControlPlane, bob: str, command: str, state: str
):
    answer = smarttrade(control_plane, command, "bob", "-n", bob)
    assert answer.returncode == 0, answer.stderr
    assert f"{bob}/bob: Active -> {state}" in answer.stdout
    assert kubectl(control_plane, "get", "ta", "bob", "-n", bob, "-o", "jsonpath={.spec.state}") == state


def test_a_halt_that_no_pod_confirms_is_written_and_said_to_be_unknown(control_plane: ControlPlane, bob: str):
    answer = smarttrade(control_plane, "halt", "bob", "-n", bob)
    assert answer.returncode == EXIT_UNKNOWN
    assert f"{bob}/bob: spec.state is Halted" in answer.stdout
    assert "not confirmed within 2 s" in answer.stdout
    assert "no pod of the account runs" in answer.stdout
    assert kubectl(control_plane, "get", "ta", "bob", "-n", bob, "-o", "jsonpath={.spec.state}") == "Halted"


def test_status_shows_what_is_known(control_plane: ControlPlane, bob: str):
    answer = smarttrade(control_plane, "status", "bob", "-n", bob)
    assert answer.returncode == 0, answer.stderr
    assert f"{bob}/bob" in answer.stdout
    assert "not reported yet (asked: Active)" in answer.stdout


def test_an_account_that_is_not_there_is_one_sentence(control_plane: ControlPlane, bob: str):
    answer = smarttrade(control_plane, "halt", "nobody", "-n", bob)
    assert answer.returncode == 2
    assert f"there is no TradingAccount {bob}/nobody" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_an_unknown_context_is_one_sentence(control_plane: ControlPlane):
    answer = smarttrade(control_plane, "status", "bob", "--context", "elsewhere")
    assert answer.returncode == 2
    assert "elsewhere" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_rotate_is_done_only_when_the_account_says_that_the_old_credentials_are_refused(
    control_plane: ControlPlane, bob: str
) -> None:
    asked = smarttrade(control_plane, "account", "rotate", "bob", "-n", bob, "--timeout", "1")
    assert asked.returncode == EXIT_UNKNOWN, asked.stderr
    annotations = yaml.safe_load(kubectl(control_plane, "get", "ta", "bob", "-n", bob, "-o", "yaml"))
    since = annotations["metadata"]["annotations"]["smarttrade.io/rotate-credentials"]
    assert "not known to be refused" in asked.stdout

    status = {"status": {"credentialsRevokedUntil": since.replace("20", "30", 1)}}
    patch = [
        "patch",
        "ta",
        "bob",
        "-n",
        bob,
        "--subresource=status",
        "--type=merge",
        "-p",
        json.dumps(status),
    ]
    kubectl(control_plane, *patch)
    done = smarttrade(control_plane, "account", "rotate", "bob", "-n", bob)
    assert (done.returncode, "everything issued before is refused" in done.stdout) == (0, True)
