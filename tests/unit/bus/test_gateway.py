"""Passwords and the order of the egress gateways."""

from __future__ import annotations

from collections import Counter

from smarttrade.bus.gateway import build_gateway_key, build_password, build_user, in_order
from smarttrade.identity import AccountIdentity

ALICE = AccountIdentity("smarttrade", "alice", "alice")
GATEWAYS = [f"gateway-{number}:4750" for number in range(4)]


def test_a_password_is_worth_nothing_for_another_account_exchange_time_or_installation() -> None:
    key = build_gateway_key(b"m" * 32)
    users = {
        build_user(ALICE, "binance", "Production", 1),
        build_user(ALICE, "binance", "Production", 2),
        build_user(ALICE, "binance", "Testnet", 1),
        build_user(ALICE, "okx", "Production", 1),
        build_user(AccountIdentity("smarttrade", "alice", "bob"), "binance", "Production", 1),
        build_user(AccountIdentity("smarttrade", "bob", "alice"), "binance", "Production", 1),
    }
    passwords = {build_password(key, user) for user in users}
    assert len(passwords) == len(users) == 6
    assert build_password(build_gateway_key(b"n" * 32), min(users)) not in passwords


def test_accounts_spread_over_the_gateways_and_each_keeps_its_own() -> None:
    accounts = [AccountIdentity("smarttrade", "users", f"account-{number}") for number in range(400)]
    first = {account: in_order(account, GATEWAYS)[0] for account in accounts}
    assert all(60 < count < 140 for count in Counter(first.values()).values())
    assert all(sorted(in_order(account, GATEWAYS)) == GATEWAYS for account in accounts)
    fewer = {account: in_order(account, GATEWAYS[:-1])[0] for account in accounts}
    moved = [account for account in accounts if fewer[account] != first[account]]
    assert all(first[account] == GATEWAYS[-1] for account in moved)
