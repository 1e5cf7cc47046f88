"""buildah with an image store of its own in the cache folder, without any daemon."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from cluster.commands import run, succeeds
from cluster.paths import cache_folder


def command(run_folder: Path, *words: str | Path) -> list[str]:
    """A buildah call; its mounts live and die in a mount namespace of its own."""
    store = cache_folder() / "images" / "store"
    return [
        "unshare",
        "--mount",
        "--propagation=private",
        "buildah",
        f"--root={store}",
        f"--runroot={run_folder}",
        *map(str, words),
    ]


def has(reference: str) -> bool:
    """Whether the store has `reference`."""
    with _run_folder() as name:
        folder = Path(name)
        return succeeds(command(folder, "inspect", "--type=image", "--format={{.FromImageID}}", reference))


def build(
    context: Path, reference: str, target: str = "", arguments: Mapping[str, str] | None = None
) -> None:
    """Build the Dockerfile in `context` and name the result `reference`."""
    with _run_folder() as name:
        folder = Path(name)
        run(command(folder, *build_words(context, reference, target, arguments or {})))


def build_words(
    context: Path, reference: str, target: str, arguments: Mapping[str, str]
) -> Sequence[str | Path]:
    """What follows `buildah` for one build; unchanged steps come from earlier builds."""
    given = [f"--build-arg={name}={value}" for name, value in arguments.items()]
    chosen = [f"--target={target}"] if target else []
    options = ["--layers", "--isolation=chroot", "--pull=false", "--format=docker", *chosen, *given]
    return ["build", *options, f"--tag={reference}", context]


def save(reference: str, archive: Path) -> None:
    """Write the image as an OCI archive under the same reference."""
    with _run_folder() as name:
        folder = Path(name)
        run(command(folder, "push", reference, f"docker-archive:{archive}:{reference}"))


def _run_folder() -> "tempfile.TemporaryDirectory[str]":
    return tempfile.TemporaryDirectory(prefix="smarttrade-buildah-")


def push(reference: str, remote: str) -> None:
    """Push the image under the name `remote`."""
    with _run_folder() as name:
        run(command(Path(name), "push", reference, f"docker://{remote}"))


def load(reference: str, archive: Path) -> None:
    """Take a docker archive into the store as `reference`."""
    with _run_folder() as name:
        run(command(Path(name), "pull", f"docker-archive:{archive}:{reference}"))


def remove(reference: str) -> None:
    """Remove the image, if the store has it."""
    with _run_folder() as name:
        succeeds(command(Path(name), "rmi", reference))
