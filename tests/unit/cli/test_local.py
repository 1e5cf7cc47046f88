import io
import json
from decimal import Decimal
from pathlib import Path

import pytest
from rich.console import Console

from smarttrade.api import load_account
from smarttrade.bus.accounts import build_accounts
from smarttrade.cli.local import plan
from smarttrade.cli.local.manifest import ManifestFile, check_change
from smarttrade.cli.local.nats_binary import is_recent, parse_version
from smarttrade.cli.local.options import Options
from smarttrade.cli.local.picture import Picture
from smarttrade.cli.local.screen import PlainScreen, build_panel, summarize
from smarttrade.cli.local.state import RunState
from smarttrade.errors import ConfigurationError
from smarttrade.messages import (
    AccountView,
    Check,
    EffectiveState,
    ExecutionReport,
    Fill,
    Position,
    Quote,
    Side,
)
from smarttrade.source import unpack

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
ALICE = load_account(EXAMPLES / "alice.yaml")


def view(*, leading: bool, epoch: int = 1, quantity: str = "0.5") -> AccountView:
    position = Position(
        market="BTC/USDT",
        quantity=Decimal(quantity),
        average_price=Decimal(100),
        realized_pnl=Decimal(-3),
        unrealized_pnl=Decimal(7),
    )
    return AccountView(
        leading=leading,
        epoch=epoch,
        effective_state=EffectiveState.ACTIVE,
        currency="USDT",
        equity=Decimal("10004"),
        available=Decimal(9000),
        positions=[position],
        time_ms=1,
    )


def fill(trade_id: str) -> Fill:
    return Fill(
        market="BTC/USDT",
        trade_id=trade_id,
        order_id="1",
        client_order_id="c",
        decision_id="d",
        side=Side.BUY,
        price=Decimal("100.50"),
        quantity=Decimal("0.10"),
        fee=Decimal("0.0001"),
        fee_asset="BTC",
        maker=False,
        time_ms=1,
    )


# --- plan ---------------------------------------------------------------------------------------------------


def containers(**environment: str) -> dict[str, plan.Container]:
    world = plan.World(
        nats_url="nats://127.0.0.1:1",
        endpoint=plan.build_simulator_endpoint("http://127.0.0.1:2", "ws://127.0.0.1:2"),
        credentials=Path("/c"),
        exchange_credentials=Path("/x"),
    )
    ports = {name: 9000 + index for index, name in enumerate(plan.container_names(ALICE))}
    return {c.name: c for c in plan.build_containers(ALICE, world, ports, environment)}


def test_each_replica_is_three_containers():
    assert set(containers()) == {
        f"alice-{i}/{r}" for i in (0, 1) for r in ("monitoring", "evaluation", "execution")
    }


def test_only_execution_is_told_where_the_exchange_key_is_and_evaluation_nothing_of_the_exchange():
    told = containers()
    with_key = {name for name, c in told.items() if "SMARTTRADE_EXCHANGE_CREDENTIALS" in c.environment}
    with_endpoint = {name for name, c in told.items() if "SMARTTRADE_ENDPOINT" in c.environment}
    assert with_key == {"alice-0/execution", "alice-1/execution"}
    assert not any("evaluation" in name for name in with_endpoint)
    assert (
        json.loads(told["alice-0/execution"].environment["SMARTTRADE_ENDPOINT"])["rest"]
        == "http://127.0.0.1:2"
    )


def test_secrets_of_the_users_shell_stay_there():
    environment = containers(PATH="/bin", AWS_SECRET_ACCESS_KEY="s", SMARTTRADE_PORT="1")[
        "alice-0/evaluation"
    ].environment
    assert environment["PATH"] == "/bin"
    assert "AWS_SECRET_ACCESS_KEY" not in environment
    assert environment["SMARTTRADE_PORT"] != "1"


def test_the_simulated_user_can_afford_the_allocation():
    config = plan.build_simulator_config(
        ALICE, Options(file=EXAMPLES / "alice.yaml"), {"apiKey": "k", "secret": "s"}
    )
    (user,) = config["users"]
    assert Decimal(user["balances"]["USDT"]) >= ALICE.spec.capital.allocation
    assert config["symbols"] == ["BTC/USDT"]


@pytest.mark.parametrize(
    ("change", "options", "complaint"),
    [
        ({}, {"data": Path("/none.csv")}, "there is no such file"),
        ({"environment: Simulator": "environment: Testnet"}, {}, "--credentials"),
        (
            {"environment: Simulator": "environment: Testnet"},
            {"credentials": Path("/none")},
            "apiKey and secret",
        ),
        ({"environment: Simulator": "environment: Testnet"}, {"compress": 2.0}, "Simulator only"),
        ({"name: ma-cross": "source: {configMapRef: {name: m}, class: m.S}"}, {}, "--source"),
    ],
)
def test_what_is_missing_is_said_before_anything_starts(
    tmp_path: Path, change: dict[str, str], options: dict[str, object], complaint: str
):
    text = (EXAMPLES / "alice.yaml").read_text()
    for old, new in change.items():
        assert old in text
        text = text.replace(old, new)
    path = tmp_path / "account.yaml"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=complaint):
        plan.check_options(load_account(path).spec, Options(file=path, **options))  # type: ignore[arg-type]


def test_an_environment_of_the_platforms_catalogue_needs_the_catalogue(tmp_path: Path):
    path = tmp_path / "account.yaml"
    path.write_text(
        (EXAMPLES / "alice.yaml").read_text().replace("environment: Simulator", "environment: Lab")
    )
    spec = load_account(path).spec
    with pytest.raises(ConfigurationError, match="--catalogue"):
        plan.choose_endpoint(spec, Options(file=path))
    catalogue = tmp_path / "catalogue.yaml"
    catalogue.write_text("binance: {Lab: {rest: 'http://lab'}}")
    assert plan.choose_endpoint(spec, Options(file=path, catalogue=catalogue)).rest == "http://lab"


# --- manifest -----------------------------------------------------------------------------------------------


def test_a_save_that_changes_nothing_is_no_change(tmp_path: Path):
    path = tmp_path / "a.yaml"
    path.write_text((EXAMPLES / "alice.yaml").read_text())
    manifest = ManifestFile(path)
    assert manifest.changed() is None
    path.write_text(path.read_text() + "# a comment\n")
    assert manifest.changed() is None
    path.write_text(path.read_text().replace("state: Active", "state: Paused"))
    changed = manifest.changed()
    assert changed is not None
    assert changed.spec.state == "Paused"


def test_a_mistake_is_told_once_and_the_old_account_stays(tmp_path: Path):
    path = tmp_path / "a.yaml"
    path.write_text((EXAMPLES / "alice.yaml").read_text())
    manifest = ManifestFile(path)
    path.write_text(path.read_text().replace("state: Active", "state: Gone"))
    with pytest.raises(ConfigurationError, match=r"spec\.state"):
        manifest.changed()
    assert manifest.changed() is None
    assert manifest.account.spec.state == "Active"


def test_saving_a_module_of_the_strategy_is_another_version(tmp_path: Path):
    path, module = tmp_path / "a.yaml", tmp_path / "mine.py"
    own = "source: {configMapRef: {name: m}, class: mine.S}"
    path.write_text((EXAMPLES / "alice.yaml").read_text().replace("name: ma-cross", own))
    module.write_text("first = 1\n")
    manifest = ManifestFile(path, tmp_path)
    first = manifest.strategy
    assert first is not None
    assert unpack(first) == {"mine.py": "first = 1\n"}
    (tmp_path / "notes.txt").write_text("nothing of the strategy")
    assert manifest.changed() is None
    module.write_text("second = 22\n")
    assert manifest.changed() == manifest.account
    assert manifest.strategy is not None
    assert manifest.strategy.name != first.name
    assert manifest.changed() is None


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("replicas: 2", "replicas: 1", "spec.replicas"),
        ("environment: Simulator", "environment: Testnet", "spec.exchange"),
        ("name: alice\n  namespace", "name: bob\n  namespace", "another account"),
    ],
)
def test_what_cannot_change_while_it_runs_is_refused(tmp_path: Path, old: str, new: str, named: str):
    path = tmp_path / "a.yaml"
    text = (EXAMPLES / "alice.yaml").read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(ConfigurationError, match=named):
        check_change(ALICE, load_account(path))


# --- state --------------------------------------------------------------------------------------------------


def test_a_kept_directory_keeps_keys_and_counts_generations(tmp_path: Path):
    identity = plan.identify(ALICE)
    first = RunState(identity, tmp_path, temporary=True)
    keys, generation = first.keys, first.next_generation()
    first.close()
    second = RunState(identity, tmp_path, temporary=True)
    assert second.keys == keys
    assert second.next_generation() == generation + 1
    second.close()


def test_two_runs_on_one_directory_are_refused(tmp_path: Path):
    first = RunState(plan.identify(ALICE), tmp_path, temporary=False)
    with pytest.raises(ConfigurationError, match="already runs"):
        RunState(plan.identify(ALICE), tmp_path, temporary=False)
    first.close()


def test_a_temporary_directory_goes_unless_it_is_to_be_looked_into():
    gone, kept = (RunState(plan.identify(ALICE), None, temporary=True) for _ in range(2))
    kept.keep()
    gone.close()
    kept.close()
    assert not gone.directory.exists()
    assert kept.directory.exists()
    kept._temporary = True
    kept.close()


def test_secrets_are_readable_by_their_owner_only(tmp_path: Path):
    state = RunState(plan.identify(ALICE), tmp_path / "s", temporary=False)
    modes = {path.stat().st_mode & 0o077 for path in (state.directory / "keys").iterdir()}
    assert modes == {0}
    state.close()


# --- picture and screen -------------------------------------------------------------------------------------


def test_a_fill_told_twice_counts_once():
    picture = Picture()
    assert [picture.add_fill(fill(i)) for i in ("1", "1", "2")] == [True, False, True]
    assert picture.fill_count == 2


def test_the_newest_epoch_leads_when_an_old_leader_still_says_so():
    picture = Picture()
    picture.add_view("a", view(leading=True, epoch=1))
    picture.add_view("b", view(leading=True, epoch=2))
    assert picture.leader == "b"
    picture.drop_pod("b")
    picture.add_view("a", view(leading=False))
    assert picture.leader == ""


def test_only_loud_log_lines_become_notes():
    picture = Picture()
    assert picture.add_log_line("a/monitoring", json.dumps({"level": "info", "event": "fine"})) is None
    assert (
        picture.add_log_line("a/monitoring", json.dumps({"level": "error", "event": "gap"}))
        == "a/monitoring: gap"
    )
    assert picture.add_log_line("a/execution", "Traceback: boom") == "a/execution: Traceback: boom"
    assert len(picture.notes) == 2


def test_the_panel_shows_figures_positions_fills_and_problems():
    picture = Picture()
    picture.add_view("alice-0", view(leading=True))
    picture.add_fill(fill("1"))
    picture.add_quote(
        Quote(
            market="BTC/USDT", bid=Decimal("100.10"), bid_quantity=Decimal(1), ask=Decimal("100.20"),
            ask_quantity=Decimal(1), time_ms=1,
        )
    )  # fmt: skip
    picture.add_report(
        ExecutionReport(
            pod="alice-0", generation=1, leading=True, epoch=1,
            effective_state=EffectiveState.ACTIVE, equity=None,
            realized_pnl=None, unrealized_pnl=None, open_orders=0, unknown_orders=0, fills=1, positions=[],
            checks=[Check(type="Reconciled", ok=False, reason="BalanceShortfall")], as_of_ms=1,
        )
    )  # fmt: skip
    console = Console(record=True, width=140, file=io.StringIO())
    console.print(build_panel("alice/alice", picture, []))
    text = console.export_text()
    for expected in (
        "10,004.00 USDT",
        "alice-0",
        "0.5",
        "100.1",
        "Buy 0.1 BTC/USDT at 100.5",
        "BalanceShortfall",
    ):
        assert expected in text


def test_lines_tell_the_leader_once():
    lines: list[str] = []
    screen, picture = PlainScreen(lines.append), Picture()
    picture.add_view("alice-0", view(leading=True))
    for _ in range(3):
        screen.show(picture, [])
    assert sum("leader: alice-0" in line for line in lines) == 1
    assert "equity 10,004.00 USDT" in summarize(picture)


# --- nats-server --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "version"),
    [("nats-server: v2.15.2", (2, 15)), ("nats-server: v2.9.10", (2, 9)), ("what", ())],
)
def test_a_version_is_read(text: str, version: tuple[int, ...]):
    assert parse_version(text) == version


def test_an_old_server_or_another_program_is_passed_over(tmp_path: Path):
    for name, text in (("old", "nats-server: v2.10.27"), ("new", "nats-server: v2.14.0"), ("other", "hello")):
        script = tmp_path / name
        script.write_text(f"#!/bin/sh\necho '{text}'\n")
        script.chmod(0o755)
    assert [is_recent(tmp_path / name) for name in ("old", "new", "other", "none")] == [
        False,
        True,
        False,
        False,
    ]


def test_a_run_on_the_same_state_knows_its_own_orders_again(tmp_path: Path) -> None:
    def key(folder: Path) -> str:
        state = RunState(plan.identify(ALICE), folder, temporary=False)
        try:
            return build_accounts(state.keys, plan.identify(ALICE)).order_key
        finally:
            state.close()

    assert key(tmp_path / "one") == key(tmp_path / "one") != key(tmp_path / "two")
