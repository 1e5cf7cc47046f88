"""Command lines of the Kubernetes control plane, shared by the bare control plane and the real cluster."""

from dataclasses import dataclass
from pathlib import Path

from cluster import binaries
from cluster.pki import Pair

SERVICE_NETWORK = "10.96.0.0/16"
SERVICE_ADDRESS = "10.96.0.1"


@dataclass(frozen=True)
class Etcd:
    """One etcd member for a cluster that is thrown away: it does not wait for the disk."""

    folder: Path
    client_port: int
    peer_port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.client_port}"

    def command(self) -> list[str]:
        peer = f"http://127.0.0.1:{self.peer_port}"
        return [
            str(binaries.ensure("etcd")),
            f"--data-dir={self.folder}",
            f"--listen-client-urls={self.url}",
            f"--advertise-client-urls={self.url}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
            "--unsafe-no-fsync",
            "--log-level=warn",
        ]


@dataclass(frozen=True)
class ApiServer:
    """What kube-apiserver needs to know."""

    etcd_url: str
    bind_address: str
    port: int
    authority: Path
    serving: Pair
    service_accounts: Pair

    def command(self) -> list[str]:
        return [
            str(binaries.ensure("kube-apiserver")),
            f"--etcd-servers={self.etcd_url}",
            f"--bind-address={self.bind_address}",
            f"--secure-port={self.port}",
            f"--service-cluster-ip-range={SERVICE_NETWORK}",
            f"--client-ca-file={self.authority}",
            f"--tls-cert-file={self.serving.certificate}",
            f"--tls-private-key-file={self.serving.key}",
            "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
            f"--service-account-key-file={self.service_accounts.certificate}",
            f"--service-account-signing-key-file={self.service_accounts.key}",
            "--authorization-mode=Node,RBAC",
            "--enable-admission-plugins=NodeRestriction",
            "--allow-privileged=true",
            "--profiling=false",
        ]


CONTROLLER_MANAGER = "system:kube-controller-manager"


def controller_manager_command(
    kubeconfig: Path, authority: Path, service_accounts: Pair, *extra: str
) -> list[str]:
    """kube-controller-manager without leader election: there is one, and a lease takes seconds.

    It acts as the user of `kubeconfig`: an account for each controller would take seconds as well.
    """
    return [
        str(binaries.ensure("kube-controller-manager")),
        f"--kubeconfig={kubeconfig}",
        f"--root-ca-file={authority}",
        f"--service-account-private-key-file={service_accounts.key}",
        "--leader-elect=false",
        *extra,
    ]
