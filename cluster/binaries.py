"""Programs of the local cluster, built from the Go module proxy into the cache folder.

Each program is a module under `cluster/go` whose go.sum pins everything that goes into it. A finished
build appears under `bin/<name>-<version>/` by one rename, so a killed build leaves nothing half made,
and a lock per module keeps concurrent commands from building the same twice.
"""

import hashlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from cluster import toolchain
from cluster.commands import run
from cluster.errors import ClusterError
from cluster.locks import exclusive
from cluster.paths import cache_folder
from cluster.progress import step

MODULES = Path(__file__).resolve().parent / "go"
KUBERNETES = "1.35.4"
_STAMP = "k8s.io/component-base/version"
_KUBERNETES_FLAGS = f"-X {_STAMP}.gitVersion=v{KUBERNETES} -X {_STAMP}.gitMajor=1 -X {_STAMP}.gitMinor=35"


@dataclass(frozen=True)
class Program:
    """One executable: the module folder that pins it, the package to build, its version."""

    name: str
    module: str
    package: str
    version: str = ""
    link_flags: str = ""

    @property
    def folder(self) -> Path:
        """Where the finished build is found; the version of our own programs is their source."""
        version = self.version or _source_digest(MODULES / self.module)
        return cache_folder() / "bin" / f"{self.name}-{version}"

    @property
    def path(self) -> Path:
        return self.folder / self.name


def _kubernetes(name: str) -> Program:
    return Program(name, "kubernetes", f"k8s.io/kubernetes/cmd/{name}", KUBERNETES, _KUBERNETES_FLAGS)


# In the order in which a cold machine best builds them: what the quick tests need comes first.
PROGRAMS = {
    program.name: program
    for program in (
        Program("nats-server", "nats-server", "github.com/nats-io/nats-server/v2", "2.15.2"),
        Program("etcd", "etcd", "go.etcd.io/etcd/server/v3", "3.6.9"),
        _kubernetes("kube-apiserver"),
        _kubernetes("kube-controller-manager"),
        _kubernetes("kubectl"),
        Program("helm", "helm", "helm.sh/helm/v3/cmd/helm", "3.22.0"),
        _kubernetes("kube-scheduler"),
        _kubernetes("kubelet"),
        _kubernetes("kube-proxy"),
        Program("coredns", "coredns", "smarttrade.io/cluster/coredns"),
        Program("egress-gateway", "egress-gateway", "smarttrade.io/cluster/egress-gateway"),
        Program("pause", "node", "smarttrade.io/cluster/node/cmd/pause"),
        Program("relay", "node", "smarttrade.io/cluster/node/cmd/relay"),
        Program("bandwidth", "node", "smarttrade.io/cluster/node/cmd/bandwidth"),
        Program("netpol-cni", "node", "smarttrade.io/cluster/node/cmd/netpol-cni"),
    )
}
# Only where a Docker engine answers.
KIND_PROGRAMS = {
    program.name: program
    for program in (
        Program("kind", "kind", "sigs.k8s.io/kind", "0.33.0"),
        Program(
            "cni-bandwidth",
            "cni-bandwidth",
            "github.com/containernetworking/plugins/plugins/meta/bandwidth",
            "1.9.1",
        ),
    )
}


def ensure(name: str) -> Path:
    """Path of the program `name`, built first when the cache has none; ClusterError for an unknown name."""
    program = PROGRAMS.get(name) or KIND_PROGRAMS.get(name)
    if program is None:
        raise ClusterError(f"no program is called {name!r}; known are {', '.join(PROGRAMS)}")
    if not program.path.exists():
        with exclusive(cache_folder() / "bin" / f"{program.module}.lock"):
            if not program.path.exists():
                _build(program)
    return program.path


def _build(program: Program) -> None:
    for left in program.folder.parent.glob(f"{program.folder.name}.unfinished-*"):
        shutil.rmtree(left, ignore_errors=True)
    unfinished = program.folder.with_name(f"{program.folder.name}.unfinished-{os.getpid()}")
    environment = toolchain.build_environment()
    go = toolchain.go()
    with step(f"build {program.name} {program.version or '(ours)'}"):
        try:
            run(build_command(program, go, unfinished), cwd=MODULES / program.module, environment=environment)
            unfinished.rename(program.folder)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)


def build_command(program: Program, go: Path, folder: Path) -> list[str]:
    """The `go build` call that writes `program` into `folder`."""
    link = f"-s -w {program.link_flags}".strip()
    target = folder / program.name
    return [str(go), "build", "-trimpath", "-ldflags", link, "-o", str(target), program.package]


def _source_digest(folder: Path) -> str:
    digest = hashlib.sha256()
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(str(file.relative_to(folder)).encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:12]
