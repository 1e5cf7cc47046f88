"""A node for a bare control plane: what `kubectl exec` reaches when the real API server proxies it.

In place of a kubelet, which would need a container engine: it speaks the kubelet's exec protocol
(websocket, v4.channel.k8s.io) to the API server and runs the command as a process of this machine, with the
environment of the pod that was asked for. Everything before it is real: client, API server, its rights.
"""

from __future__ import annotations

import asyncio
import json
import os
import ssl
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from aiohttp import web

from cluster.api import Api
from cluster.pki import Authority

_PROTOCOL = "v4.channel.k8s.io"
_OUTPUT, _ERRORS, _STATUS = 1, 2, 3


class ExecNode:
    """`async with ExecNode(api, "node-1") as node`; `node.pods[name]` is the environment of a pod."""

    def __init__(self, api: Api, name: str) -> None:
        self._api = api
        self.name = name
        self.pods: dict[str, Mapping[str, str]] = {}
        self.asked: list[list[str]] = []

    async def __aenter__(self) -> Self:
        application = web.Application()
        application.add_routes([web.route("*", "/exec/{namespace}/{pod}/{container}", self._exec)])
        self._runner = web.AppRunner(application)
        await self._runner.setup()
        with tempfile.TemporaryDirectory() as folder:
            pair = Authority(Path(folder)).serving("kubelet", ["127.0.0.1"])
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(pair.certificate, pair.key)
        await web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=context).start()
        port = self._runner.addresses[0][1]
        await asyncio.to_thread(self._register, port)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    def add_pod(self, namespace: str, account: str, name: str, environment: Mapping[str, str]) -> None:
        """A running pod of an account on this node."""
        self.pods[name] = environment
        labels = {"app.kubernetes.io/name": "tradingaccount", "smarttrade.io/account": account}
        manifest = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "namespace": namespace, "labels": labels},
            "spec": {
                "nodeName": self.name,
                "automountServiceAccountToken": False,
                "containers": [{"name": "execution", "image": "none"}],
            },
        }
        path = f"/api/v1/namespaces/{namespace}/pods/{name}"
        self._api.apply(path, manifest)
        status = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": namespace}}
        self._api.apply(f"{path}/status", status | {"status": {"phase": "Running"}})

    def _register(self, port: int) -> None:
        node: dict[str, Any] = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": self.name}}
        self._api.apply(f"/api/v1/nodes/{self.name}", node)
        status = {
            "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": port}},
        }
        self._api.apply(f"/api/v1/nodes/{self.name}/status", node | {"status": status})

    async def _exec(self, request: web.Request) -> web.StreamResponse:
        answer = web.WebSocketResponse(protocols=(_PROTOCOL,))
        await answer.prepare(request)
        command = request.query.getall("command")
        self.asked.append(command)
        arguments = [sys.executable if part == "python" else part for part in command]
        process = await asyncio.create_subprocess_exec(
            *arguments,
            env={**os.environ, **self.pods[request.match_info["pod"]]},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        output, errors = await process.communicate()
        await answer.send_bytes(bytes([_OUTPUT]) + output)
        await answer.send_bytes(bytes([_ERRORS]) + errors)
        await answer.send_bytes(bytes([_STATUS]) + _build_status(process.returncode or 0))
        await answer.close()
        return answer


def _build_status(code: int) -> bytes:
    if code == 0:
        return json.dumps({"metadata": {}, "status": "Success"}).encode()
    causes = [{"reason": "ExitCode", "message": str(code)}]
    failure = {"status": "Failure", "reason": "NonZeroExitCode", "details": {"causes": causes}}
    return json.dumps({"metadata": {}, **failure}).encode()
