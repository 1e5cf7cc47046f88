"""The few calls to a Kubernetes API server that the cluster itself makes, over one kubeconfig of ours.

Standard library only: the node's supervisor must start in a fraction of a second. A watch ends whenever
the server likes; callers list again (see `cluster.netpol.watch`).
"""

import http.client
import json
import ssl
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cluster.errors import ClusterError

Document = dict[str, Any]


class ApiUnavailable(ClusterError):  # noqa: N818 - reads as what it says
    """The API server does not answer, or not yet."""


class ApiRefused(ClusterError):  # noqa: N818
    """The API server answered with an error; `status` is its HTTP status."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Api:
    """Calls with the client certificate of a kubeconfig written by `cluster.kubeconfig`."""

    def __init__(self, kubeconfig: Path, timeout_s: float = 10) -> None:
        self._timeout_s = timeout_s
        try:
            content = json.loads(kubeconfig.read_text())
            cluster, user = content["clusters"][0]["cluster"], content["users"][0]["user"]
            self._tls = ssl.create_default_context(cafile=cluster["certificate-authority"])
            self._tls.load_cert_chain(user["client-certificate"], user["client-key"])
        except (OSError, ValueError) as error:
            raise ApiUnavailable(f"{kubeconfig} or a certificate in it cannot be read: {error}") from error
        self._host = urlsplit(cluster["server"]).netloc

    def is_ready(self) -> bool:
        """Whether the server says that it is ready."""
        try:
            self.call("GET", "/readyz")
        except (ApiUnavailable, ApiRefused):
            return False
        return True

    def get(self, path: str) -> Document:
        """The object or list at `path`."""
        return dict(json.loads(self.call("GET", path)))

    def apply(self, path: str, manifest: Document) -> None:
        """Server-side apply of `manifest` at `path`."""
        self.call("PATCH", f"{path}?fieldManager=smarttrade-cluster&force=true", manifest)

    def call(self, method: str, path: str, body: Document | None = None) -> bytes:
        """One request; the answer's body."""
        with closing(self._connection(self._timeout_s)) as connection:
            try:
                headers = {
                    "Content-Type": "application/apply-patch+yaml"
                    if method == "PATCH"
                    else "application/json"
                }
                connection.request(method, path, json.dumps(body) if body else None, headers)
                answer = connection.getresponse()
                content = answer.read()
            except (OSError, http.client.HTTPException) as error:
                raise ApiUnavailable(f"{method} {path}: {error}") from error
        if answer.status >= 300:
            raise ApiRefused(
                answer.status, f"{method} {path}: {answer.status} {content[:300].decode(errors='replace')}"
            )
        return content

    def watch(self, path: str, resource_version: str, timeout_s: int = 240) -> Iterator[Document]:
        """Events after `resource_version`, until the server ends the watch."""
        query = (
            f"?watch=1&allowWatchBookmarks=true&timeoutSeconds={timeout_s}&resourceVersion={resource_version}"
        )
        with closing(self._connection(timeout_s + 30)) as connection:
            try:
                connection.request("GET", path + query)
                answer = connection.getresponse()
                if answer.status != 200:
                    raise ApiRefused(answer.status, f"watch {path}: {answer.status}")
                while line := answer.readline():
                    yield json.loads(line)
            except (OSError, http.client.HTTPException, ValueError) as error:
                raise ApiUnavailable(f"watch {path}: {error}") from error

    def _connection(self, timeout_s: float) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection(self._host, context=self._tls, timeout=timeout_s)
