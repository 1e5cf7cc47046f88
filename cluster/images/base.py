"""The base image where no registry can be reached: Debian bookworm with Python, from packages.

It stands in for `python:3.13-slim`, with Debian's Python 3.11 and without what an image never needs.
"""

import shutil

from cluster.commands import run
from cluster.errors import ClusterError
from cluster.images import buildah
from cluster.locks import exclusive
from cluster.paths import cache_folder, scratch_folder
from cluster.progress import step

SUITE = "bookworm"
# Bump the last number when the recipe below changes.
REFERENCE = f"localhost/smarttrade-base:{SUITE}-2"
_PACKAGES = "python3,ca-certificates"
_UNNEEDED = (
    "var/cache/apt",
    "var/lib/apt/lists",
    "var/log",
    "usr/share/doc",
    "usr/share/man",
    "usr/share/locale",
    "usr/share/info",
)


def ensure() -> str:
    """Reference of the base image in the cache's image store, made first when it has none."""
    with exclusive(cache_folder() / "images" / "base.lock"):
        if not buildah.has(REFERENCE):
            with step(f"make the base image from Debian {SUITE} packages"):
                _make()
    return REFERENCE


def _make() -> None:
    with scratch_folder("base") as folder:
        root, context = folder / "root", folder / "context"
        context.mkdir()
        # A mount namespace of its own: a killed debootstrap would leave /proc mounted in the folder.
        words = ["--variant=minbase", f"--include={_PACKAGES}", SUITE, str(root), *mirror()]
        run(["unshare", "--mount", "--propagation=private", "debootstrap", *words])
        for place in _UNNEEDED:
            shutil.rmtree(root / place, ignore_errors=True)
            (root / place).mkdir(mode=0o755)
        run(["tar", "--numeric-owner", "-C", root, "-cf", context / "root.tar", "."])
        (context / "Dockerfile").write_text('FROM scratch\nADD root.tar /\nCMD ["/bin/sh"]\n')
        buildah.build(context, REFERENCE)


def mirror() -> list[str]:
    """The Debian mirror that this machine uses for the suite; empty leaves the choice to debootstrap."""
    try:
        lines = run(
            ["apt-get", "indextargets", "--format", "$(REPO_URI)", f"Codename: {SUITE}", "Component: main"]
        )
    except ClusterError:
        return []
    return [line.rstrip("/") for line in lines.split() if line.startswith("http")][:1]
