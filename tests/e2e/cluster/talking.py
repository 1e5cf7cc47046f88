"""Pods that listen and pods that call, to see which traffic passes."""

from subprocess import CompletedProcess

from cluster.kubectl import Document, Kubectl, build_pod, eventually

TCP_PORT = 8080
OTHER_PORT = 8081
# Listens on both ports; one connection after the other is enough.
_LISTEN = f"""
import socketserver, threading
class Answer(socketserver.BaseRequestHandler):
    def handle(self): self.request.sendall(b"hello")
socketserver.ThreadingTCPServer.allow_reuse_address = True
for port in ({TCP_PORT}, {OTHER_PORT}):
    server = socketserver.ThreadingTCPServer(("0.0.0.0", port), Answer)
    threading.Thread(target=server.serve_forever).start()
"""
_CALL = """
import socket, sys
try:
    with socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=float(sys.argv[3])) as connection:
        sys.exit(0 if connection.recv(5) == b"hello" else 2)
except TimeoutError:
    sys.exit(3)
"""
_TIMED_OUT = 3


def build_listener(name: str, image: str, labels: dict[str, str]) -> Document:
    """A pod that greets on TCP_PORT, which is named `greet`, and on OTHER_PORT."""
    pod = build_pod(name, image, ["python", "-c", _LISTEN], labels)
    container = pod["spec"]["containers"][0]
    container["ports"] = [{"name": "greet", "containerPort": TCP_PORT}]
    container["readinessProbe"] = {"tcpSocket": {"port": OTHER_PORT}, "periodSeconds": 1}
    return pod


def build_caller(name: str, image: str, labels: dict[str, str]) -> Document:
    """A pod in which calls are made."""
    return build_pod(name, image, ["sleep", "infinity"], labels)


class Caller:
    """Calls from one pod."""

    def __init__(self, cluster: Kubectl, namespace: str, pod: str) -> None:
        self._cluster, self._namespace, self._pod = cluster, namespace, pod

    def reaches(self, host: str, port: int = TCP_PORT, timeout_s: float = 3) -> bool:
        """Whether the greeting arrives; False only when packets were dropped, an error for anything else."""
        done = self._call(host, port, timeout_s)
        if done.returncode not in (0, _TIMED_OUT):
            raise AssertionError(
                f"calling {host}:{port} from {self._pod} failed otherwise: {done.stderr[-800:]}"
            )
        return done.returncode == 0

    def reaches_soon(self, host: str, port: int, within_s: float = 30) -> float:
        """Seconds until a new service answers; until the node knows the pods behind it, it may refuse."""
        return eventually(
            lambda: self._call(host, port, 0.4).returncode == 0,
            f"{host}:{port} answers {self._pod}",
            within_s,
        )

    def _call(self, host: str, port: int, timeout_s: float) -> CompletedProcess[str]:
        words = ["python", "-c", _CALL, host, str(port), str(timeout_s)]
        return self._cluster.exec(self._namespace, self._pod, *words)

    def settles(self, host: str, port: int, reachable: bool, within_s: float) -> float:
        """Seconds until the answer to `reaches` is `reachable`."""
        wanted = "reachable" if reachable else "unreachable"
        return eventually(
            lambda: self.reaches(host, port, timeout_s=0.4) is reachable,
            f"{host}:{port} becomes {wanted} from {self._pod}",
            within_s,
            every_s=0,
        )


def address(cluster: Kubectl, namespace: str, pod: str) -> str:
    """The pod's IP address."""
    return str(cluster.get("pod", pod, f"--namespace={namespace}")["status"]["podIP"])
