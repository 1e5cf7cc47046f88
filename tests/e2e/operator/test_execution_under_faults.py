"""One account trades every second while its pods, its network and the bus fail: nothing is lost or doubled.

The strategy wants 0.01 or nothing in turn, so the simulated exchange's journal tells a doubled order (the
position would pass 0.01) and one sold twice (it would fall below zero); and what status and log say in the
end must be what happened: each decision has one outcome, each trade is one fill. The tests go on from one
another: one account, growing to two replicas and back. What it buys is protected by a pair of orders, so near
that one sells now and then, and that every exit has to take them away first.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from decimal import Decimal
from functools import partial
from pathlib import Path

import pytest

from cluster.target import Origin
from demo.ground_truth import entries, trades
from tests.component.operator.harness import eventually
from tests.e2e.operator.conftest import Platform
from tests.e2e.operator.trail import judge_guards, judge_trail

NAME = "liam"
WANTED = Decimal("0.01")
DUST = Decimal("0.0001")
GUARDED = '''
from decimal import Decimal
from functools import partial

from smarttrade import Strategy


class InAndOut(Strategy):
    """Buys at one candle, with stop and profit, and sells at the next."""

    wanted = Decimal(0)

    def on_candle(self, candle):
        self.wanted = Decimal("0.01") - self.wanted
        if not self.wanted:
            return self.target(candle.market, self.wanted)
        near = candle.close * Decimal("0.0002")
        stop, profit = round(candle.close - near, 2), round(candle.close + near, 2)
        return self.target(candle.market, self.wanted, stop_loss=stop, take_profit=profit)
'''
_CUT = "table inet chaos { chain out { type filter hook output priority -300; oifname != lo drop; }; }"


class Trader:
    """The account, and what happens to it."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform

    @property
    def leader(self) -> str:
        return str(self.platform.status(NAME).get("leader") or "")

    def ready(self, replicas: int) -> None:
        """So many replicas, all ready, one of which leads."""

        def is_ready() -> bool:
            pods = [p for p in self.platform.pods(NAME) if not p["metadata"].get("deletionTimestamp")]
            status = self.platform.status(NAME)
            names = [pod["metadata"]["name"] for pod in pods]
            return len(pods) == replicas == status.get("readyReplicas") and status.get("leader") in names

        eventually(is_ready, 120, f"{replicas} replicas")

    def trades_on(self, fills: int = 2) -> None:
        """More is traded from now on."""
        now = int(self.platform.status(NAME).get("fills", 0))
        self.platform.wait_fills(NAME, now + fills)

    def led_by_another(self, than: str) -> None:
        eventually(lambda: self.leader not in ("", than), 60, f"another pod than {than} leads")

    def patch(self, **spec: object) -> None:
        self.platform.users.patch("TradingAccount", NAME, {"spec": spec})

    def process(self, pod: str) -> int:
        """The execution container's process, as this machine sees it."""
        if self.platform.cluster.target.origin is Origin.GIVEN:
            pytest.skip("the processes of a given cluster are on another machine")
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                environment, command = (entry / "environ").read_bytes(), (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if f"SMARTTRADE_POD={pod}".encode() in environment and b"smarttrade.execution" in command:
                return int(entry.name)
        raise AssertionError(f"no process of {pod} runs on this machine")

    def judge_log(self) -> dict[str, int]:
        """By the account's whole log against the journal."""
        happened = entries(self.platform.cluster, NAME, self.platform.system.name)
        rows = self.platform.audit(NAME)
        judged = judge_trail(rows, [entry for entry in happened if entry["kind"] == "TRADE"])
        return judged | judge_guards(rows, happened)

    def judge(self) -> None:
        """By the exchange's journal: each client id is one order, and the position never left 0 to 0.01."""
        orders: dict[str, int] = {}
        position = Decimal(0)
        for trade in trades(self.platform.cluster, NAME, self.platform.system.name):
            known = orders.setdefault(trade["client_order_id"], trade["order_id"])
            assert known == trade["order_id"], trade
            in_base = Decimal(trade["commission"]) if trade["commission_asset"] == "BTC" else Decimal(0)
            quantity = Decimal(trade["last_quantity"])
            position += quantity - in_base if trade["side"] == "BUY" else -quantity
            assert -DUST <= position <= WANTED + DUST, (position, trade)


@pytest.fixture(scope="module")
def trader(platform: Platform) -> Iterator[Trader]:
    platform.apply(NAME, strategy=platform.provide_strategy("under-faults", GUARDED))
    running = Trader(platform)
    running.ready(1)
    running.trades_on()
    yield running
    platform.remove(NAME)


def test_growing_to_two_replicas_rolls_the_one_and_hands_its_lead_over(trader: Trader) -> None:
    """Pods know the number of replicas, so this is also the rollout of an account with one."""
    before = trader.leader
    trader.patch(replicas=2)
    trader.led_by_another(before)
    trader.ready(2)
    trader.trades_on()
    trader.judge()


def test_a_deleted_leader_is_followed_by_its_standby(trader: Trader) -> None:
    before = trader.leader
    trader.platform.users.delete("Pod", before)
    trader.led_by_another(before)
    trader.trades_on()
    trader.judge()


def test_a_killed_execution_container_is_followed_or_comes_back(trader: Trader) -> None:
    trader.ready(2)
    os.kill(trader.process(trader.leader), signal.SIGKILL)
    trader.trades_on()
    trader.judge()


def test_a_leader_whose_network_is_cut_is_followed(trader: Trader) -> None:
    trader.ready(2)
    before = trader.leader
    # Held open: the container may be started anew meanwhile, because its probes are cut off too.
    with Path(f"/proc/{trader.process(before)}/ns/net").open() as network:
        inside = ["nsenter", f"--net=/proc/self/fd/{network.fileno()}", "nft"]
        held = partial(subprocess.run, check=True, pass_fds=[network.fileno()])
        held([*inside, _CUT])
        try:
            trader.led_by_another(before)
            trader.trades_on()
        finally:
            held([*inside, "delete", "table", "inet", "chaos"])
    trader.trades_on()
    trader.judge()


def test_a_nats_server_s_pod_is_deleted_under_trading(trader: Trader) -> None:
    system = trader.platform.system.name
    options = [f"--namespace={system}", "--grace-period=0", "--force", "--wait=false"]
    trader.platform.cluster("delete", "pod", "smarttrade-nats-0", *options)
    trader.trades_on(4)
    trader.judge()


def test_a_rollout_of_two_replicas_and_back_to_one_end_in_agreement(trader: Trader) -> None:
    trader.patch(resources={"execution": {"requests": {"memory": "98Mi"}}})
    trader.trades_on()
    trader.ready(2)
    trader.patch(replicas=1)
    trader.ready(1)
    trader.trades_on()
    trader.patch(state="Halted")

    def agrees() -> bool:
        status = trader.platform.status(NAME)
        happened = len(trades(trader.platform.cluster, NAME, trader.platform.system.name))
        told = (status["effectiveState"], status["unknownOrders"], status["openOrders"], int(status["fills"]))
        assert told == ("Halted", 0, 0, happened), json.dumps(told)
        return True

    eventually(agrees, 60, "every fill is known, and no other")
    trader.judge()
    judged = trader.judge_log()
    assert judged["epochs"] >= 6, judged
    assert min(judged["decisions"], judged["orders"], judged["fills"]) >= 20, judged
    assert judged["protective"] >= 10, judged
