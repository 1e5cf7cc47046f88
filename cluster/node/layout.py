"""Names, addresses and places of one cluster instance."""

import os
from dataclasses import dataclass
from pathlib import Path

from cluster.paths import cache_folder

DEFAULT_NAME = "smarttrade-local"
# Inside the cluster's own network namespace; two instances may use the same addresses.
NODE_ADDRESS = "10.245.0.1"
POD_NETWORK = "10.244.0.0/24"
DNS_ADDRESS = "10.96.0.10"
DOMAIN = "cluster.local"
API_PORT = 6443
# Unix sockets have short names, home folders may not: inside, the cluster's folder is found here.
INSIDE = Path("/run/smarttrade")


def instance_name() -> str:
    """`CLUSTER_NAME`, for a second cluster beside the usual one."""
    return os.environ.get("CLUSTER_NAME") or DEFAULT_NAME


@dataclass(frozen=True)
class Instance:
    """One cluster: its name is also the node's, the kubeconfig context's and the cgroup's."""

    name: str

    @property
    def folder(self) -> Path:
        return cache_folder() / "cluster" / self.name

    @property
    def kubeconfig(self) -> Path:
        return self.folder / "kubeconfig"

    @property
    def settings(self) -> Path:
        """Configuration, certificates and logs; made anew by every start."""
        return self.folder / "settings"

    @property
    def logs(self) -> Path:
        return self.folder / "logs"

    @property
    def command_lock(self) -> Path:
        return self.folder.with_name(f"{self.name}.lock")

    # Made anew by every start; the images beside them are kept.
    VOLATILE = ("settings", "logs", "etcd", "kubelet", "pod-logs", "cni", "volumes")
