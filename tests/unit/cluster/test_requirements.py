"""A machine or a user that cannot run the local cluster is told so in one sentence."""

import subprocess
import sys
from pathlib import Path

import pytest

from cluster.errors import MissingRequirement
from cluster.node import system_packages
from cluster.paths import REPOSITORY

# The modules are read first: a checkout need not be readable for just anybody.
_AS_NOBODY = """
import os, sys
from cluster import cli, clusters
from cluster.node import lifecycle
if os.geteuid() == 0:
    os.seteuid(65534)
sys.exit(cli.main(["up"]))
"""


def test_without_root_one_sentence_says_what_is_needed(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    for parent in (tmp_path.parent, tmp_path.parent.parent):
        parent.chmod(parent.stat().st_mode | 0o011)
    environment = {"XDG_CACHE_HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "DOCKER_HOST": "unix:///nowhere"}
    done = subprocess.run(
        [sys.executable, "-c", _AS_NOBODY], cwd=REPOSITORY, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert done.stderr.startswith("cluster: the local cluster needs root; run this with sudo, or ")
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


def test_another_system_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(MissingRequirement, match=r"needs Linux on x86-64, this is .*; or give another"):
        system_packages.require_system()


def test_packages_are_recognised_by_their_programs() -> None:
    assert system_packages.missing({"sh": "sh", "nothing": "no-such-program"}) == ["nothing"]
