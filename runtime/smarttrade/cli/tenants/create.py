"""Creates a tenant's namespace, or brings an existing one up to date."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from smarttrade.cli.apply import apply, read
from smarttrade.cli.tenants.build import TENANT_LABEL, Tenant, build_tenant
from smarttrade.errors import ConfigurationError


def create_tenant(client: Any, tenant: Tenant, say: Callable[[str], None]) -> None:
    """Apply everything. ConfigurationError for a namespace that was not made for a tenant: it may be a part
    of the cluster, whose pods the rules for tenants would stop."""
    found = read(client, "Namespace", "v1", "", tenant.name)
    if found is not None and TENANT_LABEL not in (found["metadata"].get("labels") or {}):
        raise ConfigurationError(
            f"namespace {tenant.name} exists and is no tenant's: take another name, or label it "
            f"{TENANT_LABEL}={tenant.name} if it is to become one"
        )
    for manifest in build_tenant(tenant):
        apply(client, manifest)
        say(f"{manifest['kind']} {manifest['metadata']['name']}")
