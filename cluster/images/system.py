"""Images that are one static program each: pause and CoreDNS for the cluster, NATS, and the gateway."""

from pathlib import Path

from cluster import binaries
from cluster.images.archive import write_program_image
from cluster.images.context import digest_of
from cluster.locks import exclusive
from cluster.paths import REPOSITORY, cache_folder

CLUSTER = ("pause", "coredns")
PLATFORM = ("nats", "gateway")
# Raised when the way an image is written changes, so that caches and nodes drop the old ones.
_RECIPE = 3
_PROGRAMS = {"pause": "pause", "coredns": "coredns", "nats": "nats-server", "gateway": "egress-gateway"}


def reference(name: str) -> str:
    """Full reference; the tag changes with the program and its bill of materials."""
    program = binaries.PROGRAMS[_PROGRAMS[name]]
    version = program.folder.name.removeprefix(f"{program.name}-")
    return f"docker.io/library/smarttrade-{name}:{version}-{_RECIPE}{''.join(map(_mark, _bills(name)))}"


def _bills(name: str) -> list[Path]:
    """Its bill of materials, where it is one of the platform's images."""
    return [REPOSITORY / "requirements" / "sbom" / f"{name}.cdx.json"] if name in PLATFORM else []


def _mark(bill: Path) -> str:
    return f"-{digest_of([bill])}"


def archive(name: str) -> Path:
    """The image's archive, made first when the cache has none."""
    path = cache_folder() / "images" / f"{reference(name).rpartition('/')[2].replace(':', '-')}.tar"
    with exclusive(path.with_suffix(".lock")):
        if not path.exists():
            write_program_image(path, reference(name), binaries.ensure(_PROGRAMS[name]), _bills(name))
    return path
