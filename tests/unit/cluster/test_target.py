"""Nothing that was not made here is touched without being named."""

from pathlib import Path

import pytest

from cluster import kind
from cluster.errors import ClusterError
from cluster.node.layout import Instance
from cluster.target import Origin, Target, choose

NAME = "smarttrade-local"
LOCAL = Target(Origin.LOCAL, Instance(NAME).kubeconfig, NAME)
KIND = Target(Origin.KIND, kind.kubeconfig(NAME), f"kind-{NAME}")
OTHER = Target(Origin.LOCAL, Instance("other").kubeconfig, "other")


@pytest.mark.parametrize(
    ("environment", "docker", "expected"),
    [
        ({}, False, LOCAL),
        ({}, True, KIND),
        ({"KUBECONFIG": ""}, False, LOCAL),
        ({"KUBECONFIG": str(LOCAL.kubeconfig)}, False, LOCAL),
        ({"KUBECONFIG": str(LOCAL.kubeconfig)}, True, LOCAL),
        ({"KUBECONFIG": str(KIND.kubeconfig)}, True, KIND),
        ({"KUBECONFIG": str(OTHER.kubeconfig)}, True, OTHER),
        ({"KUBECONFIG": str(OTHER.kubeconfig), "CONTEXT": "other"}, True, OTHER),
        ({"KUBECONFIG": str(OTHER.kubeconfig), "CLUSTER_NAME": NAME}, False, LOCAL),
        (
            {"KUBECONFIG": str(OTHER.kubeconfig), "CONTEXT": "theirs"},
            False,
            Target(Origin.GIVEN, OTHER.kubeconfig, "theirs"),
        ),
        (
            {"KUBECONFIG": "/their/config", "CONTEXT": "theirs"},
            True,
            Target(Origin.GIVEN, Path("/their/config"), "theirs"),
        ),
        ({"CONTEXT": "theirs"}, True, Target(Origin.GIVEN, Path.home() / ".kube" / "config", "theirs")),
    ],
)
def test_choice(environment: dict[str, str], docker: bool, expected: Target) -> None:
    assert choose(environment, NAME, lambda: docker) == expected


def test_foreign_kubeconfig_without_a_context_is_refused() -> None:
    with pytest.raises(ClusterError, match=r"/their/config.*CONTEXT="):
        choose({"KUBECONFIG": "/their/config"}, NAME, lambda: False)


def test_docker_is_not_asked_when_the_user_has_chosen() -> None:
    def fail() -> bool:
        raise AssertionError("asked")

    assert choose({"CONTEXT": "theirs"}, NAME, fail).origin is Origin.GIVEN
