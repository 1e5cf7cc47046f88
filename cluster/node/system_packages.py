"""What the cluster takes from the system: root, Linux, and Debian packages, installed when missing."""

import os
import platform
import shutil
import sys
from pathlib import Path

from cluster.commands import run
from cluster.errors import ClusterError, MissingRequirement
from cluster.locks import exclusive
from cluster.paths import cache_folder
from cluster.progress import say, step

# A program of each package, by which its presence is recognised.
PACKAGES = {
    "containerd": "containerd",
    "runc": "runc",
    "containernetworking-plugins": "/usr/lib/cni/bandwidth",
    "nftables": "nft",
    "iptables": "iptables",
    "iproute2": "ip",
    "conntrack": "conntrack",
    "util-linux": "unshare",
    "mount": "mount",
}
IMAGE_PACKAGES = {
    "buildah": "buildah",
    "debootstrap": "debootstrap",
    "debian-archive-keyring": "/usr/share/keyrings/debian-archive-keyring.gpg",
}
_OTHERWISE = "or give another cluster with KUBECONFIG=... CONTEXT=..., or start a Docker engine"
_NO_START = Path("/usr/sbin/policy-rc.d")
_NO_START_TEXT = "#!/bin/sh\n# Made while packages are installed for a local cluster.\nexit 101\n"


def require_system() -> None:
    """Raise MissingRequirement, in one sentence, where this cluster cannot run at all."""
    if sys.platform != "linux" or platform.machine() != "x86_64":
        system = f"{platform.system()} on {platform.machine()}"
        raise MissingRequirement(f"the local cluster needs Linux on x86-64, this is {system}; {_OTHERWISE}")
    if os.geteuid() != 0:
        raise MissingRequirement(f"the local cluster needs root; run this with sudo, {_OTHERWISE}")
    if not Path("/sys/fs/cgroup").is_dir() or not os.access("/sys/fs/cgroup", os.W_OK):
        raise MissingRequirement(f"the local cluster needs a writable /sys/fs/cgroup; {_OTHERWISE}")


def missing(packages: dict[str, str]) -> list[str]:
    """Packages whose program this machine lacks."""
    return [
        name for name, program in packages.items() if not (shutil.which(program) or Path(program).exists())
    ]


def install_missing(packages: dict[str, str] = PACKAGES) -> None:
    """Install with apt what is missing; lists that cannot be fetched matter only if a package then cannot."""
    if missing(packages):
        with exclusive(cache_folder() / "packages.lock"):
            _install(missing(packages), packages)


def _install(wanted: list[str], packages: dict[str, str]) -> None:
    if not wanted:
        return
    if shutil.which("apt-get") is None:
        raise MissingRequirement(
            f"please install {', '.join(wanted)}: only Debian's apt can be used to do it here"
        )
    with step(f"install {' '.join(wanted)}"), _without_starting_services():
        _update_lists()
        quiet = {"DEBIAN_FRONTEND": "noninteractive"}
        # An installation that was killed half way would otherwise stop every later one.
        run(["dpkg", "--configure", "-a"], environment=quiet)
        run(["apt-get", "install", "-y", "-q", "--no-install-recommends", *wanted], environment=quiet)
    if still := missing(packages):
        raise MissingRequirement(f"apt installed {', '.join(still)} but their programs are not in PATH")


def _update_lists() -> None:
    try:
        run(["apt-get", "update", "-q"])
    except ClusterError:
        say("some package lists could not be fetched; trying with those that could")


class _without_starting_services:  # noqa: N801 - reads as a statement
    """Debian starts a service when it installs it; this cluster brings its own containerd up."""

    def __enter__(self) -> None:
        # By its text one is known that a killed command has left.
        self.ours = not _NO_START.exists() or _NO_START.read_text() == _NO_START_TEXT
        if self.ours:
            _NO_START.write_text(_NO_START_TEXT)
            _NO_START.chmod(0o755)

    def __exit__(self, *_: object) -> None:
        if self.ours:
            _NO_START.unlink(missing_ok=True)
