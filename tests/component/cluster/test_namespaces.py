"""Whoever makes a namespace says so on it, and deletes no other."""

from __future__ import annotations

from cluster.controlplane import CONTEXT, ControlPlane
from cluster.kubectl import Kubectl, build_namespace, delete_namespace, make_namespace
from cluster.target import Origin, Target


def test_a_namespace_is_deleted_by_who_made_it_only(control_plane: ControlPlane) -> None:
    kubectl = Kubectl(Target(Origin.GIVEN, control_plane.kubeconfig, CONTEXT))
    kubectl.apply(build_namespace("somebodys"))
    for name in ("somebodys", "ours"):
        make_namespace(kubectl, name, "demo")
    assert not delete_namespace(kubectl, "somebodys", "demo")
    assert delete_namespace(kubectl, "ours", "demo")
    assert not kubectl.find("namespace", "ours")
    assert "labels" not in kubectl.get("namespace", "somebodys")["metadata"] or (
        "smarttrade.io/made-by" not in kubectl.get("namespace", "somebodys")["metadata"]["labels"]
    )
