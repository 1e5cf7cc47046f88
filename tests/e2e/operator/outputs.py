"""Everything that an account and the platform around it let others read, gathered for a search.

Readers judge nothing: whoever searches has planted something first, and knows by finding it that these places
were read.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nats.aio.msg import Msg

from smarttrade.bus import jetstream, jwt
from smarttrade.bus.connection import Connection, connect
from smarttrade.bus.keys import OperatorKeys
from smarttrade.identity import AccountIdentity
from tests.component.operator.harness import Manifest
from tests.e2e.operator.conftest import Platform
from tests.e2e.operator.leaks import Output

# Every process's variables and arguments, and every file that the container could have written.
_READ = """
import base64, glob, json, os
told = {}
for pattern in ("/proc/[0-9]*/environ", "/proc/[0-9]*/cmdline", "/tmp/**", "/dev/shm/**", "/core*", "core*"):
    for path in glob.glob(pattern, recursive=True, include_hidden=True):
        try:
            if os.path.isfile(path):
                told[path] = base64.b64encode(open(path, "rb").read()).decode()
        except OSError:
            pass
print(json.dumps(told))
"""
_MONITOR = (
    "varz",
    "connz?subs=true&auth=true",
    "subsz?subs=true",
    "jsz?config=true&streams=true&accounts=true",
)


def read_logs(platform: Platform) -> Iterator[Output]:
    """Of all containers, what they say now and what they said before they were started anew."""
    for pod in _pods(platform):
        states = pod["status"].get("containerStatuses", []) + pod["status"].get("initContainerStatuses", [])
        for state in states:
            path = f"{_path(pod)}/log?container={state['name']}"
            place = f"{pod['metadata']['name']}/{state['name']}"
            yield _get(platform, "logs", place, path)
            if state["restartCount"]:
                yield _get(platform, "logs", f"{place} before", f"{path}&previous=true")


def read_objects(platform: Platform, entitled: frozenset[str]) -> Iterator[Output]:
    """Every object of every kind in both namespaces, events and status with them; not the Secrets that are
    `entitled` to hold the key."""
    for group in ["/api/v1", *_groups(platform)]:
        for resource in platform.proxy.call("GET", group).body["resources"]:
            if not resource["namespaced"] or "list" not in resource["verbs"]:
                continue
            for namespace in (platform.system.name, platform.users.name):
                path = f"{group}/namespaces/{namespace}/{resource['name']}"
                for item in platform.proxy.call("GET", path).body["items"]:
                    place = f"{resource['kind']}/{item['metadata']['name']}"
                    if place not in entitled:
                        yield Output("objects", place, json.dumps(item).encode())


def read_processes(platform: Platform, pod: Manifest) -> Iterator[Output]:
    """Of the containers of one pod, which must have Python."""
    metadata = pod["metadata"]
    for container in pod["spec"]["containers"]:
        inside = [
            "exec",
            metadata["name"],
            f"--namespace={metadata['namespace']}",
            f"--container={container['name']}",
        ]
        told = json.loads(platform.cluster(*inside, "--", "python", "-c", _READ))
        assert any(path.endswith("/environ") for path in told)
        for path, content in told.items():
            kind = "processes" if path.startswith("/proc") else "files"
            yield Output(kind, f"{metadata['name']}/{container['name']}{path}", base64.b64decode(content))


def read_metrics(platform: Platform, pods: list[Manifest]) -> Iterator[Output]:
    """The metrics of an account's pods, of the operator and of the servers, and what these tell a monitor."""
    places = [(pod, port, "metrics") for pod in pods for port in _ports(pod)]
    for pod in platform.system.items("Pod"):
        name = pod["metadata"].get("labels", {}).get("app.kubernetes.io/name")
        if name == "operator":
            places.append((pod, 8080, "metrics"))
        if name == "nats":
            places += [(pod, 8222, page) for page in _MONITOR]
    for pod, port, page in places:
        yield _get(platform, "metrics", f"{pod['metadata']['name']}:{port}/{page}", _proxied(pod, port, page))


def read_audit(platform: Platform, name: str) -> Iterator[Output]:
    """What `smarttrade audit export` reads."""
    for row in platform.audit(name):
        yield Output("audit", str(row["sequence"]), json.dumps(row).encode())


async def read_bus(
    platform: Platform, url: str, authority: Path, name: str, *, messages: int
) -> list[Output]:
    """All that the account's NATS accounts store, and so many messages that are sent in each with users."""
    identity = AccountIdentity(platform.system.name, platform.users.name, name)
    keys, outputs = platform.keys(), []
    for kind in ("core", "strategy", "monitoring"):
        nc = await _look_into(url, authority, keys, kind, identity)
        try:
            outputs += await _listen(nc, kind, messages)
            outputs += await _read_streams(nc) if kind == "core" else []
        finally:
            await nc.close()
    return outputs


async def _look_into(
    url: str, authority: Path, keys: OperatorKeys, kind: str, identity: AccountIdentity
) -> Connection:
    """As a user who may do everything in the account."""
    user, signer = keys.user("searcher", identity.key), keys.account_signing(kind, identity.key)
    claims = jwt.build_user_claims(keys.account(kind, identity.key).public, [">"], [">"])
    token = jwt.encode(signer, user.public, "searcher", claims, keys.created)
    credentials = jwt.format_credentials(token, user.seed)

    async def closed() -> None:
        raise AssertionError("the search was thrown out")

    return await connect(
        url,
        name="searcher",
        role="operator",
        credentials=credentials,
        authority=authority,
        on_closed=closed,
    )


async def _listen(nc: Connection, kind: str, messages: int) -> list[Output]:
    heard: list[Output] = []
    enough = asyncio.Event()

    async def hear(message: Msg) -> None:
        headers = json.dumps(dict(message.headers or {})).encode()
        heard.append(Output(f"messages in {kind}", message.subject, headers + message.data))
        if len(heard) >= messages:
            enough.set()

    subscription = await nc.subscribe(">", cb=hear)
    async with asyncio.timeout(60):
        await enough.wait()
    await subscription.unsubscribe()
    return heard


async def _read_streams(nc: Connection) -> list[Output]:
    outputs = []
    for stream in (await jetstream.api(nc, "STREAM.NAMES"))["streams"]:
        state = (await jetstream.api(nc, f"STREAM.INFO.{stream}"))["state"]
        for sequence in range(state["first_seq"], state["last_seq"] + 1):
            stored = await _read_stored(nc, stream, sequence)
            outputs += [Output("streams", f"{stream}/{sequence}", stored)] if stored else []
    return outputs


async def _read_stored(nc: Connection, stream: str, sequence: int) -> bytes:
    """Empty where it was replaced or purged."""
    try:
        answer = await jetstream.api(nc, f"STREAM.MSG.GET.{stream}", {"seq": sequence})
    except jetstream.ApiError as error:
        if error.code == jetstream.NO_MESSAGE:
            return b""
        raise
    stored = jetstream.read_stored(answer["message"])
    return json.dumps(stored.headers).encode() + stored.payload


def _groups(platform: Platform) -> list[str]:
    groups: list[Manifest] = platform.proxy.call("GET", "/apis").body["groups"]
    return [f"/apis/{group['preferredVersion']['groupVersion']}" for group in groups]


def _pods(platform: Platform) -> list[Manifest]:
    return platform.system.items("Pod") + platform.users.items("Pod")


def _ports(pod: Manifest) -> list[int]:
    """Evaluation serves no metrics."""
    telling = [each for each in pod["spec"]["containers"] if each["name"] != "evaluation"]
    return [port["containerPort"] for each in telling for port in each.get("ports", [])]


def _path(pod: Manifest) -> str:
    return f"/api/v1/namespaces/{pod['metadata']['namespace']}/pods/{pod['metadata']['name']}"


def _proxied(pod: Manifest, port: int, page: str) -> str:
    path = _path(pod)
    return f"{path}:{port}/proxy/{page}"


def _get(platform: Platform, kind: str, place: str, path: str) -> Output:
    answer = platform.proxy.call("GET", path)
    told: Any = answer.body
    return Output(kind, place, json.dumps(told).encode() if answer.status == 200 else b"")
