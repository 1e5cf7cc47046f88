"""Certificates and configuration files of one start."""

import json
import shutil
from pathlib import Path

from cluster import binaries, pki
from cluster.components import CONTROLLER_MANAGER, SERVICE_ADDRESS
from cluster.kubeconfig import build_kubeconfig, write_kubeconfig
from cluster.node.configuration import build_cni_config, build_kubelet_config, build_proxy_config
from cluster.node.layout import API_PORT, DOMAIN, NODE_ADDRESS, Instance

CNI_PLUGINS = Path("/usr/lib/cni")
_SERVER_NAMES = ["localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"]


def prepare(instance: Instance, host_port: int) -> None:
    """Make the folder of `instance` ready for its supervisor; what an earlier start left is dropped."""
    for name in Instance.VOLATILE:
        shutil.rmtree(instance.folder / name, ignore_errors=True)
        (instance.folder / name).mkdir(parents=True)
    (instance.folder / "etcd").chmod(0o700)
    authority = pki.Authority(instance.settings / "pki")
    pki.service_account_keys(authority.folder)
    hosts = ["127.0.0.1", SERVICE_ADDRESS, NODE_ADDRESS, f"kubernetes.default.svc.{DOMAIN}"]
    authority.serving("kube-apiserver", [*hosts, *_SERVER_NAMES])
    authority.client("kubelet-client", "kube-apiserver", ["system:masters"])
    _write_kubeconfigs(instance, authority, host_port)
    serving = authority.serving("kubelet-serving", [NODE_ADDRESS, instance.name])
    _write(instance, "kubelet.json", build_kubelet_config(instance.name, authority.pair.certificate, serving))
    proxy_kubeconfig = instance.settings / "proxy.kubeconfig"
    _write(instance, "kube-proxy.json", build_proxy_config(proxy_kubeconfig, instance.name))
    (instance.settings / "resolv.conf").write_text("search .\n")
    _prepare_cni(instance.folder / "cni")


def _write_kubeconfigs(instance: Instance, authority: pki.Authority, host_port: int) -> None:
    clients = {
        "admin": authority.client("admin", "admin", ["system:masters"]),
        # By its name policies tell it from a person who administers the cluster.
        "manager": authority.client("manager", CONTROLLER_MANAGER, ["system:masters"]),
        "kubelet": authority.client("kubelet", f"system:node:{instance.name}", ["system:nodes"]),
        "scheduler": authority.client("scheduler", "system:kube-scheduler"),
        "proxy": authority.client("proxy", "system:kube-proxy"),
    }
    certificate = authority.pair.certificate
    for name, client in clients.items():
        inside = build_kubeconfig(f"https://127.0.0.1:{API_PORT}", certificate, client, instance.name, name)
        write_kubeconfig(instance.settings / f"{name}.kubeconfig", inside)
    server = f"https://127.0.0.1:{host_port}"
    outside = build_kubeconfig(server, certificate, clients["admin"], instance.name, "admin")
    write_kubeconfig(instance.kubeconfig, outside)


def _prepare_cni(folder: Path) -> None:
    for name in ("bin", "conf"):
        (folder / name).mkdir()
    plugins = [CNI_PLUGINS / name for name in ("ptp", "portmap", "host-local", "loopback")]
    for plugin in [*plugins, binaries.ensure("bandwidth"), binaries.ensure("netpol-cni")]:
        (folder / "bin" / plugin.name).symlink_to(plugin)
    (folder / "conf" / "10-pods.conflist").write_text(json.dumps(build_cni_config(), indent=1))


def _write(instance: Instance, name: str, content: dict[str, object]) -> None:
    (instance.settings / name).write_text(json.dumps(content, indent=1))
