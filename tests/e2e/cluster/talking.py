"""Pods that listen and pods that call, to see which traffic passes."""

import subprocess
import time

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
_PASSED, _DROPPED = "passed", "dropped"
# Calls whom it is told to, one line a call: a process of its own for each would take longer than the call.
_CALL = f"""
import socket, sys
for line in sys.stdin:
    host, port, timeout = line.split()
    try:
        with socket.create_connection((host, int(port)), timeout=float(timeout)) as connection:
            said = "{_PASSED}" if connection.recv(5) == b"hello" else "no greeting"
    except TimeoutError:
        said = "{_DROPPED}"
    except OSError as error:
        said = repr(error)
    print(said, flush=True)
"""


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
    """Calls from one pod, through one session of `kubectl exec`, which no policy concerns."""

    def __init__(self, cluster: Kubectl, namespace: str, pod: str) -> None:
        self._pod = pod
        words = cluster.words("exec", "-i", f"--namespace={namespace}", pod, "--", "python", "-c", _CALL)
        self._session = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def close(self) -> None:
        """End kubectl at once: asked politely, it may take a minute. Its program ends with the pod."""
        self._session.kill()
        self._session.communicate()

    def reaches(self, host: str, port: int = TCP_PORT, timeout_s: float = 3) -> bool:
        """Whether the greeting arrives; False only when packets were dropped, an error for anything else."""
        said = self._call(host, port, timeout_s)
        if said not in (_PASSED, _DROPPED):
            raise AssertionError(f"calling {host}:{port} from {self._pod} failed otherwise: {said}")
        return said == _PASSED

    def is_cut_off(self, host: str, port: int = TCP_PORT) -> bool:
        """Whether packets are dropped; a call that is let through takes milliseconds."""
        return not self.reaches(host, port, timeout_s=1)

    def reaches_soon(self, host: str, port: int, within_s: float = 30) -> float:
        """Seconds until a new service answers; until the node knows the pods behind it, it may refuse."""
        return eventually(
            lambda: self._call(host, port, 0.4) == _PASSED, f"{host}:{port} answers {self._pod}", within_s
        )

    def settles(self, host: str, port: int = TCP_PORT, *, reachable: bool, within_s: float = 20) -> float:
        """Seconds until the answer to `reaches` is `reachable`; silence counts once it lasts."""
        began = time.monotonic()
        while time.monotonic() < began + within_s:
            if self.reaches(host, port, timeout_s=0.2) is reachable:
                moment = time.monotonic()
                if reachable or not self.reaches(host, port, timeout_s=0.6):
                    return moment - began
        wanted = "reachable" if reachable else "unreachable"
        raise AssertionError(f"not within {within_s} s: {host}:{port} becomes {wanted} from {self._pod}")

    def _call(self, host: str, port: int, timeout_s: float) -> str:
        assert self._session.stdin is not None
        assert self._session.stdout is not None
        print(host, port, timeout_s, file=self._session.stdin, flush=True)
        said = self._session.stdout.readline().strip()
        assert said, f"the session in {self._pod} has ended"
        return said


def address(cluster: Kubectl, namespace: str, pod: str) -> str:
    """The pod's IP address."""
    return str(cluster.get("pod", pod, f"--namespace={namespace}")["status"]["podIP"])
