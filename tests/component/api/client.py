"""Plain calls to a test API server, with its whole answer.

Connections are kept: tests that wait ask again and again, and a handshake costs more than an answer.
"""

from __future__ import annotations

import http.client
import json
import select
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Answer:
    status: int
    body: dict[str, Any]

    @property
    def message(self) -> str:
        return str(self.body.get("message", ""))


class Client:
    """Calls with the client certificate of a kubeconfig, as `user` where one is named; from any thread."""

    def __init__(self, kubeconfig: Path, user: str = "") -> None:
        self._kubeconfig = kubeconfig
        self._idle: list[http.client.HTTPConnection] = []
        self._headers = {"Impersonate-User": user} if user else {}
        content = json.loads(kubeconfig.read_text())
        cluster, user = content["clusters"][0]["cluster"], content["users"][0]["user"]
        self._host = urlsplit(cluster["server"]).netloc
        self._tls = ssl.create_default_context(cafile=cluster["certificate-authority"])
        self._tls.load_cert_chain(user["client-certificate"], user["client-key"])

    def as_user(self, name: str) -> Client:
        return Client(self._kubeconfig, name)

    def call(
        self,
        method: str,
        path: str,
        body: object = None,
        kind: str = "application/json",
        accept: str = "application/json",
    ) -> Answer:
        text = None if body is None else json.dumps(body)
        connection = self._take()
        try:
            connection.request(method, path, text, {"Content-Type": kind, "Accept": accept, **self._headers})
            answer = connection.getresponse()
            content = answer.read()
        except BaseException:
            connection.close()
            raise
        self._idle.append(connection)
        is_json = answer.headers.get_content_subtype() == "json"
        return Answer(answer.status, json.loads(content) if is_json else {"message": content.decode()})

    def apply(self, path: str, manifest: object, query: str = "fieldManager=tests&force=true") -> Answer:
        """Server-side apply."""
        return self.call("PATCH", f"{path}?{query}", manifest, "application/apply-patch+yaml")

    def merge(self, path: str, change: object) -> Answer:
        return self.call("PATCH", path, change, "application/merge-patch+json")

    def close(self) -> None:
        """Close the connections that are kept; a call opens another."""
        while self._idle:
            self._idle.pop().close()

    def _take(self) -> http.client.HTTPConnection:
        """A connection that nobody else has: a kept one, unless the server has closed it."""
        while self._idle:
            connection = self._idle.pop()
            if connection.sock is None or not select.select([connection.sock], [], [], 0)[0]:
                return connection
            connection.close()
        return self._open()

    def _open(self) -> http.client.HTTPConnection:
        return http.client.HTTPSConnection(self._host, context=self._tls, timeout=30)
