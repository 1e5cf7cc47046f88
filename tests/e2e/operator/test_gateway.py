"""An account whose exchange is behind the egress gateway: that way works, and there is no other.

What it and the platform write anywhere is searched for its keys, while it trades and when the exchange
refuses its key: they leak in the errors of requests that failed.
"""

from __future__ import annotations

import asyncio
import json
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.node.layout import DNS_ADDRESS
from tests.attacks.wire import Credentials
from tests.component.operator.harness import Manifest, eventually
from tests.e2e.operator.conftest import RELEASE, Platform, build_credentials
from tests.e2e.operator.front import NAME, PORT
from tests.e2e.operator.leaks import Output, find_leaks
from tests.e2e.operator.outputs import (
    read_audit,
    read_bus,
    read_logs,
    read_metrics,
    read_objects,
    read_processes,
)

ACCOUNT = "norma"
PART = "app.kubernetes.io/name"
PLANTED = 'planted "secret"/+=\\'
WRONG = f"wrong of {PLANTED}".replace("planted", ACCOUNT)
# It tells a secret of its own wherever a strategy can.
LEAKING = f"""
from decimal import Decimal
from pathlib import Path

from smarttrade import Strategy

PLANTED = {PLANTED!r}


class InAndOut(Strategy):
    wanted = Decimal(0)

    def on_candle(self, candle):
        print("it is", PLANTED)
        Path("/tmp/planted").write_text(PLANTED)
        self.wanted = Decimal("0.01") - self.wanted
        return self.target(candle.market, self.wanted, reason=PLANTED)
"""
PLANTED_IN = {"logs", "objects", "files", "audit", "streams", "messages in core"}
# Who may hold the exchange's key, and the account's own credentials.
ENTITLED = frozenset(
    f"Secret/{name}" for name in (f"{ACCOUNT}-binance", f"{ACCOUNT}-nats", f"{RELEASE}-simulator")
)
# Runs in a container of the account: tells how each way out ended.
_PROBE = """
import base64, json, os, socket, sys
places = json.loads(sys.argv[1])
def resolve():
    return socket.getaddrinfo(places["catalogued"].partition(":")[0], None)[0][4][0]
def ask_dns():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wire:
        wire.settimeout(2)
        wire.sendto(bytes.fromhex("123401000001000000000000067365637265740000010001"), (places["dns"], 53))
        return wire.recv(512).hex()
def straight():
    with socket.create_connection((places["front"], places["port"]), timeout=2):
        return "connected"
def tunnel(host, own):
    opened = ""
    if own:
        with open(os.environ["SMARTTRADE_GATEWAY_CREDENTIALS"]) as file:
            both = file.read()
        opened = "Proxy-Authorization: Basic " + base64.b64encode(both.encode()).decode() + "\\r\\n"
    with socket.create_connection((places["gateway"], 4750), timeout=5) as wire:
        wire.sendall(f"CONNECT {host} HTTP/1.1\\r\\nHost: {host}\\r\\n{opened}\\r\\n".encode())
        answer = b""
        while b"200" not in answer and b"denied" not in answer and (part := wire.recv(4096)):
            answer += part
        return answer.decode()
ways = {
    "name": resolve,
    "dns": ask_dns,
    "straight": straight,
    "without": lambda: tunnel(places["catalogued"], False),
    "own": lambda: tunnel(places["catalogued"], True),
    "elsewhere": lambda: tunnel("evil.example:443", True),
}
told = {}
for name, way in ways.items():
    try:
        told[name] = way()
    except Exception as error:
        told[name] = f"{type(error).__name__}: {error}"
print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def trading(platform: Platform) -> Iterator[Platform]:
    """The account trades through the gateway."""
    host = f"{RELEASE}-simulator.{platform.system.name}.svc.cluster.local"
    platform.cluster.apply(
        *platform.front.manifests(platform.images["runtime"], host), namespace=platform.system.name
    )
    platform.cluster.wait_ready(platform.system.name, NAME)
    secret = {"name": f"{ACCOUNT}-binance"}
    exchange = {"name": "binance", "environment": "Private", "credentialsSecretRef": secret}
    strategy = platform.provide_strategy("behind-the-gateway", LEAKING)
    # In the end it has a wrong key, with which nothing can be settled.
    platform.apply(ACCOUNT, exchange=exchange, strategy=strategy, deletionTimeoutSeconds=5)
    platform.wait_fills(ACCOUNT, 2)
    yield platform
    platform.remove(ACCOUNT)
    for kind in ("pod", "service", "secret"):
        platform.cluster("delete", kind, NAME, f"--namespace={platform.system.name}", "--wait=false")


def _service(platform: Platform, name: str) -> Manifest:
    return platform.cluster.get("service", name, f"--namespace={platform.system.name}")


def _select(platform: Platform, service: str, selector: dict[str, str | None]) -> None:
    patch = json.dumps({"spec": {"selector": selector}})
    platform.cluster("patch", "service", service, f"--namespace={platform.system.name}", f"--patch={patch}")


def _probe(platform: Platform, container: str) -> dict[str, str]:
    pod = platform.pods(ACCOUNT)[0]["metadata"]["name"]
    places = {
        "catalogued": f"{platform.front.host}:{PORT}",
        "front": _service(platform, NAME)["spec"]["clusterIP"],
        "port": PORT,
        "gateway": _service(platform, f"{RELEASE}-gateway-0")["spec"]["clusterIP"],
        "dns": DNS_ADDRESS,
    }
    words = [f"--namespace={platform.users.name}", f"--container={container}", "--"]
    told = platform.cluster("exec", pod, *words, "python", "-c", _PROBE, json.dumps(places))
    found: dict[str, str] = json.loads(told)
    return found


@pytest.mark.parametrize("container", ["monitoring", "evaluation", "execution"])
def test_no_container_gets_out_but_through_the_gateway_with_its_own_credentials(
    trading: Platform, container: str
) -> None:
    told = _probe(trading, container)
    assert told["name"].startswith("gaierror"), told
    assert told["dns"].startswith("TimeoutError"), told
    assert told["straight"].startswith("TimeoutError"), told
    assert "Client role cannot be determined" in told["without"], told
    if container == "evaluation":
        assert told["own"].startswith("KeyError"), told
        assert told["elsewhere"].startswith("KeyError"), told
    else:
        assert " 200 " in told["own"], told
        assert "not a catalogued host of binance.Private" in told["elsewhere"], told


async def test_no_output_tells_a_key(trading: Platform, nats_url: str, nats_authority: Path) -> None:
    """What the strategy has planted is found in each place; the keys are in none, nor any signed request."""
    outputs = await read_bus(trading, nats_url, nats_authority, ACCOUNT, messages=100)
    outputs += await asyncio.to_thread(lambda: [*read_audit(trading, ACCOUNT), *_read_outputs(trading)])
    leaks = find_leaks(_secrets(trading) | {"planted": PLANTED}, outputs)
    planted = {leak for leak in leaks if leak.secret == "planted"}
    assert {leak.kind for leak in planted} >= PLANTED_IN
    assert leaks == planted
    pages = [output.place for output in outputs if output.kind == "metrics" and not output.content]
    assert not pages, "these metrics were not read"


def test_the_account_trades_on_when_its_gateway_is_gone(trading: Platform) -> None:
    [pod] = trading.pods(ACCOUNT)
    [execution] = [each for each in pod["spec"]["containers"] if each["name"] == "execution"]
    told = {variable["name"]: variable.get("value", "") for variable in execution["env"]}
    own = told["SMARTTRADE_GATEWAYS"].partition(".")[0]
    _select(trading, own, {"away": "for-a-while"})
    try:
        options = [f"--namespace={trading.system.name}", "--grace-period=0", "--force", "--wait=false"]
        trading.cluster("delete", "pod", own, *options)
        trading.wait_fills(ACCOUNT, int(trading.status(ACCOUNT)["fills"]) + 4)
    finally:
        _select(trading, own, {"away": None})
    assert trading.pods(ACCOUNT)[0]["metadata"]["name"] == pod["metadata"]["name"]


def test_no_output_tells_a_key_that_the_exchange_refuses(trading: Platform) -> None:
    data = {"stringData": {"secret": WRONG}}
    trading.users.patch("Secret", f"{ACCOUNT}-binance", data)
    [pod] = trading.pods(ACCOUNT)
    trading.users.delete("Pod", pod["metadata"]["name"])

    def is_refused() -> bool:
        told = {each["type"]: each["reason"] for each in trading.status(ACCOUNT)["conditions"]}
        logs = [out for out in read_logs(trading) if out.place.endswith("/execution")]
        assert told["CredentialsValid"] == "Refused", (told, [out.content[-3000:] for out in logs])
        return True

    eventually(is_refused, 120, "the exchange refuses the key")
    assert find_leaks(_secrets(trading) | {"wrong": WRONG}, _read_outputs(trading)) == set()


def _secrets(platform: Platform) -> dict[str, str]:
    """Everything in the account's two Secrets that is worth something: the exchange's key, NATS seeds, the
    gateway's password."""
    known = build_credentials(ACCOUNT)
    data = platform.users.get("Secret", f"{ACCOUNT}-nats")["data"]
    texts = {name: b64decode(content).decode() for name, content in data.items()}
    for name, text in texts.items():
        if name.endswith(".creds"):
            known[name] = Credentials.parse(text).seed
    user, _, password = texts["gateway.credentials"].strip().partition(":")
    assert user
    return known | {"gateway.credentials": password}


def _read_outputs(platform: Platform) -> list[Output]:
    pods = platform.pods(ACCOUNT)
    parts = ("operator", "simulator")
    systems = [pod for pod in platform.system.items("Pod") if pod["metadata"]["labels"].get(PART) in parts]
    outputs = [
        *read_logs(platform),
        *read_objects(platform, ENTITLED),
        *read_metrics(platform, pods),
    ]
    for pod in pods + systems:
        outputs += read_processes(platform, pod)
    return outputs
