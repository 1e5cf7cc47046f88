"""Process 1 of the cluster: starts the components in order, restarts what ends, reaps what is orphaned.

`python -m cluster.node.supervisor NAME FOLDER LISTENING_DESCRIPTOR`. When it dies, the kernel kills every
process of the cluster, containers included, and with them go all mounts and network devices.
"""

import os
import socket
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cluster import processes
from cluster.api import Api
from cluster.commands import run, succeeds
from cluster.errors import ClusterError
from cluster.node import cgroups, namespace
from cluster.node.configuration import CONTAINERD_SOCKET, build_containerd_config
from cluster.node.layout import INSIDE, Instance
from cluster.node.plan import CONTAINERD_CONFIG, build_commands, pause_image

_RESTART_DELAY_S = 0.5


@dataclass
class Supervisor:
    """The running components by process id."""

    instance: Instance
    listener: int
    running: dict[int, str] = field(default_factory=dict)
    commands: dict[str, list[str]] = field(default_factory=dict)

    def start(self) -> None:
        """Bring everything up; the order is that of what waits for what."""
        namespace.prepare_mounts(self.instance.folder)
        namespace.prepare_network()
        socket.sethostname(self.instance.name)
        cgroups.create(self.instance.name)
        self.commands = build_commands(self.instance, self.listener)
        self._launch("etcd", "kube-apiserver", "relay")
        snapshotter = namespace.best_snapshotter(INSIDE)
        self._forget_containers(snapshotter)
        CONTAINERD_CONFIG.write_text(build_containerd_config(pause_image(), snapshotter))
        self._launch("containerd")
        print("started etcd, kube-apiserver and containerd", flush=True)
        self._await_api()
        self._launch(
            "kube-controller-manager", "netpol", "volumes", "kubelet", "kube-scheduler", "kube-proxy"
        )
        print("kube-apiserver is ready; started the rest", flush=True)

    def serve(self) -> None:
        """Wait for children for ever."""
        while True:
            pid, status = os.waitpid(-1, 0)
            name = self.running.pop(pid, None)
            if name is not None:
                print(f"{name} ended with status {os.waitstatus_to_exitcode(status)}; restarting", flush=True)
                time.sleep(_RESTART_DELAY_S)
                self._launch(name)

    def _launch(self, *names: str) -> None:
        for name in names:
            inherited = [self.listener] if name == "relay" else []
            started = processes.start(name, self.commands[name], self.instance.logs, inherited)
            self.running[started.pid] = name
            # Only `serve` may collect it.
            started.returncode = 0

    def _await_api(self, timeout_s: float = 120) -> None:
        api = Api(self.instance.settings / "admin.kubeconfig")
        deadline = time.monotonic() + timeout_s
        while not api.is_ready():
            if time.monotonic() > deadline:
                raise ClusterError(
                    f"kube-apiserver did not become ready in {timeout_s:.0f} s; see {self.instance.logs}"
                )
            time.sleep(0.05)

    def _forget_containers(self, snapshotter: str) -> None:
        """Drop the containers of an earlier run, so that neither containerd nor the kubelet mourns them."""
        if not (INSIDE / "containerd" / "io.containerd.metadata.v1.bolt").exists():
            return
        CONTAINERD_CONFIG.write_text(
            build_containerd_config(pause_image(), snapshotter, ["io.containerd.grpc.v1.cri"])
        )
        helper = processes.start("containerd", self.commands["containerd"], self.instance.logs)
        ctr = ["ctr", "-a", str(CONTAINERD_SOCKET), "-n", "k8s.io", "containers"]
        _await_success([*ctr, "list", "-q"])
        stale = run([*ctr, "list", "-q"]).split()
        if stale:
            run([*ctr, "delete", *stale])
        processes.stop(helper)


def _await_success(argv: Sequence[str], timeout_s: float = 60) -> None:
    deadline = time.monotonic() + timeout_s
    while not succeeds(argv):
        if time.monotonic() > deadline:
            run(argv)
        time.sleep(0.05)


def main() -> None:
    supervisor = Supervisor(Instance(sys.argv[1]), int(sys.argv[3]))
    if supervisor.instance.folder != Path(sys.argv[2]):
        raise ClusterError(
            f"{sys.argv[2]} is not the folder of {sys.argv[1]}; start it with `python -m cluster up`"
        )
    supervisor.start()
    supervisor.serve()


if __name__ == "__main__":
    main()
