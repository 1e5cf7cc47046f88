"""The kinds of objects that the operator knows, and where each lives in the API.

Data only, so that builders and rules need no client: `kube` does the calls.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Manifest = dict[str, Any]

FIELD_MANAGER = "smarttrade-operator"


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of object and where it lives in the API."""

    group: str
    version: str
    kind: str
    plural: str

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str | None, name: str | None = None, subresource: str = "") -> str:
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        parts = [root, *(["namespaces", namespace] if namespace else []), self.plural]
        return "/".join([*parts, *([name] if name else []), *([subresource] if subresource else [])])


TRADING_ACCOUNT = Kind("smarttrade.io", "v1alpha1", "TradingAccount", "tradingaccounts")
DEPLOYMENT = Kind("apps", "v1", "Deployment", "deployments")
NETWORK_POLICY = Kind("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies")
DISRUPTION_BUDGET = Kind("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets")
POD = Kind("", "v1", "Pod", "pods")
SECRET = Kind("", "v1", "Secret", "secrets")
CORE_EVENT = Kind("", "v1", "Event", "events")
EVENT = Kind("events.k8s.io", "v1", "Event", "events")
LEASE = Kind("coordination.k8s.io", "v1", "Lease", "leases")
NAMESPACE = Kind("", "v1", "Namespace", "namespaces")
BACKTEST = Kind("smarttrade.io", "v1alpha1", "Backtest", "backtests")
JOB = Kind("batch", "v1", "Job", "jobs")
CONFIG_MAP = Kind("", "v1", "ConfigMap", "configmaps")
RESOURCE_QUOTA = Kind("", "v1", "ResourceQuota", "resourcequotas")

CHILDREN = (DEPLOYMENT, NETWORK_POLICY, DISRUPTION_BUDGET)
_OF_BACKTESTS = (BACKTEST, JOB, CONFIG_MAP, RESOURCE_QUOTA)
_BY_KIND = {kind.kind: kind for kind in (TRADING_ACCOUNT, *CHILDREN, POD, SECRET, LEASE, *_OF_BACKTESTS)}


def kind_of(manifest: Manifest) -> Kind:
    return _BY_KIND[manifest["kind"]]
