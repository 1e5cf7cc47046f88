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
    """The cluster to work on; it need not run yet (see `cluster.clusters.up`)."""
    return choose(os.environ, instance_name(), docker.answers)


def choose(environment: Mapping[str, str], name: str, docker_answers: Callable[[], bool]) -> Target:
    """The choice itself: `environment` before Docker before our own; ClusterError for half a choice.

    A KUBECONFIG that was made here names its cluster, as the README has it exported, but CLUSTER_NAME is
    said on purpose and counts more.
    """
    given, context = environment.get("KUBECONFIG"), environment.get("CONTEXT")
    ours = _made_here(Path(given)) if given else None
    if ours and context in (None, "", ours.context):
        if environment.get("CLUSTER_NAME") in (None, "", _name(ours)):
            return ours
    elif context:
        return Target(Origin.GIVEN, Path(given or Path.home() / ".kube" / "config"), context)
    elif given:
        raise ClusterError(
            f"KUBECONFIG is {given}, which was not made here: name the context to use with CONTEXT=..., "
            "or unset KUBECONFIG to use a local cluster"
        )
    return _with_kind(name) if docker_answers() else _local(name)


def _local(name: str) -> Target:
    return Target(Origin.LOCAL, Instance(name).kubeconfig, name)


def _with_kind(name: str) -> Target:
    return Target(Origin.KIND, kind.kubeconfig(name), f"kind-{name}")


def _name(ours: Target) -> str:
    return ours.context.removeprefix("kind-") if ours.origin is Origin.KIND else ours.context


def _made_here(kubeconfig: Path) -> Target | None:
    """The cluster whose kubeconfig this is, if its place is one where we put them."""
    folder = kubeconfig.parent.name
    candidates = (_with_kind(folder.removeprefix("kind-")), _local(folder))
    return next((each for each in candidates if each.kubeconfig == kubeconfig), None)
