"""On which exchange an account may trade live, and what it is told where it may not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from smarttrade.errors import ConfigurationError
from smarttrade.exchange.capabilities import CAPABILITIES, Deadline, Evidence
from smarttrade.execution.keys import ORDERS_KEY, read_key
from smarttrade.execution.setup import build_tuning, check_capability, check_orders_key, read_credentials
from tests.unit.execution.desk import build_spec

DOCUMENTED = sorted(name for name, row in CAPABILITIES.items() if row.evidence is Evidence.DOCUMENTED)


def on(exchange: str, **more: Any) -> Any:
    return build_spec(exchange={"name": exchange, **more})


def test_live_is_offered_where_the_row_was_verified() -> None:
    assert check_capability(on("binance")).evidence is Evidence.VERIFIED


@pytest.mark.parametrize("name", DOCUMENTED)
def test_live_on_a_documented_row_needs_the_objects_opt_in(name: str) -> None:
    with pytest.raises(ConfigurationError, match="unverified to Accept"):
        check_capability(on(name))
    assert check_capability(on(name, unverified="Accept")).exchange == name


def test_paper_needs_no_opt_in() -> None:
    paper = build_spec(mode="Paper", riskAcknowledgement="", exchange={"name": "okx"})
    assert check_capability(paper).exchange == "okx"


def test_an_exchange_without_a_deadline_is_not_offered_live_whatever_the_object_accepts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(CAPABILITIES, "okx", replace(CAPABILITIES["okx"], deadline=Deadline.NONE))
    with pytest.raises(ConfigurationError, match="no deadline"):
        check_capability(on("okx", unverified="Accept"))


def test_an_exchange_without_a_row_is_refused_with_those_that_have_one() -> None:
    with pytest.raises(ConfigurationError, match="binance"):
        check_capability(on("nowhere"))


def test_only_live_accounts_have_a_preflight() -> None:
    row = CAPABILITIES["binance"]
    assert build_tuning(build_spec(), row, 1).preflight
    assert not build_tuning(build_spec(mode="Paper", riskAcknowledgement=""), row, 1).preflight


def test_live_is_refused_without_the_key_of_its_order_ids_and_paper_needs_none(tmp_path: Path) -> None:
    credentials = tmp_path / "execution.creds"
    with pytest.raises(ConfigurationError, match=ORDERS_KEY):
        check_orders_key(build_spec(), read_key(credentials, ORDERS_KEY))
    (tmp_path / ORDERS_KEY).write_text("no key")
    with pytest.raises(ConfigurationError, match=ORDERS_KEY):
        check_orders_key(build_spec(), read_key(credentials, ORDERS_KEY))
    check_orders_key(build_spec(mode="Paper", riskAcknowledgement=""), b"")
    (tmp_path / ORDERS_KEY).write_text("5e" * 32 + "\n")
    check_orders_key(build_spec(), read_key(credentials, ORDERS_KEY))


PEM = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2Vw\n-----END PRIVATE KEY-----\n"


def write_secret(folder: Path, **files: bytes) -> Path:
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def test_a_key_of_several_lines_may_be_a_secret(tmp_path: Path) -> None:
    found = read_credentials(write_secret(tmp_path, apiKey=b"key\n", secret=PEM.encode()))
    assert (found.api_key, found.secret, found.password) == ("key", PEM.strip(), "")


@pytest.mark.parametrize(
    ("files", "words"),
    [
        (
            {"apiKey": b"precious", "secret": b"\xff\xfeprecious"},
            "secret of the exchange credentials is not text",
        ),
        ({"apiKey": b"precious\r\nX-Other: 1", "secret": b"s"}, "apiKey .* is not one line"),
        ({"apiKey": "precious\u0456".encode(), "secret": b"s"}, "apiKey .* plain characters"),
        ({"apiKey": b"precious\0", "secret": b"s"}, "apiKey .* is no key"),
        ({"apiKey": b"precious", "secret": b"s" * 1_000_000}, "secret .* is no key: too long"),
        ({"apiKey": b" \n", "secret": b"s"}, "apiKey .* is empty"),
        ({"apiKey": b"precious"}, "cannot read secret"),
    ],
)
def test_garbage_in_the_secret_is_refused_by_name_and_never_shown(
    tmp_path: Path, files: dict[str, bytes], words: str
) -> None:
    with pytest.raises(ConfigurationError, match=words) as refusal:
        read_credentials(write_secret(tmp_path, **files))
    assert "precious" not in str(refusal.value)
    assert refusal.value.__cause__ is None or "precious" not in repr(refusal.value.__cause__)
