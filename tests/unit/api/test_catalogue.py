from pathlib import Path

import pytest

from smarttrade.api.catalogue import Catalogue, Endpoint
from smarttrade.errors import ConfigurationError

TEXT = """
binance:
  Production: {cidrs: [203.0.113.0/24]}
  Simulator:
    rest: http://simulator:8080
    pods: {namespaceLabels: {a: b}, podLabels: {c: d}, port: 8080}
"""


def _catalogue(folder: Path, text: str) -> Catalogue:
    path = folder / "catalogue.yaml"
    path.write_text(text)
    return Catalogue.load(path)


def test_an_environment_is_found_and_travels_as_json(tmp_path: Path) -> None:
    endpoint = _catalogue(tmp_path, TEXT).find("binance", "Simulator")
    assert endpoint.pods is not None
    assert endpoint.pods.port == 8080
    assert Endpoint.model_validate_json(endpoint.model_dump_json(by_alias=True)) == endpoint


@pytest.mark.parametrize(
    ("name", "environment", "words"),
    [("kraken", "Production", "there is: binance"), ("binance", "Demo", "there is: Production, Simulator")],
)
def test_what_is_not_catalogued_is_refused_with_what_is(
    tmp_path: Path, name: str, environment: str, words: str
) -> None:
    with pytest.raises(ConfigurationError, match=words):
        _catalogue(tmp_path, TEXT).find(name, environment)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("binance: {Production: {cidrs: [10.0.0.1/8]}}", "has host bits set"),
        ("binance: {Production: {url: x}}", "binance.Production.url: no such field"),
        ("binance: [", "is not YAML"),
    ],
)
def test_a_wrong_catalogue_names_the_entry(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        _catalogue(tmp_path, text)
