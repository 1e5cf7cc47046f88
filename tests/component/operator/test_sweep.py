"""What NATS holds and no object stands for is told, and never taken away."""

from __future__ import annotations

import asyncio

from smarttrade.bus.accounts import build_accounts
from smarttrade.bus.keys import OperatorKeys
from smarttrade.bus.provision import Provisioner
from smarttrade.bus.server import LocalServer
from smarttrade.identity import AccountIdentity
from tests.component.operator.conftest import MakeOperator
from tests.component.operator.harness import Namespace, build_account, eventually

UNKNOWN = 'smarttrade_operator_unknown_nats_accounts{bus="shared"}'


async def test_accounts_that_no_object_stands_for_are_counted_and_left_alone(
    make_operator: MakeOperator, own_nats: LocalServer, keys: OperatorKeys, namespace: Namespace
) -> None:
    provisioner = Provisioner(own_nats.url, keys)
    await provisioner.connect()
    left = build_accounts(keys, AccountIdentity(namespace.installation, "elsewhere", "bob"))
    await provisioner.push(left)
    operator = make_operator(own_nats, RESYNC_SECONDS="1")
    await asyncio.to_thread(operator.start)
    namespace.create("TradingAccount", build_account("alice"))
    await asyncio.to_thread(namespace.wait, "Deployment", "alice")

    def counted() -> bool:
        return operator.metric(UNKNOWN) == len(left.jwts)

    await asyncio.to_thread(eventually, counted, 30, "all accounts of bob")
    assert set(left.jwts) <= await provisioner.stored_accounts()
    told = [line["account"] for line in operator.lines() if "belongs to no TradingAccount" in str(line)]
    assert sorted(told) == sorted(left.jwts), "each of them, once"
    await provisioner.close()
