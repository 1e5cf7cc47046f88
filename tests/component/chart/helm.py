"""Helm on the chart, as the tests need it."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from cluster import binaries

CHART = Path(__file__).resolve().parents[3] / "charts" / "smarttrade"
NAMESPACE = "smarttrade-system"
Manifest = dict[str, Any]


class Refused(Exception):  # noqa: N818
    """Helm ended with an error; the text is what it said."""


def run(*arguments: str, kubeconfig: Path | None = None) -> str:
    with tempfile.TemporaryDirectory() as home:
        folders = dict.fromkeys(("HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME"), home)
        environment = {**os.environ, **folders, "KUBECONFIG": str(kubeconfig or "/dev/null")}
        command = [str(binaries.ensure("helm")), *arguments]
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=120, check=False
        )
    if done.returncode:
        raise Refused(done.stderr + done.stdout)
    return done.stdout


def values_flags(values: Manifest) -> list[str]:
    return [part for key, value in values.items() for part in ("--set-json", f"{key}={json.dumps(value)}")]


@dataclass(frozen=True)
class Rendering:
    manifests: list[Manifest]

    def kind(self, *kinds: str) -> list[Manifest]:
        return [manifest for manifest in self.manifests if manifest["kind"] in kinds]

    def one(self, kind: str, name: str) -> Manifest:
        (found,) = [each for each in self.kind(kind) if each["metadata"]["name"] == name]
        return found


def template(values: Manifest | None = None) -> Rendering:
    """The chart rendered with values given as dotted path to value; do not change what it returns."""
    return _template(tuple(values_flags(values or {})))


@cache
def _template(flags: tuple[str, ...]) -> Rendering:
    version = ("--kube-version", "1.35.4")
    text = run("template", "smarttrade", str(CHART), "--namespace", NAMESPACE, *version, *flags)
    return Rendering([document for document in yaml.load_all(text, yaml.CSafeLoader) if document])


def pod_templates(rendering: Rendering) -> dict[str, Manifest]:
    """Name of the workload to its pods' specification."""
    workloads = rendering.kind("Deployment", "StatefulSet", "Job")
    found = {f"{w['kind']}/{w['metadata']['name']}": w["spec"]["template"] for w in workloads}
    return found | {f"Pod/{pod['metadata']['name']}": pod for pod in rendering.kind("Pod")}
