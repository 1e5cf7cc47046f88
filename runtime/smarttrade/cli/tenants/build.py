"""What a tenant's namespace consists of, as plain manifests.

The tenant says what to trade by objects of ours and gives keys; everything that runs is made by the operator.
So they get no right to make pods, to open network policies or to read Secrets: not even their own, because
what a leaked login can read is leaked. A right to patch counts as one to read, since the answer shows the
whole object; Secrets are therefore created and deleted, never changed in place.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

Manifest = dict[str, Any]

TENANT_LABEL = "smarttrade.io/tenant"
NAME = "smarttrade-tenant"
_PODS_AN_ACCOUNT = 4  # three replicas and the one that surges in a rollout
_CONTAINERS = 3
_LEVELS = ("enforce", "audit", "warn")

_READ = ["get", "list", "watch"]
_WRITE = ["create", "update", "patch", "delete"]
_MAKE_AND_TAKE = ["create", "delete"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """`users`, `groups` and `service_accounts` (NAMESPACE:NAME) get the Role; `accounts` bounds what runs."""

    name: str
    users: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    service_accounts: tuple[str, ...] = ()
    accounts: int = 5
    cpu: str = "8"
    memory: str = "16Gi"
    storage: str = "50Gi"
    may_exec: bool = False


def build_tenant(tenant: Tenant) -> list[Manifest]:
    """In the order in which they are applied: nothing runs before what bounds it is there."""
    return [
        build_namespace(tenant),
        build_quota(tenant),
        build_limit_range(tenant),
        build_default_deny(tenant),
        build_role(tenant),
        build_binding(tenant),
    ]


def build_namespace(tenant: Tenant) -> Manifest:
    """Restricted by Pod Security; the label guards it against deletion (see the chart's admission rules)."""
    levels = {f"pod-security.kubernetes.io/{level}": "restricted" for level in _LEVELS}
    labels = levels | {TENANT_LABEL: tenant.name, "app.kubernetes.io/managed-by": "smarttrade-cli"}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": tenant.name, "labels": labels}}


def build_quota(tenant: Tenant) -> Manifest:
    """What all of the tenant's pods may use together. No quota on CPU limits: the accounts have none."""
    pods = tenant.accounts * _PODS_AN_ACCOUNT
    hard = {
        "pods": str(pods + 16),
        "requests.cpu": tenant.cpu,
        "requests.memory": tenant.memory,
        "limits.memory": tenant.memory,
        "limits.ephemeral-storage": f"{(pods * _CONTAINERS + 16) * 128}Mi",
        "requests.storage": tenant.storage,
        "count/tradingaccounts.smarttrade.io": str(tenant.accounts),
        "count/backtests.smarttrade.io": "50",
        "count/secrets": str(4 * tenant.accounts + 10),
        "count/configmaps": "100",
        "services": "0",
    }
    return _child(tenant, "v1", "ResourceQuota", spec={"hard": hard})


def build_limit_range(tenant: Tenant) -> Manifest:
    """A container that says nothing of its needs still has bounds, and none may ask for all of the quota."""
    container = {
        "type": "Container",
        "default": {"memory": "512Mi", "ephemeral-storage": "128Mi"},
        "defaultRequest": {"cpu": "50m", "memory": "128Mi", "ephemeral-storage": "16Mi"},
        "min": {"memory": "16Mi"},
        "max": {"memory": "8Gi", "ephemeral-storage": "2Gi"},
    }
    return _child(tenant, "v1", "LimitRange", spec={"limits": [container]})


def build_default_deny(tenant: Tenant) -> Manifest:
    """Whatever else comes to run here reaches nothing; the accounts' own policies open what they need."""
    spec = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    return _child(tenant, "networking.k8s.io/v1", "NetworkPolicy", spec=spec)


def build_role(tenant: Tenant) -> Manifest:
    rules = [
        _rule("smarttrade.io", ["tradingaccounts", "backtests"], [*_READ, *_WRITE]),
        _rule("", ["secrets"], _MAKE_AND_TAKE),
        _rule("", ["configmaps"], [*_READ, *_WRITE]),
        _rule("", ["persistentvolumeclaims"], [*_READ, *_MAKE_AND_TAKE]),
        _rule("", ["pods", "pods/log", "events", "resourcequotas", "limitranges"], _READ),
        _rule("events.k8s.io", ["events"], _READ),
        _rule("apps", ["deployments", "replicasets"], _READ),
        _rule("batch", ["jobs"], _READ),
        _rule("networking.k8s.io", ["networkpolicies"], _READ),
        _rule("policy", ["poddisruptionbudgets"], _READ),
    ]
    if tenant.may_exec:
        rules.append(_rule("", ["pods/exec"], ["get", "create"]))
    return _child(tenant, "rbac.authorization.k8s.io/v1", "Role", rules=rules)


def build_binding(tenant: Tenant) -> Manifest:
    group = "rbac.authorization.k8s.io"
    subjects = [
        *({"kind": "User", "apiGroup": group, "name": name} for name in tenant.users),
        *({"kind": "Group", "apiGroup": group, "name": name} for name in tenant.groups),
        *_service_accounts(tenant.service_accounts),
    ]
    role = {"apiGroup": group, "kind": "Role", "name": NAME}
    return _child(tenant, f"{group}/v1", "RoleBinding", roleRef=role, subjects=subjects)


def _service_accounts(names: Iterable[str]) -> Iterable[Manifest]:
    for each in names:
        namespace, _, name = each.partition(":")
        yield {"kind": "ServiceAccount", "namespace": namespace, "name": name}


def _rule(group: str, resources: list[str], verbs: list[str]) -> Manifest:
    return {"apiGroups": [group], "resources": resources, "verbs": verbs}


def _child(tenant: Tenant, api_version: str, kind: str, **content: Any) -> Manifest:
    metadata = {
        "name": NAME,
        "namespace": tenant.name,
        "labels": {TENANT_LABEL: tenant.name, "app.kubernetes.io/managed-by": "smarttrade-cli"},
    }
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **content}
