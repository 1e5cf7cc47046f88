"""The names that pods without DNS know."""

from __future__ import annotations

from dataclasses import replace

import pytest

from smarttrade.api.catalogue import Catalogue, Endpoint
from smarttrade.errors import ConfigurationError
from smarttrade_operator.aliases import KnownNames
from smarttrade_operator.settings import Network
from tests.unit.operator.accounts import GATEWAYS, NETWORK, SIMULATOR

CATALOGUE = Catalogue.model_validate({"binance": {"Simulator": SIMULATOR, "Production": {}}})
WITH_GATEWAYS = replace(NETWORK, gateways=GATEWAYS[:1])
SERVICES = {
    "smarttrade-nats.smarttrade-system.svc": ("10.96.0.9",),
    "gateway-0.smarttrade-system.svc": ("10.96.0.7",),
    "simulator": ("10.96.0.8",),
}


class Directory:
    """What the cluster's DNS would say now."""

    def __init__(self) -> None:
        self.services = dict(SERVICES)

    async def __call__(self, name: str) -> tuple[str, ...]:
        if name not in self.services:
            raise OSError("no such name")
        return self.services[name]


def endpoint(environment: str) -> Endpoint:
    return CATALOGUE.find("binance", environment)


async def test_a_pod_knows_nats_its_gateways_and_an_exchange_in_the_cluster() -> None:
    names = KnownNames([WITH_GATEWAYS], CATALOGUE, Directory())
    assert await names.refresh()
    public, own = [names.of(endpoint(name), WITH_GATEWAYS) for name in ("Production", "Simulator")]
    assert dict(public) == {
        "10.96.0.9": "smarttrade-nats.smarttrade-system.svc",
        "10.96.0.7": "gateway-0.smarttrade-system.svc",
    }
    assert dict(own) == dict(public) | {"10.96.0.8": "simulator"}


async def test_a_service_that_was_made_anew_is_a_change_and_one_that_is_away_is_none() -> None:
    directory = Directory()
    names = KnownNames([WITH_GATEWAYS], CATALOGUE, directory)
    await names.refresh()
    version, before = names.version, names.of(endpoint("Simulator"), WITH_GATEWAYS)
    del directory.services["simulator"]
    assert not await names.refresh()
    assert (names.version, names.of(endpoint("Simulator"), WITH_GATEWAYS)) == (version, before)
    directory.services["simulator"] = ("10.96.0.88",)
    assert await names.refresh()
    assert names.version == version + 1
    assert ("10.96.0.88", "simulator") in names.of(endpoint("Simulator"), WITH_GATEWAYS)


async def test_a_name_that_was_never_found_is_told() -> None:
    directory = Directory()
    del directory.services["smarttrade-nats.smarttrade-system.svc"]
    names = KnownNames([WITH_GATEWAYS], CATALOGUE, directory)
    await names.refresh()
    with pytest.raises(
        ConfigurationError, match=r"smarttrade-nats\.smarttrade-system\.svc cannot be looked up"
    ):
        names.of(endpoint("Production"), WITH_GATEWAYS)


@pytest.mark.parametrize(
    "network",
    [NETWORK, replace(WITH_GATEWAYS, nats_cidrs=("192.0.2.0/24",))],
    ids=["straight", "servers outside"],
)
async def test_without_gateways_or_with_servers_outside_the_pods_keep_their_dns(network: Network) -> None:
    names = KnownNames([network], CATALOGUE, Directory())
    assert not await names.refresh()
    assert names.of(endpoint("Simulator"), network) == ()


async def test_an_account_on_dedicated_servers_knows_these_and_not_the_shared_ones() -> None:
    directory = Directory()
    directory.services["own.smarttrade-system.svc"] = ("10.96.0.10",)
    own = replace(WITH_GATEWAYS, nats_url="tls://own.smarttrade-system.svc:4222")
    names = KnownNames([WITH_GATEWAYS, own], CATALOGUE, directory)
    await names.refresh()
    assert dict(names.of(endpoint("Production"), own)) == {
        "10.96.0.10": "own.smarttrade-system.svc",
        "10.96.0.7": "gateway-0.smarttrade-system.svc",
    }
