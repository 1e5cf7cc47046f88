"""The three containers of an account's pod: who they run as, what they see, how they are probed.

Each container has its own user and sees only its own NATS credentials; the exchange's key is in execution
alone. A strategy of the user's own comes with the control value, so that another one needs no new pod, or in
an image of its own, which then is evaluation's and no other container's. The
files come from volumes, not by subPath, because only those follow a renewed Secret.
"""

from __future__ import annotations

from typing import Any

from smarttrade.api import Mode
from smarttrade_operator.children.blueprint import Blueprint
from smarttrade_operator.children.credentials import AUTHORITY, FINGERPRINT, GATEWAY, ORDERS

Part = dict[str, Any]

ROLES = ("monitoring", "evaluation", "execution")
PORTS = {"monitoring": 8081, "evaluation": 8082, "execution": 8083}
USERS = {"monitoring": 10011, "evaluation": 10012, "execution": 10013}

NATS_DIRECTORY = "/etc/smarttrade/nats"
EXCHANGE_DIRECTORY = "/etc/smarttrade/exchange"

# What the container's log may take of the node's disk; nothing else of it can be written.
EPHEMERAL_STORAGE = "128Mi"
# In memory, where a full one refuses the next write: one on disk is noticed by the kubelet only afterwards,
# and ends the whole pod.
TEMPORARY = {"medium": "Memory", "sizeLimit": "32Mi"}


def trades_live(blueprint: Blueprint) -> bool:
    """Whether the account's orders go to the exchange, so that execution needs the exchange's key."""
    return blueprint.spec.mode is Mode.LIVE and blueprint.spec.exchange.credentials_secret_ref is not None


def build_container(blueprint: Blueprint, role: str) -> Part:
    port = PORTS[role]
    return {
        "name": role,
        "image": _choose_image(blueprint, role),
        "imagePullPolicy": blueprint.runtime.pull_policy,
        "command": ["python", "-m", f"smarttrade.{role}"],
        "env": _build_environment(blueprint, role),
        "ports": [{"name": role, "containerPort": port, "protocol": "TCP"}],
        "resources": _build_resources(blueprint, role),
        "securityContext": _build_security_context(role),
        "volumeMounts": _build_mounts(blueprint, role),
        "startupProbe": _build_probe("/livez", port, period_s=1, failures=90),
        "livenessProbe": _build_probe("/livez", port, period_s=10, failures=3),
        "readinessProbe": _build_probe("/readyz", port, period_s=1, failures=3),
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }


def _choose_image(blueprint: Blueprint, role: str) -> str:
    own = blueprint.spec.strategy.image if role == "evaluation" else ""
    return own or blueprint.runtime.image


def build_volumes(blueprint: Blueprint) -> list[Part]:
    volumes = [_build_credentials_volume(blueprint, role) for role in ROLES]
    volumes += [{"name": f"tmp-{role}", "emptyDir": dict(TEMPORARY)} for role in ROLES]
    if trades_live(blueprint):
        reference = blueprint.spec.exchange.credentials_secret_ref
        assert reference is not None
        volumes.append({"name": "exchange", "secret": {"secretName": reference.name, "defaultMode": 0o444}})
    return volumes


def _build_credentials_volume(blueprint: Blueprint, role: str) -> Part:
    files = [f"{role}.creds"]
    if blueprint.network.nats_tls:
        files.append(AUTHORITY)
    if role == "execution" and trades_live(blueprint):
        files += [FINGERPRINT, ORDERS]
    if role != "evaluation" and blueprint.gateways:
        files.append(GATEWAY)
    return {
        "name": f"nats-{role}",
        "secret": {
            "secretName": blueprint.secret_name,
            "defaultMode": 0o444,
            "items": [{"key": file, "path": file} for file in files],
        },
    }


def _build_environment(blueprint: Blueprint, role: str) -> list[Part]:
    identity = blueprint.identity
    variables = {
        "SMARTTRADE_INSTALLATION": identity.installation,
        "SMARTTRADE_NAMESPACE": identity.namespace,
        "SMARTTRADE_ACCOUNT": identity.name,
        "SMARTTRADE_NATS_URL": blueprint.network.nats_url,
        "SMARTTRADE_NATS_CREDENTIALS": f"{NATS_DIRECTORY}/{role}.creds",
        "SMARTTRADE_PORT": str(PORTS[role]),
        "SMARTTRADE_REPLICAS": str(blueprint.spec.replicas),
        "SMARTTRADE_LOG_LEVEL": blueprint.spec.log_level.value.lower(),
        "HOME": "/tmp",  # noqa: S108 - the container's own emptyDir
    }
    if blueprint.network.nats_tls:
        variables["SMARTTRADE_NATS_AUTHORITY"] = f"{NATS_DIRECTORY}/{AUTHORITY}"
    if role == "evaluation" and (image := blueprint.spec.strategy.image):
        variables["SMARTTRADE_STRATEGY_IMAGE"] = image
    if role != "evaluation":
        variables["SMARTTRADE_ENDPOINT"] = blueprint.endpoint.model_dump_json(
            by_alias=True, exclude_defaults=True, exclude={"hosts"}
        )
    if role != "evaluation" and blueprint.gateways:
        variables["SMARTTRADE_GATEWAYS"] = ",".join(blueprint.gateways)
        variables["SMARTTRADE_GATEWAY_CREDENTIALS"] = f"{NATS_DIRECTORY}/{GATEWAY}"
    if role == "execution" and trades_live(blueprint):
        variables["SMARTTRADE_EXCHANGE_CREDENTIALS"] = EXCHANGE_DIRECTORY
    pod = {"name": "SMARTTRADE_POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}
    return [pod, *({"name": name, "value": value} for name, value in variables.items())]


def _build_resources(blueprint: Blueprint, role: str) -> Part:
    declared = getattr(blueprint.spec.resources, role)
    resources: Part = declared.model_dump(mode="json", by_alias=True, exclude_none=True)
    resources["limits"]["ephemeral-storage"] = EPHEMERAL_STORAGE
    resources["requests"]["ephemeral-storage"] = "16Mi"
    return resources


def _build_security_context(role: str) -> Part:
    return {
        "runAsUser": USERS[role],
        "runAsGroup": USERS[role],
        "runAsNonRoot": True,
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "privileged": False,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def _build_mounts(blueprint: Blueprint, role: str) -> list[Part]:
    mounts: list[Part] = [
        {"name": f"nats-{role}", "mountPath": NATS_DIRECTORY, "readOnly": True},
        {"name": f"tmp-{role}", "mountPath": "/tmp"},  # noqa: S108 - the container's own emptyDir
    ]
    if role == "execution" and trades_live(blueprint):
        mounts.append({"name": "exchange", "mountPath": EXCHANGE_DIRECTORY, "readOnly": True})
    return mounts


def _build_probe(path: str, port: int, *, period_s: int, failures: int) -> Part:
    return {
        "httpGet": {"path": path, "port": port, "scheme": "HTTP"},
        "periodSeconds": period_s,
        "timeoutSeconds": 3,
        "failureThreshold": failures,
    }
