"""A Docker engine, wherever DOCKER_HOST says it is; with or without BuildKit."""

from collections.abc import Mapping
from pathlib import Path

from cluster.commands import run, succeeds


def answers() -> bool:
    """Whether an engine answers."""
    return succeeds(["docker", "info"], timeout_s=20)


def has(reference: str) -> bool:
    """Whether the engine has the image."""
    return succeeds(["docker", "image", "inspect", reference])


def build(context: Path, reference: str, target: str, arguments: Mapping[str, str]) -> None:
    """Build the Dockerfile in `context` up to `target` and name the result."""
    run(build_words(context, reference, target, arguments))


def build_words(context: Path, reference: str, target: str, arguments: Mapping[str, str]) -> list[str]:
    """The command line of one build; the host's network, so that a mirror on its loopback can be used."""
    given = [f"--build-arg={name}={value}" for name, value in arguments.items()]
    return [
        "docker",
        "build",
        "--network=host",
        f"--target={target}",
        *given,
        f"--tag={reference}",
        str(context),
    ]


def load(archive: Path) -> None:
    """Load a docker archive under the reference that it carries."""
    run(["docker", "load", "--input", archive])


def remove(reference: str) -> None:
    """Remove the image, if the engine has it under this name and no container needs it."""
    succeeds(["docker", "image", "rm", reference])


def push(reference: str, remote: str) -> None:
    """Give the image the name `remote` and push it."""
    run(["docker", "tag", reference, remote])
    run(["docker", "push", remote])
