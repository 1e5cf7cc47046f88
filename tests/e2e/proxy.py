"""Calls to the API server through `kubectl proxy`, as quick as the API server itself."""

from __future__ import annotations

import http.client
import re
import subprocess
from types import TracebackType
from typing import Self

from cluster.kubectl import Kubectl
from tests.component.api.client import Client


class Proxy(Client):
    """The same calls as `Client`, whatever the kubeconfig's way of logging in."""

    def __init__(self, cluster: Kubectl) -> None:
        self._idle, self._headers = [], {}
        self._words = cluster.words("proxy", "--port=0", "--address=127.0.0.1")

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(self._words, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        found = re.search(r"127\.0\.0\.1:(\d+)", line)
        assert found, f"kubectl proxy says: {line!r}"
        self._port = int(found[1])
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
        self._process.terminate()
        self._process.wait(10)

    def _open(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
