"""Which cluster everything works on: the one the user names, kind where Docker answers, or ours.

A context that was not made here is used only when CONTEXT names it. Everything that talks to a cluster
takes `target()`; nothing else may look at KUBECONFIG.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from cluster import kind
from cluster.errors import ClusterError
from cluster.images import docker
from cluster.node.layout import Instance, instance_name


class Origin(StrEnum):
    """Who made the cluster."""

    GIVEN = "given"
    KIND = "kind"
    LOCAL = "local"


@dataclass(frozen=True)
class Target:
    """A cluster: its kubeconfig file, the context in it, and who made it."""

    origin: Origin
    kubeconfig: Path
    context: str

    @property
    def kubectl_options(self) -> list[str]:
        """For kubectl and, with the same names, for nothing else."""
        return [f"--kubeconfig={self.kubeconfig}", f"--context={self.context}"]

    @property
    def helm_options(self) -> list[str]:
        return [f"--kubeconfig={self.kubeconfig}", f"--kube-context={self.context}"]


def target() -> Target:
    """The cluster to work on; it need not run yet (see `cluster.target.up`)."""
    return choose(os.environ, instance_name(), docker.answers)


def choose(environment: Mapping[str, str], name: str, docker_answers: Callable[[], bool]) -> Target:
    """The choice itself: `environment` before Docker before our own; ClusterError for half a choice."""
    local = Target(Origin.LOCAL, Instance(name).kubeconfig, name)
    with_kind = Target(Origin.KIND, kind.kubeconfig(name), f"kind-{name}")
    given, context = environment.get("KUBECONFIG"), environment.get("CONTEXT")
    for ours in (local, with_kind):
        if given == str(ours.kubeconfig) and context in (None, "", ours.context):
            return ours
    if context:
        return Target(Origin.GIVEN, Path(given or Path.home() / ".kube" / "config"), context)
    if given:
        raise ClusterError(
            f"KUBECONFIG is {given}, which was not made here: name the context to use with CONTEXT=..., "
            "or unset KUBECONFIG to use a local cluster"
        )
    return with_kind if docker_answers() else local
