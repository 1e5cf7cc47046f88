from decimal import Decimal

import msgspec
import pytest

from smarttrade import messages as m
from smarttrade.bus import jwt, subjects
from smarttrade.bus.accounts import (
    LIFETIME_S,
    RENEWAL_S,
    AccountLimits,
    account_keys,
    build_accounts,
    build_disabled,
    build_permissions,
    monitoring_key,
)
from smarttrade.bus.keys import OperatorKeys
from smarttrade.bus.rotation import Rotation
from smarttrade.errors import ConfigurationError
from smarttrade.identity import AccountIdentity

KEYS = OperatorKeys.generate(now=1_700_000_000)
ALICE = AccountIdentity("home", "alice", "alice")
NOW = 1_800_000_000


def user_claims(credentials: str) -> jwt.Claims:
    return jwt.decode(credentials.splitlines()[1])


def test_every_replica_of_the_operator_writes_the_same_credentials():
    first, second = (build_accounts(KEYS, ALICE, now=NOW + shift) for shift in (0, 0))
    assert first.credentials == second.credentials
    assert first.core_public == second.core_public


def test_credentials_change_exactly_at_renewal_and_overlap():
    pair = build_accounts(KEYS, ALICE, now=NOW)
    assert build_accounts(KEYS, ALICE, now=pair.renew_at - 1).credentials == pair.credentials
    renewed = build_accounts(KEYS, ALICE, now=pair.renew_at)
    for role in subjects.ROLES:
        old, new = user_claims(pair.credentials[role]), user_claims(renewed.credentials[role])
        assert old["exp"] - pair.renew_at == LIFETIME_S - RENEWAL_S
        assert new["sub"] != old["sub"]
        assert new["exp"] - old["exp"] == RENEWAL_S


def test_the_key_of_the_order_ids_outlives_renewals_and_is_the_accounts_and_the_installations_own():
    pair = build_accounts(KEYS, ALICE, now=NOW)
    renewed = build_accounts(KEYS, ALICE, now=pair.renew_at)
    restored = build_accounts(OperatorKeys.from_files(KEYS.to_files()), ALICE, now=NOW)
    assert pair.order_key == renewed.order_key == restored.order_key
    bob = build_accounts(KEYS, AccountIdentity("home", "bob", "bob"), now=NOW)
    elsewhere = build_accounts(OperatorKeys.generate(), ALICE, now=NOW)
    assert len({pair.order_key, bob.order_key, elsewhere.order_key, pair.mark_key, KEYS.master.hex()}) == 5


def test_renewals_of_many_accounts_are_spread():
    times = {build_accounts(KEYS, AccountIdentity("home", "n", f"a{i}"), now=NOW).renew_at for i in range(50)}
    assert len(times) > 45
    assert all(NOW < moment <= NOW + RENEWAL_S for moment in times)


def test_only_the_core_account_and_that_of_the_trail_have_jetstream():
    pair = build_accounts(KEYS, ALICE, now=NOW)
    tokens = (pair.core_jwt, pair.trail_jwt, pair.strategy_jwt, pair.monitoring_jwt)
    core, trail, *without = (jwt.decode(token)["nats"]["limits"] for token in tokens)
    assert core["disk_storage"] > 0
    assert trail["disk_storage"] > 0
    for limits in without:
        assert not any(limits.get(name) for name in ("disk_storage", "mem_storage", "streams", "consumer"))


def test_the_strategy_imports_five_subjects_and_exports_nothing():
    pair = build_accounts(KEYS, ALICE, now=NOW)
    claims = jwt.decode(pair.strategy_jwt)["nats"]
    assert {(i["subject"], i["type"], i["account"]) for i in claims["imports"]} == {
        ("market.>", "stream", pair.core_public),
        ("market.>", "stream", pair.monitoring_public),
        ("position.>", "stream", pair.core_public),
        ("fill.>", "stream", pair.core_public),
        ("history.>", "service", pair.core_public),
        ("decide.>", "service", pair.core_public),
    }
    assert "exports" not in claims


def test_monitoring_imports_the_control_value_and_its_report_and_exports_the_market():
    pair = build_accounts(KEYS, ALICE, now=NOW)
    claims = jwt.decode(pair.monitoring_jwt)["nats"]
    assert {(i["subject"], i["type"], i["account"]) for i in claims["imports"]} == {
        ("control.account", "stream", pair.core_public),
        ("$JS.API.DIRECT.GET.ACCOUNT.control.account", "service", pair.core_public),
        (f"report.{ALICE.token}.monitoring", "service", KEYS.account("platform").public),
    }
    assert {(e["subject"], e["type"]) for e in claims["exports"]} == {
        ("market.>", "stream"),
        ("history.>", "service"),
    }


def test_an_account_is_sent_after_the_one_that_it_imports_from_while_it_is_in_use():
    pair = build_accounts(KEYS, ALICE, now=NOW)
    assert next(iter(pair.jwts)) == pair.monitoring_public


def test_a_disabled_account_imports_nothing_from_one_that_it_may_not_have():
    monitoring = monitoring_key(KEYS, ALICE).public
    disabled = build_disabled(KEYS, ALICE, AccountLimits(), int(NOW))
    claims = [jwt.decode(token)["nats"] for token in disabled.values()]
    assert len(claims) == len(account_keys(KEYS, ALICE)) == 4
    assert not [each for claim in claims for each in claim["imports"] if each["account"] == monitoring]


@pytest.mark.parametrize("pods", [1, 2, 5])
def test_connections_suffice_for_a_surge_that_reconnects(pods: int):
    limits = AccountLimits(pods=pods)
    assert limits.core_connections >= 2 * 2 * (pods + 1)
    assert limits.strategy_connections >= 2 * (pods + 1)


def build_largest(orders: int) -> m.Decision:
    """All that a decision may have, of characters of four bytes."""
    text, price = "\U0001f4c8" * m.TEXT_LIMIT, Decimal("-" + "9" * 15 + "." + "9" * 64)
    order = m.RestingOrder(key=text, side=m.Side.SELL, price=price, quantity=price)
    far = 2**53
    return m.Decision(
        id=text, strategy=text, market=text, event_key=text, event_time_ms=far, event_ordinal=far, index=far,
        generation=far, want=m.RestingOrders(orders=[order] * orders, valid_until_ms=far), reason=text,
        memory="\U0001f4c8" * m.MEMORY_LIMIT, version=text,
    )  # fmt: skip


@pytest.mark.parametrize("orders", [1, 20, m.ORDERS_LIMIT])
def test_the_largest_decision_of_an_object_fits_and_not_much_more(orders: int):
    limits = AccountLimits(orders=orders)
    payload = jwt.decode(build_accounts(KEYS, ALICE, limits, now=NOW).strategy_jwt)["nats"]["limits"][
        "payload"
    ]
    size = len(m.encode(build_largest(orders)))
    assert size <= payload < size * 1.05
    text = "\U0001f4c8" * m.TEXT_LIMIT
    price = Decimal("-" + "9" * 15 + "." + "9" * 64)
    target = m.Target(
        quantity=price, valid_until_ms=2**53, limit=price, stop_loss=price, take_profit=price,
        trailing_stop=price,
    )  # fmt: skip
    assert len(m.encode(msgspec.structs.replace(build_largest(1), want=target, reason=text))) <= payload


@pytest.mark.parametrize("role", subjects.ROLES)
def test_no_role_may_use_a_whole_tree_but_its_own_inbox(role: str):
    publish, subscribe = build_permissions(role)
    answers = {"monitoring": ["_R_.>", "_INBOX.monitoring.>"], "execution": ["_R_.>"]}.get(role, [])
    assert [subject for subject in publish if ">" in subject] == answers
    assert [subject for subject in subscribe if ">" in subject] == [f"_INBOX.{role}.>"]


def test_nobody_may_answer_wherever_a_request_says():
    pair = build_accounts(KEYS, ALICE, now=NOW)
    assert all("resp" not in jwt.decode(t.splitlines()[1])["nats"] for t in pair.credentials.values())


def test_the_token_of_the_identity_is_in_the_report_import():
    claims = jwt.decode(build_accounts(KEYS, ALICE, now=NOW).core_jwt)["nats"]
    assert {i["subject"]: i["local_subject"] for i in claims["imports"] if "local_subject" in i} == {
        f"report.{ALICE.token}.{role}": f"report.{role}" for role in ("monitoring", "execution")
    } | {"$JS.API.STREAM.MSG.GET.TRAIL": "trail.read"}


def test_nothing_of_its_trail_is_open_to_an_account_but_reading_a_record():
    pair = build_accounts(KEYS, ALICE, now=NOW)
    exports = jwt.decode(pair.trail_jwt)["nats"]["exports"]
    assert [(each["subject"], each["type"]) for each in exports] == [
        ("$JS.API.STREAM.MSG.GET.TRAIL", "service")
    ]
    holders = {
        jwt.decode(text.splitlines()[1])["nats"]["issuer_account"] for text in pair.credentials.values()
    }
    assert pair.trail_public not in holders


@pytest.mark.parametrize("pod", ["", "a.b", "a b", "*", ">", "A", "-a"])
def test_a_pod_name_that_is_no_token_is_refused(pod: str):
    with pytest.raises(ConfigurationError):
        subjects.decide(pod)


def test_an_unknown_kind_of_market_event_is_refused():
    with pytest.raises(ConfigurationError, match="rumour"):
        subjects.market("alice-0", "rumour")


def test_a_renewal_out_of_turn_gives_every_container_another_key_until_the_period_ends() -> None:
    before = build_accounts(KEYS, ALICE, now=NOW)
    began = before.renew_at - RENEWAL_S
    asked = Rotation(renewed_s=NOW)
    after = build_accounts(KEYS, ALICE, now=NOW + 5, rotation=asked)
    for role, text in after.credentials.items():
        claims, old = (jwt.decode(each.splitlines()[1]) for each in (text, before.credentials[role]))
        assert claims["sub"] != old["sub"]
        assert (claims["iat"], claims["exp"]) == (NOW + 1, began + LIFETIME_S)
    assert after.credentials == build_accounts(KEYS, ALICE, now=NOW + 900, rotation=asked).credentials
    due = before.renew_at
    assert (
        build_accounts(KEYS, ALICE, now=due, rotation=asked).credentials
        == build_accounts(KEYS, ALICE, now=due).credentials
    )


def test_all_accounts_with_users_refuse_what_was_issued_before_a_revocation_and_nothing_later() -> None:
    asked = Rotation(renewed_s=NOW)
    cut = Rotation(renewed_s=NOW, revoked_s=NOW)
    assert (asked.is_cut, cut.is_cut) == (False, True)
    for rotation, revoked in ((asked, None), (cut, {"*": NOW})):
        pair = build_accounts(KEYS, ALICE, now=NOW + 5, rotation=rotation)
        for token in (pair.core_jwt, pair.strategy_jwt, pair.monitoring_jwt):
            assert jwt.decode(token)["nats"].get("revocations") == revoked
        issued = [jwt.decode(text.splitlines()[1])["iat"] for text in pair.credentials.values()]
        assert min(issued) > NOW
