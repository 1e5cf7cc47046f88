"""What the translation needs to know of pods, namespaces and policies."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Document = Mapping[str, Any]
Labels = Mapping[str, str]
_ENDED = {"Succeeded", "Failed"}


@dataclass(frozen=True)
class Pod:
    """A pod with an address of its own. `ports` maps a port's name to (protocol, number)."""

    namespace: str
    name: str
    address: str
    labels: Labels = field(default_factory=dict)
    ports: Mapping[str, tuple[str, int]] = field(default_factory=dict)


@dataclass(frozen=True)
class World:
    """All that decides the rules. `namespaces` maps a namespace to its labels."""

    pods: tuple[Pod, ...]
    namespaces: Mapping[str, Labels]
    policies: tuple[Document, ...]


def read_pod(document: Document, address: str | None) -> Pod | None:
    """The pod as peer and subject of policies; None for one that has no address of its own (any more)."""
    spec, status = document["spec"], document.get("status", {})
    address = address or status.get("podIP")
    if not address or spec.get("hostNetwork") or status.get("phase") in _ENDED:
        return None
    metadata = document["metadata"]
    return Pod(metadata["namespace"], metadata["name"], address, metadata.get("labels") or {}, _ports(spec))


def _ports(spec: Document) -> dict[str, tuple[str, int]]:
    # Sidecars are init containers that keep running, and they serve ports too.
    containers = [*spec.get("containers", []), *spec.get("initContainers", [])]
    declared = [port for container in containers for port in container.get("ports") or []]
    return {
        port["name"]: (port.get("protocol", "TCP"), port["containerPort"])
        for port in declared
        if port.get("name")
    }
