"""A bare kube-apiserver with etcd as plain processes on loopback: seconds to start, no root, no pods.

    with ControlPlane() as control_plane:
        kubectl --kubeconfig control_plane.kubeconfig ...

Without the controller manager nothing deletes the content of a namespace, collects garbage or makes
default service accounts; `controllers=True` starts it.
"""

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from cluster import binaries, pki, processes
from cluster.api import Api
from cluster.components import (
    CONTROLLER_MANAGER,
    SERVICE_ADDRESS,
    ApiServer,
    Etcd,
    controller_manager_command,
)
from cluster.errors import ClusterError
from cluster.kubeconfig import build_kubeconfig, write_kubeconfig

CONTEXT = "smarttrade-controlplane"
# It lives for minutes: a quarter more memory buys a fifth of its computing.
_COLLECT_GARBAGE_SELDOM = {"GOGC": "400"}
_HOSTS = [
    "127.0.0.1",
    SERVICE_ADDRESS,
    "localhost",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
]


class ControlPlane:
    """Starts on construction and is ready when the constructor returns; `stop()` removes every trace.

    `api_server` are flags beyond the usual ones.
    """

    def __init__(
        self, *, controllers: bool = True, timeout_s: float = 120, api_server: Sequence[str] = ()
    ) -> None:
        for name in ["etcd", "kube-apiserver", *(["kube-controller-manager"] if controllers else [])]:
            binaries.ensure(name)
        self.folder = Path(tempfile.mkdtemp(prefix="smarttrade-controlplane-"))
        self.kubeconfig = self.folder / "kubeconfig"
        self._deadline = time.monotonic() + timeout_s
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        with ExitStack() as on_failure:
            on_failure.callback(self.stop)
            self._start(controllers, api_server)
            on_failure.pop_all()

    @property
    def server(self) -> str:
        """Base URL of the API server."""
        return f"https://127.0.0.1:{self._port}"

    def stop(self) -> None:
        """End the processes and remove their folder; safe to call twice."""
        for process in reversed(self._processes.values()):
            processes.stop(process)
        self._processes.clear()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _start(self, controllers: bool, api_server: Sequence[str]) -> None:
        client_port, peer_port, self._port = _free_ports(3)
        authority = pki.Authority(self.folder / "pki")
        keys = pki.service_account_keys(authority.folder)
        etcd = Etcd(self.folder / "etcd", client_port, peer_port)
        serving = authority.serving("kube-apiserver", _HOSTS)
        server = ApiServer(etcd.url, "127.0.0.1", self._port, authority.pair.certificate, serving, keys)
        admin = authority.client("admin", "admin", ["system:masters"])
        content = build_kubeconfig(self.server, authority.pair.certificate, admin, CONTEXT, "admin")
        write_kubeconfig(self.kubeconfig, content)
        self._run("etcd", etcd.command())
        # A loopback address may not stand for the `kubernetes` service, and without pods nobody needs it.
        self._run("kube-apiserver", [*server.command(), "--endpoint-reconciler-type=none", *api_server])
        self._await_ready()
        if controllers:
            manager = authority.client("manager", CONTROLLER_MANAGER, ["system:masters"])
            content = build_kubeconfig(self.server, authority.pair.certificate, manager, CONTEXT, "manager")
            command = controller_manager_command(
                write_kubeconfig(self.folder / "manager.kubeconfig", content),
                authority.pair.certificate,
                keys,
                "--bind-address=127.0.0.1",
                "--secure-port=0",
            )
            self._run("kube-controller-manager", command)
            self._await_default_service_account()

    def _run(self, name: str, command: list[str]) -> None:
        self._processes[name] = processes.start(
            name, command, self.folder, environment=_COLLECT_GARBAGE_SELDOM
        )

    def _await_ready(self) -> None:
        api = Api(self.kubeconfig)
        while not api.is_ready():
            self._check("ready")

    def _await_default_service_account(self) -> None:
        api = Api(self.kubeconfig)
        while not api.get("/api/v1/namespaces/default/serviceaccounts")["items"]:
            self._check("running its controllers")

    def _check(self, goal: str) -> None:
        for name, process in self._processes.items():
            if process.poll() is not None:
                words = processes.last_words(self.folder / f"{name}.log")
                raise ClusterError(f"{name} ended with status {process.returncode}:\n{words}")
        if time.monotonic() > self._deadline:
            words = processes.last_words(self.folder / "kube-apiserver.log")
            raise ClusterError(f"the control plane was not {goal} in time; kube-apiserver said:\n{words}")
        time.sleep(0.05)


def _free_ports(count: int) -> list[int]:
    with ExitStack() as open_sockets:
        sockets = [open_sockets.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
