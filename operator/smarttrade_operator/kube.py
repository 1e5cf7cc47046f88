"""The API server as the operator needs it: a handful of verbs on plain manifests.

Goes through the official dynamic client's request layer, without its discovery: the kinds are few and known.
Every failure becomes a KubeError that tells what a caller must tell apart: not found, conflict, refused
(the request is wrong or forbidden; trying again alone will not help) or unavailable.
"""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
from kubernetes.aio import client as _untyped_client
from kubernetes.aio import config as _untyped_config
from kubernetes.aio.client.exceptions import ApiException
from kubernetes.aio.dynamic import DynamicClient
from prometheus_client import Counter

from smarttrade.errors import SmartTradeError
from smarttrade_operator.kinds import FIELD_MANAGER, Kind, Manifest, kind_of
from smarttrade_operator.permissions import is_granted

# The official client is not annotated.
_client: Any = _untyped_client
_config: Any = _untyped_config
_dynamic_client: Any = DynamicClient

_TIMEOUT_S = 15
_PAGE = 500
_METADATA_ONLY = "application/json;as={};g=meta.k8s.io;v=v1"

requests_total = Counter(
    "smarttrade_operator_api_requests_total", "Requests to the API server.", ["verb", "resource", "code"]
)


class KubeError(SmartTradeError):
    """The API server did not do what was asked."""


class NotFound(KubeError):  # noqa: N818 - reads as the condition that callers ask for
    """The object does not exist."""


class Conflict(KubeError):  # noqa: N818
    """The object exists already, or has changed since it was read."""


class Refused(KubeError):  # noqa: N818
    """The request is invalid or forbidden: the message of the API server says why."""


class Unavailable(KubeError):  # noqa: N818
    """No answer, or one that says to try again."""


class Kube:
    """Verbs on manifests. Use as `async with Kube.connect() as kube`."""

    def __init__(self, api: Any) -> None:
        self._api = api
        self._dynamic = _dynamic_client(api)

    @classmethod
    async def connect(cls) -> Kube:
        """In a pod by its service account, elsewhere by KUBECONFIG."""
        try:
            _config.load_incluster_config()
        except _config.ConfigException:
            await _config.load_kube_config(os.environ.get("KUBECONFIG"))
        return cls(_client.ApiClient())

    async def __aenter__(self) -> Kube:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._api.close()

    async def get(self, kind: Kind, namespace: str | None, name: str) -> Manifest:
        return await self._request("get", kind, namespace, name)

    async def list_objects(self, kind: Kind, namespace: str | None, **selectors: str) -> list[Manifest]:
        """All objects, in pages; `label_selector` and `field_selector` narrow them."""
        return [item async for item in self._pages(kind, namespace, selectors, {})]

    async def list_metadata(self, kind: Kind, namespace: str | None, **selectors: str) -> list[Manifest]:
        """As `list_objects`, but only each object's metadata."""
        header = {"Accept": _METADATA_ONLY.format("PartialObjectMetadataList")}
        return [item async for item in self._pages(kind, namespace, selectors, header)]

    async def create(self, manifest: Manifest, kind: Kind | None = None) -> Manifest:
        namespace = manifest["metadata"]["namespace"]
        return await self._request("create", kind or kind_of(manifest), namespace, body=manifest)

    async def apply(self, manifest: Manifest, *, subresource: str = "") -> Manifest:
        """Server-side apply, taking over fields of other managers."""
        metadata = manifest["metadata"]
        return await self._request(
            "patch",
            kind_of(manifest),
            metadata["namespace"],
            metadata["name"],
            subresource=subresource,
            body=manifest,
            content_type="application/apply-patch+yaml",
            force_conflicts="true",
            header_params=_reply_header(manifest["kind"]),
        )

    async def replace(self, manifest: Manifest, *, dry_run: bool = False) -> Manifest:
        """Put the manifest in the place of what is there: whatever it does not say is gone."""
        metadata = manifest["metadata"]
        options = {"dry_run": "All"} if dry_run else {}
        kind = kind_of(manifest)
        return await self._request(
            "update", kind, metadata["namespace"], metadata["name"], body=manifest, **options
        )

    async def merge_patch(self, kind: Kind, namespace: str, name: str, patch: Manifest) -> Manifest:
        return await self._request(
            "patch",
            kind,
            namespace,
            name,
            body=patch,
            content_type="application/merge-patch+json",
            header_params=_reply_header(kind.kind),
        )

    async def look(self, kind: Kind, namespace: str, name: str) -> Manifest | None:
        """The metadata of an object that we may patch but not read: what an empty patch answers. It changes
        nothing, and the API server stores nothing."""
        header = {"Accept": _METADATA_ONLY.format("PartialObjectMetadata")}
        patch: Manifest = {"metadata": {}}
        content = "application/merge-patch+json"
        try:
            return await self._request(
                "patch", kind, namespace, name, body=patch, content_type=content, header_params=header
            )
        except NotFound:
            return None

    async def delete(self, kind: Kind, namespace: str, name: str, *, uid: str | None = None) -> None:
        """Delete in the background; an object that is not there counts as deleted."""
        body: Manifest = {"propagationPolicy": "Background"}
        if uid:
            body["preconditions"] = {"uid": uid}
        try:
            await self._request("delete", kind, namespace, name, body=body)
        except NotFound:
            return

    async def _pages(
        self, kind: Kind, namespace: str | None, selectors: dict[str, str], header: dict[str, str]
    ) -> AsyncIterator[Manifest]:
        token: str | None = None
        while True:
            page = await self._request(
                "list", kind, namespace, limit=_PAGE, _continue=token, header_params=dict(header), **selectors
            )
            for item in page["items"] or []:
                yield item
            token = page["metadata"].get("continue")
            if not token:
                return

    async def _request(
        self,
        verb: str,
        kind: Kind,
        namespace: str | None,
        name: str | None = None,
        *,
        subresource: str = "",
        **options: Any,
    ) -> Manifest:
        resource = f"{kind.plural}/{subresource}" if subresource else kind.plural
        if not is_granted(kind.group, resource, verb):
            raise Refused(f"{verb} {resource} is missing in smarttrade_operator.permissions")
        what = f"{verb} {resource} {namespace or '*'}/{name or '*'}"
        code = "none"
        if verb in _WRITES:
            options["field_manager"] = FIELD_MANAGER
        try:
            response = await self._dynamic.request(
                _METHODS[verb],
                kind.path(namespace, name, subresource),
                serialize=False,
                query_params=[],
                _request_timeout=_TIMEOUT_S,
                **({"header_params": {}} | options),
            )
            code = str(response.status)
            reply: Manifest = json.loads(await response.read())
            return reply
        except ApiException as error:
            code = str(error.status)
            raise _translate(what, error) from error
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise Unavailable(f"{what}: no answer from the API server: {error!r}") from error
        finally:
            requests_total.labels(verb, resource, code).inc()


_METHODS = {
    "get": "get",
    "list": "get",
    "create": "post",
    "update": "put",
    "patch": "patch",
    "delete": "delete",
}
_WRITES = ("create", "update", "patch")


def _reply_header(kind: str) -> dict[str, str]:
    """What a patch of a Secret answers must not carry its contents back."""
    return {"Accept": _METADATA_ONLY.format("PartialObjectMetadata")} if kind == "Secret" else {}


def _translate(what: str, error: ApiException) -> KubeError:
    message = f"{what}: {_status_message(error)}"
    match error.status:
        case 404:
            return NotFound(message)
        case 409:
            return Conflict(message)
        case 400 | 401 | 403 | 405 | 415 | 422:
            return Refused(message)
        case _:
            return Unavailable(message)


def _status_message(error: ApiException) -> str:
    try:
        return str(json.loads(error.body or "")["message"])
    except (TypeError, ValueError, KeyError):
        return f"{error.status} {error.reason}"
