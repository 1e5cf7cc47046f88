"""Command lines of everything that runs in the cluster, by component name."""

import sys
from pathlib import Path

from cluster import binaries
from cluster.components import ApiServer, Etcd, controller_manager_command
from cluster.images import system
from cluster.node.configuration import NETPOL_SOCKET
from cluster.node.layout import API_PORT, INSIDE, NODE_ADDRESS, Instance
from cluster.pki import Pair

CONTAINERD_CONFIG = INSIDE / "settings" / "containerd.toml"
PROGRAMS = (
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kubelet",
    "kube-proxy",
    "coredns",
    "pause",
    "relay",
    "bandwidth",
    "netpol-cni",
)


def pause_image() -> str:
    """Reference of the image that holds a pod's namespaces."""
    return system.reference("pause")


def build_commands(instance: Instance, listener: int) -> dict[str, list[str]]:
    """All command lines; `listener` is the descriptor of the socket on the host's loopback."""
    settings = instance.settings
    kubeconfig = {
        name: settings / f"{name}.kubeconfig" for name in ("admin", "kubelet", "manager", "scheduler")
    }
    pki = settings / "pki"
    keys = Pair(pki / "service-accounts.pub", pki / "service-accounts.key")
    authority = pki / "ca.crt"
    manager = controller_manager_command(
        kubeconfig["manager"], authority, keys, "--allocate-node-cidrs=false", "--node-monitor-period=1s"
    )
    return {
        "etcd": Etcd(INSIDE / "etcd", 2379, 2380).command(),
        "kube-apiserver": _api_server(pki, authority, keys),
        "relay": [str(binaries.ensure("relay")), str(listener), f"127.0.0.1:{API_PORT}"],
        "containerd": ["containerd", "--config", str(CONTAINERD_CONFIG)],
        "kube-controller-manager": [
            *manager,
            f"--cluster-signing-cert-file={authority}",
            f"--cluster-signing-key-file={pki / 'ca.key'}",
        ],
        "kube-scheduler": [
            str(binaries.ensure("kube-scheduler")),
            f"--kubeconfig={kubeconfig['scheduler']}",
            "--leader-elect=false",
        ],
        "kubelet": [
            str(binaries.ensure("kubelet")),
            f"--config={settings / 'kubelet.json'}",
            f"--kubeconfig={kubeconfig['kubelet']}",
            f"--root-dir={INSIDE / 'kubelet'}",
            f"--hostname-override={instance.name}",
            f"--node-ip={NODE_ADDRESS}",
        ],
        "kube-proxy": [str(binaries.ensure("kube-proxy")), f"--config={settings / 'kube-proxy.json'}"],
        "volumes": [sys.executable, "-m", "cluster.node.volumes", str(kubeconfig["admin"])],
        "netpol": [sys.executable, "-m", "cluster.netpol", str(kubeconfig["admin"]), str(NETPOL_SOCKET)],
    }


def _api_server(pki: Path, authority: Path, keys: Pair) -> list[str]:
    serving = Pair(pki / "kube-apiserver.crt", pki / "kube-apiserver.key")
    server = ApiServer("http://127.0.0.1:2379", "0.0.0.0", API_PORT, authority, serving, keys)
    return [
        *server.command(),
        f"--advertise-address={NODE_ADDRESS}",
        "--kubelet-preferred-address-types=InternalIP",
        f"--kubelet-certificate-authority={authority}",
        f"--kubelet-client-certificate={pki / 'kubelet-client.crt'}",
        f"--kubelet-client-key={pki / 'kubelet-client.key'}",
    ]
