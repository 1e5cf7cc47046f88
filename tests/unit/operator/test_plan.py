"""From the object to everything that shall exist because of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from smarttrade.api.catalogue import Catalogue
from smarttrade.bus.accounts import AccountLimits, AccountPair, build_accounts
from smarttrade.bus.keys import OperatorKeys
from smarttrade.bus.rotation import Rotation
from smarttrade.errors import BusError
from smarttrade.identity import AccountIdentity
from smarttrade_operator.plan import (
    InvalidSpec,
    Plan,
    UnknownBus,
    UnknownEnvironment,
    build_control,
    build_plan,
    parse,
)
from smarttrade_operator.settings import Bus
from smarttrade_operator.steps import Steps, StepsFailed
from tests.unit.operator.accounts import SETTINGS, SIMULATOR, build_manifest

CATALOGUE = Catalogue.model_validate({"binance": {"Simulator": SIMULATOR}})
KEYS = OperatorKeys.generate()
OWN = Bus(url="tls://own.system.svc:4333", namespaces=("alice",), pod_labels={"app": "own"}, replicas=3)


def _pair(identity: AccountIdentity, limits: AccountLimits, rotation: Rotation) -> AccountPair:
    return build_accounts(KEYS, identity, limits, now=1_800_000_000, rotation=rotation)


def _plan(**spec: object) -> Plan:
    return build_plan(build_manifest(**spec), SETTINGS, CATALOGUE, _pair)


def test_a_plan_is_a_function_of_the_object() -> None:
    first, second = _plan(), _plan()
    assert (first.children, first.secret, first.control) == (second.children, second.secret, second.control)


def test_control_carries_the_whole_specification_with_its_defaults() -> None:
    control = _plan(state="Paused").control
    assert (control.generation, control.deleting) == (4, False)
    assert control.spec["state"] == "Paused"
    assert control.spec["risk"]["maxOrdersPerMinute"] > 0
    assert parse(build_manifest() | {"spec": control.spec}).spec.state == "Paused"


def test_a_deletion_is_told_with_its_policy() -> None:
    control = build_control(parse(build_manifest(deletionPolicy="Flatten")), deleting=True)
    assert control.deleting
    assert control.spec["deletionPolicy"] == "Flatten"


def test_an_environment_outside_the_catalogue_is_refused_with_what_there_is() -> None:
    with pytest.raises(UnknownEnvironment, match=r"Moon.*there is: Simulator"):
        _plan(exchange={"name": "binance", "environment": "Moon"})


def test_an_object_that_this_version_cannot_read_is_refused_with_the_field() -> None:
    with pytest.raises(InvalidSpec, match="replicas"):
        _plan(replicas=99)


def test_fields_without_effect_are_named_with_what_happens_instead() -> None:
    exchange = {"name": "binance", "environment": "Simulator", "deadMansSwitch": "Armed"}
    (named,) = _plan(exchange=exchange).pending_fields
    assert named.startswith("spec.exchange.deadMansSwitch: ")


async def test_a_failed_step_becomes_a_problem_and_the_others_go_on() -> None:
    async def fail() -> None:
        raise BusError("no server")

    async def work() -> None:
        return None

    steps = Steps()
    assert [await steps.attempt("NATS", fail()), await steps.attempt("rest", work())] == [False, True]
    assert [(p.reason, p.message) for p in steps.failures] == [("NatsUnavailable", "NATS: no server")]
    with pytest.raises(StepsFailed, match="NatsUnavailable"):
        steps.raise_if_failed()


def test_an_account_on_dedicated_servers_is_led_to_these_alone() -> None:
    settings = replace(SETTINGS, buses={"own": OWN})
    plan = build_plan(build_manifest(bus="own"), settings, CATALOGUE, _pair)
    children = {child["kind"]: child for child in plan.children}
    pod = children["Deployment"]["spec"]["template"]["spec"]
    for container in pod["containers"]:
        assert {"name": "SMARTTRADE_NATS_URL", "value": OWN.url} in container["env"]
    nats = children["NetworkPolicy"]["spec"]["egress"][0]
    assert nats["to"][0]["podSelector"]["matchLabels"] == OWN.pod_labels
    assert nats["ports"] == [{"protocol": "TCP", "port": 4333}]


@pytest.mark.parametrize(
    "buses", [{}, {"own": replace(OWN, namespaces=("bob",))}], ids=["nowhere", "another namespace's"]
)
def test_servers_that_are_not_there_or_are_anothers_are_refused_alike(buses: dict[str, Bus]) -> None:
    settings = replace(SETTINGS, buses=buses)
    with pytest.raises(UnknownBus, match="no dedicated NATS servers called own for namespace alice"):
        build_plan(build_manifest(bus="own"), settings, CATALOGUE, _pair)
