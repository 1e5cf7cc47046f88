"""TradingAccounts of a cluster, reached with the user's own kubeconfig and the user's own rights."""

from __future__ import annotations

import json
from typing import Any

from kubernetes import client, config
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError

from smarttrade.api import GROUP, PLURAL, VERSION
from smarttrade.errors import ConfigurationError, SmartTradeError

Manifest = dict[str, Any]


class AccountMissing(ConfigurationError):  # noqa: N818
    """There is no such TradingAccount."""


class Accounts:
    """Reads and patches accounts in one context."""

    def __init__(self, context: str | None = None) -> None:
        try:
            self._client = config.new_client_from_config(context=context)  # type: ignore[no-untyped-call]
            _, active = config.list_kube_config_contexts()  # type: ignore[no-untyped-call]
        except config.ConfigException as error:
            raise ConfigurationError(f"no usable kubeconfig: {error}. Set KUBECONFIG or --context") from error
        chosen = _find_context(context) if context else active
        self.context = context
        self.namespace: str = chosen["context"].get("namespace", "default")
        self._api = client.CustomObjectsApi(self._client)

    def read(self, name: str, namespace: str | None) -> Manifest:
        """The whole object; ConfigurationError when there is none."""
        return self._call(name, namespace, self._api.get_namespaced_custom_object)

    def find(self, name: str, namespace: str | None) -> Manifest | None:
        """The whole object, None where there is none."""
        try:
            return self.read(name, namespace)
        except AccountMissing:
            return None

    def delete(self, name: str, namespace: str | None) -> str:
        """Ask for its deletion; the uid of the object that goes."""
        uid = str(self.read(name, namespace)["metadata"]["uid"])
        options = client.V1DeleteOptions(preconditions=client.V1Preconditions(uid=uid))
        where = namespace or self.namespace
        try:
            self._api.delete_namespaced_custom_object(
                GROUP, VERSION, where, PLURAL, name, body=options, _request_timeout=10
            )
        except ApiException as error:
            raise explain(error, f"{where}/{name}") from error
        except HTTPError as error:
            raise SmartTradeError(f"the API server does not answer: {error}") from error
        return uid

    def set_state(self, name: str, namespace: str | None, state: str) -> str:
        """Patch spec.state; a sentence about what is in effect."""
        before = self.read(name, namespace)["spec"].get("state", "Active")
        after = self.patch(name, namespace, {"spec": {"state": state}})
        where = f"{after['metadata']['namespace']}/{name}"
        return f"{where}: {before} -> {state} (generation {after['metadata']['generation']})"

    def patch(self, name: str, namespace: str | None, change: Manifest) -> Manifest:
        """Merge a change into the object; the object as it is then."""
        return self._call(name, namespace, self._api.patch_namespaced_custom_object, change)

    def whoami(self) -> str:
        """The name by which the API server knows this user; empty where it does not say."""
        try:
            answer: Any = client.AuthenticationV1Api(self._client).create_self_subject_review(
                client.V1SelfSubjectReview(), _request_timeout=10, _preload_content=False
            )
            return str(json.loads(answer.data)["status"]["userInfo"]["username"])
        except (ApiException, HTTPError, ValueError, KeyError):
            return ""

    def _call(self, name: str, namespace: str | None, method: Any, *body: Manifest) -> Manifest:
        where = namespace or self.namespace
        try:
            found: Manifest = method(GROUP, VERSION, where, PLURAL, name, *body, _request_timeout=10)
        except ApiException as error:
            raise explain(error, f"{where}/{name}") from error
        except HTTPError as error:
            raise SmartTradeError(f"the API server does not answer: {error}") from error
        return found


def _find_context(name: str) -> Manifest:
    contexts, _ = config.list_kube_config_contexts()  # type: ignore[no-untyped-call]
    return next(context for context in contexts if context["name"] == name)


def explain(error: ApiException, account: str) -> SmartTradeError:
    """What the API server's refusal means, in one sentence."""
    try:
        message = json.loads(error.body or "")["message"]
    except (TypeError, ValueError, KeyError):
        message = error.reason
    if error.status == 404:
        return AccountMissing(f"there is no TradingAccount {account}: {message}. Give its namespace with -n")
    if error.status == 403:
        return ConfigurationError(f"you may not do this to {account}: {message}")
    return SmartTradeError(f"the API server refuses ({error.status}): {message}")
