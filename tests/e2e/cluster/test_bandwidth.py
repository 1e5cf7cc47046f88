"""The bandwidth annotations of a pod limit what it sends and receives."""

from collections.abc import Callable

import pytest

from cluster.kubectl import Kubectl, build_pod

LIMIT_BITS = 8_000_000
BYTES = 4_000_000
# What a full bucket may send at once, at most.
BURST_BITS = LIMIT_BITS // 4
_SERVE = """
import socketserver
class Exchange(socketserver.BaseRequestHandler):
    def handle(self):
        self.request.sendall(b"x" * int.from_bytes(self.request.recv(8)))
        while self.request.recv(65536): pass
socketserver.TCPServer(("0.0.0.0", 8080), Exchange).serve_forever()
"""
_DOWNLOAD = """
import socket, sys, time
connection = socket.create_connection((sys.argv[1], 8080), timeout=60)
began, left = time.monotonic(), int(sys.argv[2])
connection.sendall(left.to_bytes(8))
while left: left -= len(connection.recv(65536))
print(time.monotonic() - began)
"""


@pytest.mark.parametrize("limited", ["server", "client"])
def test_annotated_pod_is_held_to_its_rate(
    cluster: Kubectl, images: dict[str, str], namespace: Callable[..., str], limited: str
) -> None:
    home = namespace()
    annotation = "egress" if limited == "server" else "ingress"
    pods = {
        "server": build_pod("server", images["runtime"], ["python", "-c", _SERVE], {}),
        "client": build_pod("client", images["runtime"], ["sleep", "infinity"], {}),
    }
    pods["server"]["spec"]["containers"][0]["readinessProbe"] = {
        "tcpSocket": {"port": 8080},
        "periodSeconds": 1,
    }
    pods[limited]["metadata"]["annotations"] = {
        f"kubernetes.io/{annotation}-bandwidth": f"{LIMIT_BITS // 10**6}M"
    }
    cluster.apply(*pods.values(), namespace=home)
    cluster.wait_ready(home, *pods)
    host = cluster.get("pod", "server", f"--namespace={home}")["status"]["podIP"]
    done = cluster.exec(home, "client", "python", "-c", _DOWNLOAD, host, str(BYTES))
    assert done.returncode == 0, done.stderr
    fastest_s = (BYTES * 8 - BURST_BITS) / LIMIT_BITS
    assert fastest_s * 0.9 < float(done.stdout) < fastest_s * 5
