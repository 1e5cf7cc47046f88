"""kubectl and helm, always against one named context of one kubeconfig."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Manifest = dict[str, Any]


class CommandError(Exception):
    """A command failed; the message carries what it printed."""


@dataclass(frozen=True, slots=True)
class Context:
    """Where to: the programs, and the one cluster that they may touch."""

    kubectl_path: Path
    helm_path: Path
    kubeconfig: Path
    name: str

    def kubectl(self, *arguments: str, stdin: str | None = None, timeout_s: float = 120) -> str:
        """Run kubectl and return what it printed; CommandError with its complaint."""
        return _run(self.kubectl_command(*arguments), stdin, timeout_s)

    def kubectl_command(self, *arguments: str) -> list[str]:
        """The words of a kubectl call, for processes that stay."""
        kubeconfig = ["--kubeconfig", str(self.kubeconfig), "--context", self.name]
        return [str(self.kubectl_path), *kubeconfig, *arguments]

    def helm(self, *arguments: str, timeout_s: float = 420) -> str:
        """Run helm and return what it printed; CommandError with its complaint."""
        command = [str(self.helm_path), "--kubeconfig", str(self.kubeconfig), "--kube-context", self.name]
        return _run([*command, *arguments], None, timeout_s)

    def get(self, *arguments: str) -> Manifest:
        """`kubectl get` as JSON; an empty object where it does not exist."""
        printed = self.kubectl("get", *arguments, "--ignore-not-found", "-o", "json")
        found: Manifest = json.loads(printed) if printed.strip() else {}
        return found

    def apply(self, *manifests: Mapping[str, Any]) -> None:
        """Server-side apply of the manifests, in order."""
        text = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(manifests)})
        self.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=text)


def _run(command: Sequence[str], stdin: str | None, timeout_s: float) -> str:
    try:
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=timeout_s)
    except subprocess.TimeoutExpired as error:
        raise CommandError(f"{' '.join(command[:6])} ... did not end within {timeout_s:.0f} s") from error
    if done.returncode:
        raise CommandError(f"{Path(command[0]).name} {' '.join(command[5:])}: {done.stderr.strip()}")
    return done.stdout
