"""The pods of an account, reached by `kubectl exec` with the user's own rights.

Nothing else is needed: no NATS credentials, no exchange key, no operator. The command runs in the execution
container, as its user, and talks to the process there through a socket that only this user can open.

What bites: kubernetes' `stream` rewires the client that it is given, so every exec has a client of its own.
"""

from __future__ import annotations

import json
from typing import Any

from kubernetes import client, config
from kubernetes.client.exceptions import ApiException
from kubernetes.stream import stream
from urllib3.exceptions import HTTPError
from websocket import WebSocketException

from smarttrade.cli.objects import Accounts, explain
from smarttrade.errors import ConfigurationError, SmartTradeError
from smarttrade.execution.commands_wire import Answer, Command, decode_answer, encode

_CONTAINER = "execution"
_CLIENT = ("python", "-m", "smarttrade.execution.commands_client")
_TRAIL = ("python", "-m", "smarttrade.audit")
_EXEC_S = 30
_ERROR_CHANNEL = 3


class Pods:
    """Pods of one account."""

    def __init__(self, accounts: Accounts, name: str, namespace: str | None) -> None:
        self._context = accounts.context
        self._namespace = namespace or accounts.namespace
        self._name = name

    def names(self) -> list[str]:
        """Pods that run, by name; SmartTradeError where they cannot be listed."""
        selector = f"app.kubernetes.io/name=tradingaccount,smarttrade.io/account={self._name}"
        return running_pods(self._context, self._namespace, selector)

    def ask(self, pod: str, command: Command) -> Answer:
        """Give one pod's execution a command; SmartTradeError says why there is no answer."""
        output, errors, failure = self._exec(pod, [*_CLIENT, encode(command).decode()])
        if failure:
            raise SmartTradeError(f"pod {pod}: {errors.strip() or failure}")
        return decode_answer(output.strip().encode())

    def read_trail(self, first: int, limit: int) -> str:
        """A page of the account's audit trail from any pod that answers, as lines of JSON."""
        complaints = []
        for pod in self.names():
            output, errors, failure = self._exec(pod, [*_TRAIL, str(first), str(limit)])
            if not failure:
                return output
            complaints.append(f"pod {pod}: {errors.strip() or failure}")
        raise SmartTradeError("; ".join(complaints) or "no pod of the account runs")

    def _exec(self, pod: str, command: list[str]) -> tuple[str, str, str]:
        return execute(self._context, self._namespace, pod, _CONTAINER, command)


def running_pods(context: str | None, namespace: str, selector: str) -> list[str]:
    """Pods that run, by name; SmartTradeError where they cannot be listed."""
    try:
        answer: Any = client.CoreV1Api(_client(context)).list_namespaced_pod(
            namespace, label_selector=selector, _request_timeout=10, _preload_content=False
        )
    except ApiException as error:
        raise explain(error, f"the pods with {selector} in {namespace}") from error
    except HTTPError as error:
        raise SmartTradeError(f"the API server does not answer: {error}") from error
    pods: list[dict[str, Any]] = json.loads(answer.data)["items"]
    return sorted(pod["metadata"]["name"] for pod in pods if _is_running(pod))


def execute(
    context: str | None, namespace: str, pod: str, container: str, command: list[str]
) -> tuple[str, str, str]:
    """What a command in a pod wrote to its output and its errors, and why it failed; empty if it did not."""
    api = client.CoreV1Api(_client(context))
    try:
        connection = stream(
            api.connect_get_namespaced_pod_exec,
            pod,
            namespace,
            container=container,
            command=command,
            stderr=True,
            stdin=False,
            stdout=True,
            tty=False,
            _preload_content=False,
            _request_timeout=10,
        )
        connection.run_forever(timeout=_EXEC_S)
        if connection.is_open():
            connection.close()
            raise SmartTradeError(f"pod {pod}: no answer within {_EXEC_S} s")
        output, errors = connection.read_stdout(), connection.read_stderr()
        return output, errors, _failure(connection.read_channel(_ERROR_CHANNEL))
    except ApiException as error:
        raise _explain_exec(error, f"{namespace}/{pod}") from error
    except (HTTPError, WebSocketException, OSError) as error:
        raise SmartTradeError(f"pod {pod} cannot be reached: {error}") from error


def _client(context: str | None) -> Any:
    return config.new_client_from_config(context=context)  # type: ignore[no-untyped-call]


def _is_running(pod: dict[str, Any]) -> bool:
    going = "deletionTimestamp" in pod["metadata"]
    return not going and pod.get("status", {}).get("phase") == "Running"


def _failure(status: str) -> str:
    """Why an exec did not succeed, by the status that ends it; empty if it did."""
    try:
        ended = json.loads(status or "{}")
    except ValueError:
        ended = {"message": status}
    if ended.get("status") == "Success":
        return ""
    return str(ended.get("message") or "the connection ended before the command did")


def _explain_exec(error: ApiException, pod: str) -> SmartTradeError:
    reason = str(error.reason)
    if error.status == 403 or "403" in reason:
        return ConfigurationError(
            f"you may not exec into {pod}: a Role with get and create on pods/exec is needed, which the "
            "cluster's edit role has"
        )
    return SmartTradeError(f"pod {pod} cannot be reached: {reason.splitlines()[0] if reason else error}")
