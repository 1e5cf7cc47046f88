"""Keeps the node's rules in step with the API server, and answers the CNI plugin for new pods.

A pod's address is known here before its first container runs, because the CNI plugin brings it and waits
for the rules that include it. So there is no moment in which a pod can talk past its policies. After a
restart the rules in the kernel stay until the first complete picture replaces them.
"""

import json
import socketserver
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cluster.api import Api
from cluster.commands import run
from cluster.errors import ClusterError
from cluster.netpol.objects import World, read_pod
from cluster.netpol.ruleset import build_ruleset
from cluster.netpol.translate import translate
from cluster.netpol.watch import Mirror

# Several events of one change (a scaled set, a new namespace) become one transaction.
_GATHER_S = 0.05
_POD_KNOWN_WITHIN_S = 15.0


class Agent:
    """Mirrors of what matters, and the thread that applies. `apply` is given the text for `nft -f`."""

    def __init__(self, api: Api, apply: Callable[[str], None]) -> None:
        self._apply_text = apply
        self._condition = threading.Condition()
        self._wanted = self._applied = 0
        self._in_force = ""
        # (namespace, name) -> (uid, address), as told by the CNI plugin.
        self._told: dict[tuple[str, str], tuple[str, str]] = {}
        self._pods = Mirror(api, "/api/v1/pods", self._changed)
        self._namespaces = Mirror(api, "/api/v1/namespaces", self._changed)
        self._policies = Mirror(api, "/apis/networking.k8s.io/v1/networkpolicies", self._changed)

    def serve(self) -> None:
        """Apply changes for ever."""
        for mirror in (self._pods, self._namespaces, self._policies):
            mirror.is_synced.wait()
        while True:
            with self._condition:
                self._condition.wait_for(lambda: self._wanted > self._applied)
            time.sleep(_GATHER_S)
            self._apply_once()

    def add(self, namespace: str, name: str, uid: str, address: str) -> None:
        """Return when the policies of a new pod are in force; TimeoutError when that takes too long."""
        key = (namespace, name)
        with self._condition:
            known = self._condition.wait_for(lambda: self._uid(key) == uid, _POD_KNOWN_WITHIN_S)
            if not known:
                raise TimeoutError(f"the API server did not show pod {namespace}/{name} ({uid})")
            # An address is free to be given out again as soon as its old holder's sandbox is gone.
            self._told = {each: told for each, told in self._told.items() if told[1] != address}
            self._told[key] = (uid, address)
            self._wanted += 1
            goal = self._wanted
            self._condition.notify_all()
            if not self._condition.wait_for(lambda: self._applied >= goal, _POD_KNOWN_WITHIN_S):
                raise TimeoutError(f"the rules for pod {namespace}/{name} could not be applied")

    def delete(self, namespace: str, name: str, uid: str) -> None:
        """Forget the address of a pod whose sandbox is gone."""
        with self._condition:
            if self._told.get((namespace, name), ("", ""))[0] == uid:
                del self._told[(namespace, name)]
                self._wanted += 1
                self._condition.notify_all()

    def _changed(self) -> None:
        with self._condition:
            self._wanted += 1
            self._condition.notify_all()

    def _apply_once(self) -> None:
        with self._condition:
            goal = self._wanted
            world = self._world()
        text = build_ruleset(translate(world))
        try:
            if text != self._in_force:
                self._apply_text(text)
        except ClusterError as error:
            print(f"rules not applied, trying again: {error}\n{text}", flush=True)
            time.sleep(1)
            return
        with self._condition:
            self._in_force, self._applied = text, goal
            self._condition.notify_all()

    def _world(self) -> World:
        objects = self._pods.objects
        pods = (read_pod(document, self._address(key, document)) for key, document in objects.items())
        labels = {
            name: item["metadata"].get("labels") or {} for (_, name), item in self._namespaces.objects.items()
        }
        policies = sorted(self._policies.objects.items())
        return World(tuple(pod for pod in pods if pod), labels, tuple(policy for _, policy in policies))

    def _address(self, key: tuple[str, str], document: dict[str, Any]) -> str | None:
        uid, address = self._told.get(key, ("", ""))
        return address if uid == document["metadata"]["uid"] else None

    def _uid(self, key: tuple[str, str]) -> str | None:
        document = self._pods.objects.get(key)
        return document["metadata"]["uid"] if document else None


class Requests(socketserver.ThreadingUnixStreamServer):
    """The socket on which the CNI plugin asks: a line of JSON in, `ok` or what went wrong out."""

    daemon_threads = True

    def __init__(self, socket: Path, agent: Agent) -> None:
        socket.unlink(missing_ok=True)
        self.agent = agent
        super().__init__(str(socket), _Request)


class _Request(socketserver.StreamRequestHandler):
    server: Requests

    def handle(self) -> None:
        asked = json.loads(self.rfile.readline())
        try:
            if asked["command"] == "add":
                self.server.agent.add(asked["namespace"], asked["name"], asked["uid"], asked["address"])
            else:
                self.server.agent.delete(asked["namespace"], asked["name"], asked["uid"])
        except TimeoutError as error:
            self.wfile.write(f"{error}\n".encode())
            return
        self.wfile.write(b"ok\n")


def apply_with_nft(text: str) -> None:
    """Replace the table in one transaction."""
    run(["nft", "-f", "-"], stdin=text)
