"""What a Backtest's children are.

The pods run the user's own strategy, so they get nothing it could misuse: no service account, no network,
no credentials, candles read-only, and a place for results that only this namespace's owner chose. They rank
below trading by their priority class, to which the quota is bound: a sweep waits, it never displaces.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from smarttrade.api import TradingAccountSpec
from smarttrade.api.account import API_VERSION
from smarttrade.api.account import KIND as ACCOUNT_KIND
from smarttrade.api.backtest import BacktestSpec
from smarttrade_operator.kinds import (
    BACKTEST,
    CONFIG_MAP,
    JOB,
    NETWORK_POLICY,
    RESOURCE_QUOTA,
    Kind,
    Manifest,
)
from smarttrade_operator.settings import Backtests, Runtime

LABEL = "smarttrade.io/backtest"
SELECTOR = f"app.kubernetes.io/managed-by=smarttrade-operator,{LABEL}"
USER = 10041

_SETTINGS, _DATA, _RESULTS = "/etc/smarttrade/backtest", "/data", "/results"
_STRATEGY = "/etc/smarttrade/strategy"
_IMAGE = "SMARTTRADE_STRATEGY_IMAGE"
_MISTAKE = 2
_ATTEMPTS = 3
_KEPT_ROUND_S = 600  # pods of a round that others have followed; up to 125 rounds would otherwise pile up
Part = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """One Backtest as its children are built from it. `account` is the specification that is tested, None
    when it is frozen and gone; `source` is the ConfigMap with the strategy's own code, `image` the image with
    it, if it has any; `ends` is when its time is over."""

    name: str
    namespace: str
    uid: str
    spec: BacktestSpec
    account: TradingAccountSpec | None
    source: str | None
    image: str
    runtime: Runtime
    settings: Backtests
    ends: datetime

    @property
    def child_name(self) -> str:
        return child_name({"metadata": {"name": self.name, "uid": self.uid}})


def child_name(backtest: Manifest) -> str:
    """Of the object itself, not of its name: an earlier one's children may still be going."""
    metadata = backtest["metadata"]
    return f"{metadata['name']}-{metadata['uid'][:8]}"


def shards_name(child: str, number: int) -> str:
    """Of the job of one round; the first is 0."""
    return f"{child}-r{number}" if number else child


def collector_name(child: str) -> str:
    return f"{child}-collect"


def build_children(outline: Outline) -> list[Manifest]:
    """All but the jobs; the policy is there before the pods that it confines."""
    children = [build_config_map(outline), build_network_policy(outline), build_quota(outline)]
    return [child for child in children if child is not None]


def build_config_map(outline: Outline) -> Manifest | None:
    """The account's manifest and the object's specification, as they were at the start."""
    if outline.account is None:
        return None
    account = {
        "apiVersion": API_VERSION,
        "kind": ACCOUNT_KIND,
        "metadata": {"name": outline.spec.account, "namespace": outline.namespace},
        "spec": outline.account.model_dump(mode="json", by_alias=True, exclude_none=True),
    }
    return _build_child(
        outline,
        CONFIG_MAP,
        outline.child_name,
        immutable=True,
        data={
            "account.yaml": json.dumps(account, indent=1, sort_keys=True),
            "backtest.json": outline.spec.model_dump_json(by_alias=True, exclude_none=True),
        },
    )


def build_network_policy(outline: Outline) -> Manifest:
    """Nothing in, nothing out, not even names."""
    selected = {"matchLabels": {LABEL: outline.name}}
    return _build_child(
        outline,
        NETWORK_POLICY,
        outline.child_name,
        spec={"podSelector": selected, "policyTypes": ["Ingress", "Egress"], "ingress": [], "egress": []},
    )


def build_quota(outline: Outline) -> Manifest | None:
    """What all backtests of the namespace may use together; None without a priority class to bind it to.

    Several of them have equal quotas, each of which counts the pods of all.
    """
    settings = outline.settings
    if not settings.priority_class:
        return None
    scope = {"scopeName": "PriorityClass", "operator": "In", "values": [settings.priority_class]}
    return _build_child(
        outline,
        RESOURCE_QUOTA,
        outline.child_name,
        spec={
            "hard": {
                "pods": str(settings.quota_pods),
                "requests.cpu": settings.quota_cpu,
                "limits.memory": settings.quota_memory,
            },
            "scopeSelector": {"matchExpressions": [scope]},
        },
    )


def build_shard_job(outline: Outline, number: int = 0, seconds_left: int | None = None) -> Manifest:
    """One round. Indexed: each pod runs its part, and one that fails is repeated alone."""
    spec = outline.spec
    followed = number + 1 < spec.rounds
    return _build_job(
        outline,
        shards_name(outline.child_name, number),
        ["shard", str(number)],
        seconds_left,
        completionMode="Indexed",
        completions=spec.shards,
        parallelism=min(spec.parallelism, spec.shards),
        backoffLimitPerIndex=_ATTEMPTS - 1,
        maxFailedIndexes=0,
        **({"ttlSecondsAfterFinished": _KEPT_ROUND_S} if followed else {}),
    )


def build_collect_job(outline: Outline, seconds_left: int | None = None) -> Manifest:
    """One pod that judges what the shards wrote."""
    arguments = ["collect", outline.name]
    name = collector_name(outline.child_name)
    return _build_job(outline, name, arguments, seconds_left, backoffLimit=_ATTEMPTS - 1)


def _build_job(
    outline: Outline, name: str, arguments: list[str], seconds_left: int | None, **more: Any
) -> Manifest:
    limit = outline.spec.timeout_seconds
    return _build_child(
        outline,
        JOB,
        name,
        spec={
            **more,
            "activeDeadlineSeconds": limit if seconds_left is None else max(1, min(limit, seconds_left)),
            "podReplacementPolicy": "Failed",
            "podFailurePolicy": {"rules": _build_failure_rules()},
            "template": {
                "metadata": {"labels": _build_labels(outline)},
                "spec": _build_pod(outline, arguments),
            },
        },
    )


def _build_failure_rules() -> list[Part]:
    """A mistake in the object is not repeated; a node that goes away is not an attempt."""
    mistake = {"containerName": "backtest", "operator": "In", "values": [_MISTAKE]}
    disrupted = [{"type": "DisruptionTarget", "status": "True"}]
    return [
        {"action": "FailJob", "onExitCodes": mistake},
        {"action": "Ignore", "onPodConditions": disrupted},
    ]


def _build_pod(outline: Outline, arguments: list[str]) -> Part:
    pod: Part = {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 30,
        "securityContext": {
            "runAsNonRoot": True,
            "fsGroup": USER,
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [_build_container(outline, arguments)],
        "volumes": _build_volumes(outline),
    }
    if outline.settings.priority_class:
        pod["priorityClassName"] = outline.settings.priority_class
    if outline.runtime.runtime_class:
        pod["runtimeClassName"] = outline.runtime.runtime_class
    if outline.runtime.pull_secrets:
        pod["imagePullSecrets"] = [{"name": name} for name in outline.runtime.pull_secrets]
    return pod


def _build_container(outline: Outline, arguments: list[str]) -> Part:
    resources = outline.spec.resources.model_dump(mode="json", by_alias=True, exclude_none=True)
    data = outline.spec.data.volume.path if outline.spec.data.volume else ""
    variables = {
        "HOME": "/tmp",  # noqa: S108 - the pod's own emptyDir
        "SMARTTRADE_BACKTEST_SETTINGS": _SETTINGS,
        "SMARTTRADE_BACKTEST_DATA": f"{_DATA}/{data}".rstrip("/"),
        "SMARTTRADE_BACKTEST_RESULTS": _RESULTS,
        "SMARTTRADE_BACKTEST_RUN": outline.child_name,
        "SMARTTRADE_BACKTEST_ENDS": str(int(outline.ends.timestamp())),
        "SMARTTRADE_STRATEGY_SOURCE": _STRATEGY,
    }
    if outline.image:
        variables[_IMAGE] = outline.image
    return {
        "name": "backtest",
        "image": outline.image or outline.settings.image or outline.runtime.image,
        "imagePullPolicy": outline.runtime.pull_policy,
        "command": ["python", "-m", "smarttrade.sweep", *arguments],
        "env": [{"name": name, "value": value} for name, value in variables.items()],
        "resources": resources,
        "securityContext": {
            "runAsUser": USER,
            "runAsGroup": USER,
            "runAsNonRoot": True,
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "privileged": False,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": _build_mounts(outline),
    }


def _build_mounts(outline: Outline) -> list[Part]:
    results: Part = {"name": "results", "mountPath": _RESULTS}
    if outline.spec.results.path:
        results["subPath"] = outline.spec.results.path.rstrip("/")
    mounts: list[Part] = [
        {"name": "settings", "mountPath": _SETTINGS, "readOnly": True},
        {"name": "data", "mountPath": _DATA, "readOnly": True},
        results,
        {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - the pod's own emptyDir
    ]
    if outline.source is not None:
        mounts.append({"name": "strategy", "mountPath": _STRATEGY, "readOnly": True})
    return mounts


def _build_volumes(outline: Outline) -> list[Part]:
    spec = outline.spec
    volumes: list[Part] = [
        {"name": "settings", "configMap": {"name": outline.child_name, "defaultMode": 0o444}},
        _build_data(spec),
        {"name": "results", "persistentVolumeClaim": {"claimName": spec.results.claim_name}},
        {"name": "tmp", "emptyDir": {"sizeLimit": "256Mi"}},
    ]
    if outline.source is not None:
        modules = {"name": outline.source, "defaultMode": 0o444}
        volumes.append({"name": "strategy", "configMap": modules})
    return volumes


def source_of(job: Manifest) -> str | None:
    """The strategy's ConfigMap in a job that was built: what runs on is what began."""
    volumes = job["spec"]["template"]["spec"]["volumes"]
    return next((each["configMap"]["name"] for each in volumes if each["name"] == "strategy"), None)


def image_of(job: Manifest) -> str:
    """The strategy's image in a job that was built, empty without one."""
    [container] = job["spec"]["template"]["spec"]["containers"]
    return next((each["value"] for each in container["env"] if each["name"] == _IMAGE), "")


def _build_data(spec: BacktestSpec) -> Part:
    volume = spec.data.volume
    if volume is None:
        return {"name": "data", "configMap": {"name": spec.data.config_map, "defaultMode": 0o444}}
    # Not read-only here: a claim that also takes the results can be attached in one mode only.
    return {"name": "data", "persistentVolumeClaim": {"claimName": volume.claim_name}}


def _build_labels(outline: Outline) -> dict[str, str]:
    return {
        "app.kubernetes.io/name": "backtest",
        "app.kubernetes.io/instance": outline.name,
        "app.kubernetes.io/managed-by": "smarttrade-operator",
        LABEL: outline.name,
    }


def _build_child(outline: Outline, kind: Kind, name: str, **content: object) -> Manifest:
    owner = {
        "apiVersion": BACKTEST.api_version,
        "kind": BACKTEST.kind,
        "name": outline.name,
        "uid": outline.uid,
        "controller": True,
        "blockOwnerDeletion": False,
    }
    return {
        "apiVersion": kind.api_version,
        "kind": kind.kind,
        "metadata": {
            "name": name,
            "namespace": outline.namespace,
            "labels": _build_labels(outline),
            "ownerReferences": [owner],
        },
        **content,
    }
