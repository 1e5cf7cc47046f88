"""The one table of what the operator may do on the API server.

The chart's roles are tested against it, and `kube.Kube` refuses any call that is not in it, so that code and
rights cannot drift apart unseen. Of tenants' Secrets it holds create, patch and delete only: the operator
never reads one, and asks for patch replies without their bodies.
"""

from __future__ import annotations

from typing import NamedTuple


class Permission(NamedTuple):
    """One RBAC rule; `resource` may name a subresource as in `pods/status`."""

    group: str
    resource: str
    verbs: tuple[str, ...]


WATCH = ("get", "list", "watch")
OWN = (*WATCH, "create", "update", "patch", "delete")

# In every namespace that holds TradingAccounts.
ACCOUNT_PERMISSIONS: tuple[Permission, ...] = (
    Permission("smarttrade.io", "tradingaccounts", (*WATCH, "patch")),
    Permission("smarttrade.io", "tradingaccounts/status", ("patch",)),
    Permission("smarttrade.io", "tradingaccounts/finalizers", ("update",)),
    Permission("apps", "deployments", OWN),
    Permission("networking.k8s.io", "networkpolicies", OWN),
    Permission("policy", "poddisruptionbudgets", OWN),
    Permission("", "pods", WATCH),
    Permission("", "secrets", ("create", "patch", "delete")),
    Permission("", "events", ("list",)),
    Permission("events.k8s.io", "events", ("create",)),
    Permission("smarttrade.io", "backtests", WATCH),
    Permission("smarttrade.io", "backtests/status", ("patch",)),
    Permission("batch", "jobs", (*WATCH, "create")),
    Permission("", "configmaps", ("get", "create")),
    Permission("", "resourcequotas", ("create",)),
)

# In the operator's own namespace. The Secret is the one with the NATS servers' certificate; of ConfigMaps the
# kill switch is read, and the list of withdrawn passwords is kept.
OPERATOR_PERMISSIONS: tuple[Permission, ...] = (
    Permission("coordination.k8s.io", "leases", ("get", "create", "update")),
    Permission("", "configmaps", ("get", "patch")),
    Permission("", "secrets", ("patch",)),
)

# In the operator's own namespace, for the job that makes the keys once (`smarttrade-operator keys`).
KEYS_JOB_PERMISSIONS: tuple[Permission, ...] = (Permission("", "secrets", ("get", "create", "patch")),)

# On the whole cluster although in namespaced mode: a namespace that is being deleted may lose our Role before
# its accounts, and they could then never be released. `namespaces` is bound to the names of those served.
LETTING_GO_PERMISSIONS: tuple[Permission, ...] = (
    Permission("smarttrade.io", "tradingaccounts", (*WATCH, "patch")),
    Permission("smarttrade.io", "tradingaccounts/finalizers", ("update",)),
    Permission("", "namespaces", ("get",)),
)

# For the job that runs once the platform is uninstalled (`smarttrade-operator release`): where the accounts
# are, and in the operator's own namespace.
RELEASE_JOB_PERMISSIONS: tuple[Permission, ...] = (
    Permission("smarttrade.io", "tradingaccounts", ("get", "list", "patch")),
    Permission("smarttrade.io", "tradingaccounts/finalizers", ("update",)),
)
RELEASE_JOB_OWN_PERMISSIONS: tuple[Permission, ...] = (Permission("apps", "deployments", ("get",)),)

_TABLES = (
    ACCOUNT_PERMISSIONS,
    OPERATOR_PERMISSIONS,
    KEYS_JOB_PERMISSIONS,
    LETTING_GO_PERMISSIONS,
    RELEASE_JOB_PERMISSIONS,
    RELEASE_JOB_OWN_PERMISSIONS,
)
_GRANTED = {(rule.group, rule.resource, verb) for table in _TABLES for rule in table for verb in rule.verbs}


def is_granted(group: str, resource: str, verb: str) -> bool:
    """Whether the table grants the verb anywhere."""
    return (group, resource, verb) in _GRANTED
