"""The simulated exchange behind TLS, at an address that only the egress gateway leads to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cluster.kubectl import Document, build_pod
from cluster.pki import Authority

NAME = "exchange-front"
PORT = 8443
_PROGRAM = """
import asyncio, contextlib, ssl, sys
async def pipe(reader, writer):
    with contextlib.suppress(OSError):
        while part := await reader.read(65536):
            writer.write(part)
            await writer.drain()
    writer.close()
async def accept(reader, writer):
    inner_reader, inner_writer = await asyncio.open_connection(sys.argv[1], 8080)
    await asyncio.gather(pipe(reader, inner_writer), pipe(inner_reader, writer))
async def main():
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain("/etc/front/tls.crt", "/etc/front/tls.key")
    async with await asyncio.start_server(accept, "0.0.0.0", 8443, ssl=context) as server:
        await server.serve_forever()
asyncio.run(main())
"""


@dataclass(frozen=True)
class Front:
    """Certificate and manifests; `authority` is what accounts must trust."""

    host: str
    authority: str
    certificate: str
    key: str

    @classmethod
    def build(cls, folder: Path, namespace: str) -> Front:
        authority, host = Authority(folder), f"{NAME}.{namespace}.svc.cluster.local"
        pair = authority.serving("front", [host])
        return cls(
            host, authority.pair.certificate.read_text(), pair.certificate.read_text(), pair.key.read_text()
        )

    def endpoint(self) -> dict[str, Any]:
        """The catalogue's entry."""
        place = f"{self.host}:{PORT}"
        websocket = f"wss://{place}"
        return {
            "rest": f"https://{place}",
            "websocket": websocket,
            "websocketApi": websocket,
            "certificateAuthority": self.authority,
        }

    def manifests(self, image: str, exchange: str) -> list[Document]:
        """`exchange` is the name of the plain one's Service. The pod poses as the chart's own test, whom the
        exchange lets in."""
        labels = {"app.kubernetes.io/name": "smarttrade-test", "app.kubernetes.io/instance": "smarttrade"}
        pod = build_pod(NAME, image, ["python", "-c", _PROGRAM, exchange], labels)
        pod["spec"]["volumes"] = [{"name": "front", "secret": {"secretName": NAME}}]
        [container] = pod["spec"]["containers"]
        container["volumeMounts"] = [{"name": "front", "mountPath": "/etc/front"}]
        container["readinessProbe"] = {"tcpSocket": {"port": PORT}, "periodSeconds": 1}
        files = {"tls.crt": self.certificate, "tls.key": self.key}
        return [
            {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": NAME}, "stringData": files},
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {"name": NAME},
                "spec": {"selector": labels, "ports": [{"port": PORT, "targetPort": PORT}]},
            },
            pod,
        ]
