from pathlib import Path

import pytest
import yaml

from smarttrade.api import TradingAccountSpec, load_account
from smarttrade.errors import ConfigurationError
from tests.component.api.accounts import MISTAKES, VALID, VARIATIONS, Mistake, changed


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.name)
def test_a_mistake_is_refused_with_what_to_change(mistake: Mistake) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        load_account(yaml.safe_dump(mistake.manifest))
    for words in mistake.local_answer:
        assert words in str(refusal.value)


@pytest.mark.parametrize("changes", VARIATIONS.values(), ids=VARIATIONS.keys())
def test_a_valid_account_travels_as_json_without_loss(changes: dict[str, object]) -> None:
    account = load_account(yaml.safe_dump(changed(changes)))
    travelled = account.spec.model_dump(mode="json", by_alias=True)
    assert TradingAccountSpec.model_validate(travelled) == account.spec


def test_an_account_is_found_among_other_objects(tmp_path: Path) -> None:
    manifest = tmp_path / "alice.yaml"
    manifest.write_text(yaml.safe_dump_all([{"kind": "Namespace"}, VALID, None]))
    assert load_account(manifest).name == "alice"


def test_two_accounts_in_one_file_are_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"holds 2 objects .* exactly one"):
        load_account(yaml.safe_dump_all([VALID, VALID]))


def test_a_file_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"cannot read .*missing\.yaml: No such file"):
        load_account(tmp_path / "missing.yaml")


def test_text_that_is_not_yaml_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="is not YAML"):
        load_account("kind: [\n")


def test_every_mistake_is_reported_at_once() -> None:
    manifest = changed({"spec.replicas": 9, "spec.capital.allocation": 1})
    with pytest.raises(ConfigurationError, match=r"spec\.capital\.allocation.*spec\.replicas"):
        load_account(yaml.safe_dump(manifest))


def test_a_newer_writers_field_is_ignored_on_the_wire() -> None:
    spec = {**VALID["spec"], "fieldOfTomorrow": 1}
    assert TradingAccountSpec.model_validate(spec).capital.currency == "USDT"
