"""A machine or a user that cannot run the local cluster is told so in one sentence."""

import os
import sys
from pathlib import Path

import pytest

from cluster import cli
from cluster.errors import MissingRequirement
from cluster.node import system_packages


def test_without_root_one_sentence_says_what_is_needed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for name in ("KUBECONFIG", "CONTEXT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no-engine")
    monkeypatch.setattr(os, "geteuid", lambda: 65534)
    assert cli.main(["up"]) == 1
    told = capsys.readouterr()
    assert told.err.startswith("cluster: the local cluster needs root; run this with sudo, or ")
    assert told.err.count("\n") == 1
    assert told.out == ""


def test_another_system_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(MissingRequirement, match=r"needs Linux on x86-64, this is .*; or give another"):
        system_packages.require_system()


def test_packages_are_recognised_by_their_programs() -> None:
    assert system_packages.missing({"sh": "sh", "nothing": "no-such-program"}) == ["nothing"]
