"""Starting and removing the chosen cluster, whoever makes it."""

from cluster import binaries, kind
from cluster.commands import run, succeeds
from cluster.errors import ClusterError
from cluster.node import lifecycle, running
from cluster.node.layout import Instance
from cluster.target import Origin, Target


def build(where: Target) -> None:
    """Make what `up` needs to start the cluster, so that starting it takes no longer than that."""
    binaries.ensure("kubectl")
    if where.origin is Origin.LOCAL:
        lifecycle.build()
    elif where.origin is Origin.KIND:
        kind.kind_program()


def up(where: Target) -> None:
    """Make sure that the cluster answers, making it when it is ours to make."""
    if where.origin is Origin.LOCAL:
        lifecycle.up(Instance(where.context))
    elif where.origin is Origin.KIND:
        kind.up(where.context.removeprefix("kind-"))
    else:
        run([binaries.ensure("kubectl"), *where.kubectl_options, "version", "--request-timeout=15s"])


def down(where: Target) -> None:
    """Remove the cluster; ClusterError for one that was not made here."""
    if where.origin is Origin.LOCAL:
        lifecycle.down(Instance(where.context))
    elif where.origin is Origin.KIND:
        kind.down(where.context.removeprefix("kind-"))
    else:
        raise ClusterError(
            f"{where.context} was not made here, so it is not removed here; unset CONTEXT to mean ours"
        )


def is_there(where: Target) -> bool:
    """Whether anything can be on it: ours keeps but images when it ends, while kind's may only be stopped."""
    if where.origin is Origin.LOCAL:
        return bool(running.supervisors(Instance(where.context)))
    return where.origin is Origin.GIVEN or where.context.removeprefix("kind-") in kind.clusters()


def is_ready(where: Target) -> bool:
    """Whether the cluster can be used now."""
    if where.origin is Origin.LOCAL:
        return lifecycle.is_ready(Instance(where.context))
    if where.origin is Origin.KIND:
        name = where.context.removeprefix("kind-")
        return name in kind.clusters() and kind.is_ready(name)
    return succeeds([binaries.ensure("kubectl"), *where.kubectl_options, "version", "--request-timeout=5s"])
