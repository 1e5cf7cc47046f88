"""How an execution container begins where NATS does not let it in."""

from __future__ import annotations

from typing import Any

from smarttrade.bus.accounts import build_accounts
from smarttrade.bus.keys import OperatorKeys
from tests.component.execution.theatre import BTC, eventually


async def test_credentials_that_nats_refuses_end_the_process_with_3(stage: Any) -> None:
    theatre = await stage(replicas=1)
    theatre._pair = build_accounts(OperatorKeys.generate(), theatre.identity)
    pod = await theatre.start("a")
    await eventually(lambda: pod.process.returncode is not None, "the end of the process")
    assert pod.process.returncode == 3
    assert "cannot connect to NATS" in pod.output


async def test_a_server_that_is_away_is_waited_for(stage: Any) -> None:
    theatre = await stage(replicas=1)
    await theatre.control()
    await theatre.server.stop()
    pod = await theatre.start("a")
    await eventually(lambda: "NATS is away" in pod.output, "the first attempt has failed")
    await theatre.server.start()
    await theatre.leader()


async def test_a_market_that_the_exchange_does_not_have_is_named_and_a_corrected_object_trades(
    stage: Any,
) -> None:
    theatre = await stage(replicas=1)
    await theatre.control(markets=[{"symbol": BTC}, {"symbol": "NOPE/USDT"}])
    await theatre.start("a")

    def refused() -> bool:
        checks = [check for report in theatre.reports[-1:] for check in report.checks]
        return any(c.type == "ConfigApplied" and not c.ok and "NOPE/USDT" in c.message for c in checks)

    await eventually(refused, "the condition names the market")
    await theatre.control()
    await theatre.leader()
    assert await theatre.outcome(await theatre.target("1")) == ("Reached", "")
