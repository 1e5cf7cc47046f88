"""Server-side apply of manifests with the user's own kubeconfig."""

from __future__ import annotations

import json
from typing import Any

from kubernetes import config
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError

from smarttrade.errors import ConfigurationError, SmartTradeError

Manifest = dict[str, Any]

_MANAGER = "smarttrade-cli"
_NOT_FOUND = 404
_OURS_TO_CHANGE = (403, 409, 422)
_PLURALS = {
    "Namespace": "namespaces",
    "ResourceQuota": "resourcequotas",
    "LimitRange": "limitranges",
    "NetworkPolicy": "networkpolicies",
    "Role": "roles",
    "RoleBinding": "rolebindings",
}


def connect(context: str | None) -> Any:
    """A client of the context; ConfigurationError where there is no usable kubeconfig."""
    try:
        return config.new_client_from_config(context=context)  # type: ignore[no-untyped-call]
    except config.ConfigException as error:
        raise ConfigurationError(f"no usable kubeconfig: {error}. Set KUBECONFIG or --context") from error


def read(client: Any, kind: str, api_version: str, namespace: str, name: str) -> Manifest | None:
    """The object, None where there is none."""
    status, found = _call(client, "GET", _path(kind, api_version, namespace, name))
    if status == _NOT_FOUND:
        return None
    return _checked(status, found, f"{kind} {name}")


def apply(client: Any, manifest: Manifest) -> Manifest:
    """Make the object what the manifest says. A field that somebody else set is theirs: an error says so."""
    metadata, kind = manifest["metadata"], manifest["kind"]
    path = _path(kind, manifest["apiVersion"], metadata.get("namespace", ""), metadata["name"])
    status, applied = _call(client, "PATCH", path, manifest)
    return _checked(status, applied, f"{kind} {metadata['name']}")


def _path(kind: str, api_version: str, namespace: str, name: str) -> str:
    root = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
    inside = f"/namespaces/{namespace}" if namespace else ""
    return f"{root}{inside}/{_PLURALS[kind]}/{name}"


def _call(client: Any, method: str, path: str, body: Manifest | None = None) -> tuple[int, Manifest]:
    """Status and content; `body` is applied on the server's side."""
    headers = {"Accept": "application/json"}
    if body is not None:
        headers["Content-Type"] = "application/apply-patch+yaml"
    query = [("fieldManager", _MANAGER)] if body is not None else []
    request = client.param_serialize(
        method, path, query_params=query, header_params=headers, body=body, auth_settings=["BearerToken"]
    )
    try:
        answer = client.call_api(*request, _request_timeout=15)
        content: Manifest = json.loads(answer.read() or b"{}")
    except (ApiException, HTTPError) as error:
        raise SmartTradeError(f"the API server does not answer: {error}") from error
    return answer.status, content


def _checked(status: int, content: Manifest, what: str) -> Manifest:
    if status < 300:
        return content
    kind = ConfigurationError if status in _OURS_TO_CHANGE else SmartTradeError
    raise kind(f"{what}: {content.get('message', status)}")
