"""The other commands, as a user types them."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"


def smarttrade(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "smarttrade.cli.main", *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=120, check=False, env=environment or None
    )


@pytest.mark.parametrize("name", sorted(path.name for path in EXAMPLES.glob("*.yaml")))
def test_every_example_is_valid(name: str):
    answer = smarttrade("validate", str(EXAMPLES / name))
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.startswith("valid: ")


def test_an_invalid_manifest_is_told_everything_that_is_wrong(tmp_path: Path):
    text = (EXAMPLES / "bob.yaml").read_text()
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(text.replace("timeframe: 1s", "timeframe: 7s").replace("replicas: 1", "replicas: 9"))
    answer = smarttrade("validate", str(wrong))
    assert answer.returncode == 2
    assert "spec.strategy.timeframe" in answer.stderr
    assert "spec.replicas" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_live_without_credentials_says_which_option_is_missing(tmp_path: Path):
    manifest = tmp_path / "real.yaml"
    manifest.write_text(
        (EXAMPLES / "bob.yaml").read_text().replace("environment: Simulator", "environment: Testnet")
    )
    answer = smarttrade("run", str(manifest))
    assert answer.returncode == 2
    assert "--credentials" in answer.stderr


def test_crds_are_definitions():
    answer = smarttrade("crds")
    documents = list(yaml.safe_load_all(answer.stdout))
    assert [document["kind"] for document in documents] == ["CustomResourceDefinition"] * 2
    kinds = [document["spec"]["names"]["kind"] for document in documents]
    assert kinds == ["TradingAccount", "Backtest"]


def test_help_names_every_command():
    answer = smarttrade("--help")
    for command in (
        "run",
        "validate",
        "crds",
        "status",
        "halt",
        "pause",
        "resume",
        "flatten",
        "simulator",
        "backtest",
        "sweep",
        "data",
        "version",
    ):
        assert command in answer.stdout


def test_the_simulators_own_help_is_reached():
    answer = smarttrade("simulator", "--help")
    assert answer.returncode == 0
    assert "--compress" in answer.stdout


def test_without_a_cluster_the_message_says_what_to_set(tmp_path: Path):
    answer = smarttrade("status", "alice", KUBECONFIG=str(tmp_path / "none"), HOME=str(tmp_path))
    assert answer.returncode == 2
    assert "KUBECONFIG" in answer.stderr
