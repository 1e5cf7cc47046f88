from pathlib import Path
from typing import Any

import pytest

from smarttrade.api.crds.document import PATHS, build_crd, render
from smarttrade.api.crds.reference import PATH, render_reference
from tests.component.api.accounts import VARIATIONS

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("path", PATHS, ids=str)
def test_the_definition_follows_from_the_models(path: Path) -> None:
    assert (ROOT / path).read_text() == render(), "run `make crds`"


def test_the_reference_follows_from_the_models() -> None:
    assert (ROOT / PATH).read_text() == render_reference(), "run `make crds`"


def test_kubectl_lists_what_a_user_asks_first() -> None:
    columns = build_crd()["spec"]["versions"][0]["additionalPrinterColumns"]
    shown = {column["name"]: column["jsonPath"] for column in columns if not column.get("priority")}
    assert list(shown) == ["State", "Mode", "Ready", "Leader", "Equity", "PnL", "Age"]
    assert shown["State"] == ".status.effectiveState"
    assert shown["Age"] == ".metadata.creationTimestamp"


def _fields(path: str, schema: dict[str, object]) -> list[tuple[str, dict[str, object]]]:
    found = [(path, schema)]
    for name, field in schema.get("properties", {}).items():  # type: ignore[attr-defined]
        found += _fields(f"{path}.{name}", field)
    if isinstance(schema.get("items"), dict):
        found += _fields(f"{path}[]", schema["items"])  # type: ignore[arg-type]
    return found


ROOT_SCHEMA = build_crd()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
FIELDS = [(path, field) for path, field in _fields("", ROOT_SCHEMA) if path != ".metadata"]


@pytest.mark.parametrize(("path", "field"), FIELDS, ids=[path for path, _ in FIELDS])
def test_every_field_is_described_and_typed(path: str, field: dict[str, object]) -> None:
    assert "type" in field
    assert field.get("description") or path.endswith("allowedSides[]")
    assert field["type"] not in ("number", "boolean")
    assert "x-kubernetes-preserve-unknown-fields" not in field
    if field["type"] == "array":
        assert field["x-kubernetes-list-type"] in ("map", "set", "atomic")


def test_the_full_example_leaves_out_no_field() -> None:
    """Then the API server has seen every one of them accepted."""
    spec = ROOT_SCHEMA["properties"]["spec"]
    missing = _absent("spec", spec, VARIATIONS["every field"]["spec"])
    assert missing == ["spec.strategy.source"]


def _absent(path: str, schema: dict[str, Any], example: dict[str, Any]) -> list[str]:
    found = []
    for name, field in schema.get("properties", {}).items():
        if name not in example:
            found.append(f"{path}.{name}")
        elif isinstance(example[name], dict):
            found += _absent(f"{path}.{name}", field, example[name])
    return found
