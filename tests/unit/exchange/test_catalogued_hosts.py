"""The hosts that the chart lets accounts connect to are those that our clients go to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from smarttrade.api.catalogue import Endpoint
from smarttrade.exchange.binance_public import _addresses
from smarttrade.exchange.endpoints import create_exchange

VALUES = yaml.safe_load((Path(__file__).parents[3] / "charts/smarttrade/values.yaml").read_text())
PLACES = [
    (name, environment, Endpoint.model_validate(endpoint))
    for name, environments in VALUES["exchanges"].items()
    for environment, endpoint in environments.items()
]
# Its streams' address is an answer of its REST API.
NEGOTIATED = {"kucoin": {"ws-api-spot.kucoin.com:443"}}


def _urls(tree: Any) -> Iterator[str]:
    if isinstance(tree, str):
        yield tree
    elif isinstance(tree, dict):
        for branch in tree.values():
            yield from _urls(branch)


async def _known(name: str, endpoint: Endpoint) -> set[str]:
    exchange = create_exchange(name, endpoint)
    try:
        urls = [url.replace("{hostname}", exchange.hostname or "") for url in _urls(exchange.urls["api"])]
    finally:
        await exchange.close()
    if name == "binance":
        urls += _addresses(name, endpoint)
    parts = [urlsplit(url) for url in urls]
    return {f"{part.hostname}:{part.port or 443}" for part in parts}


@pytest.mark.parametrize(("name", "environment", "endpoint"), PLACES, ids=lambda each: str(each)[:20])
async def test_every_listed_host_is_one_that_we_connect_to(
    name: str, environment: str, endpoint: Endpoint
) -> None:
    listed = set(endpoint.hosts)
    assert len(listed) >= 2, environment
    assert listed - NEGOTIATED.get(name, set()) <= await _known(name, endpoint)


async def test_binances_own_addresses_are_listed() -> None:
    for environment in ("Production", "Testnet"):
        endpoint = Endpoint.model_validate(VALUES["exchanges"]["binance"][environment])
        for url in _addresses("binance", endpoint):
            assert f"{urlsplit(url).hostname}:{urlsplit(url).port or 443}" in endpoint.hosts
