"""Images of the cluster itself: pause and CoreDNS, each one static program."""

from pathlib import Path

from cluster import binaries
from cluster.images.archive import write_program_image
from cluster.locks import exclusive
from cluster.paths import cache_folder

NAMES = ("pause", "coredns")


def reference(name: str) -> str:
    """Full reference; the tag changes with the program."""
    version = binaries.PROGRAMS[name].folder.name.removeprefix(f"{name}-")
    return f"docker.io/smarttrade/{name}:{version}"


def archive(name: str) -> Path:
    """The image's archive, made first when the cache has none."""
    path = cache_folder() / "images" / f"{binaries.PROGRAMS[name].folder.name}.tar"
    with exclusive(path.with_suffix(".lock")):
        if not path.exists():
            write_program_image(path, reference(name), binaries.ensure(name))
    return path
