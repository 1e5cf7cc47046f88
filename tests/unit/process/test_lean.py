"""What a container has loaded when it is ready to start: each of these would stay resident for its life."""

import json
import subprocess
import sys

import pytest

_HEAVY = {"aiohttp", "rich", "pygments", "yaml", "ccxt", "cryptography", "requests", "kubernetes", "kopf"}
_HEAVY |= {"numpy", "pandas", "pyarrow", "typer"}


def _loaded_by(code: str) -> set[str]:
    show = "; import sys, json; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code + show], capture_output=True, text=True, check=True)
    return {name.partition(".")[0] for name in json.loads(done.stdout)}


@pytest.mark.parametrize("role", ["monitoring", "evaluation", "execution"])
def test_a_container_starts_without_what_it_does_not_use(role: str) -> None:
    assert _loaded_by(f"import smarttrade.{role}.__main__") & _HEAVY == set()


def test_the_operator_starts_without_the_synchronous_kubernetes_client() -> None:
    loaded = _loaded_by("import smarttrade_operator.main, smarttrade_operator.service")
    assert "kubernetes" in loaded
    assert loaded & {"requests", "requests_oauthlib", "oauthlib", "websocket", "ccxt", "rich"} == set()


def test_binances_market_data_needs_no_exchange_library() -> None:
    code = (
        "import smarttrade.monitoring.__main__; from smarttrade.api.catalogue import Endpoint; "
        "from smarttrade.exchange.public import _build; _build('binance', Endpoint())"
    )
    assert _loaded_by(code) & _HEAVY == set()
