from __future__ import annotations

from pathlib import Path

import pytest

from smarttrade.api.crds.backtest import PATHS, build_crd, render
from smarttrade.api.crds.reference import BACKTEST_PATH, render_backtest
from tests.unit.api.test_generated import ROOT, _fields

FIELDS = _fields("", build_crd()["spec"]["versions"][0]["schema"]["openAPIV3Schema"])


@pytest.mark.parametrize("path", PATHS, ids=str)
def test_the_definition_follows_from_the_models(path: Path) -> None:
    assert (ROOT / path).read_text() == render(), "run `make crds`"


def test_the_reference_follows_from_the_models() -> None:
    assert (ROOT / BACKTEST_PATH).read_text() == render_backtest(), "run `make crds`"


@pytest.mark.parametrize(("path", "field"), FIELDS, ids=[path for path, _ in FIELDS])
def test_every_field_is_described_and_typed(path: str, field: dict[str, object]) -> None:
    assert "type" in field
    assert field.get("description") or path.endswith("[]") or path == ".metadata"
    assert field["type"] not in ("number", "boolean")
