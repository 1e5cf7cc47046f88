"""What a new leader waits for: the account's log, from its snapshot or from its beginning.

The reference reads the same messages with nats-py, counts and drops them. The server that is read from was
filled without a sync per write, which changes nothing of what is read.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import uvloop
from nats.aio.client import Client
from nats.aio.msg import Msg

from benchmarks._account import MARKET, PRICE, load_note
from cluster import binaries
from smarttrade.bus import subjects
from smarttrade.bus.accounts import build_accounts
from smarttrade.bus.connection import Connection, connect
from smarttrade.bus.keys import OperatorKeys
from smarttrade.bus.lease import Lease
from smarttrade.bus.log import AccountLog
from smarttrade.bus.provision import Provisioner
from smarttrade.bus.server import LocalServer
from smarttrade.exchange.reports import OrderKind
from smarttrade.execution import effects as fx
from smarttrade.execution import records
from smarttrade.execution.context import Tuning
from smarttrade.execution.core import Core
from smarttrade.execution.leadership import Leadership
from smarttrade.execution.orders import OrderState, Purpose
from smarttrade.execution.snapshot import encode_snapshot
from smarttrade.identity import AccountIdentity, stable_hash
from smarttrade.messages import Decision, Fill, Outcome, Side, Target

RECORDS = 100_000
BEHIND_SNAPSHOT = 5_000
ROUNDS = 3
WORST_RATIO, WORST_S = 2.5, 0.3
IDENTITY = AccountIdentity("bench", "bench", "bench")
_BATCH = 10_000
_NOW = 1_795_000_000_000
_ONE = Decimal(1)


def run() -> list[dict[str, Any]]:
    bounded, few, full, bare = uvloop.run(_measure())
    return [
        {
            "metric": f"snapshot {BEHIND_SNAPSHOT} log messages back ({load_note()})",
            "unit": "s",
            "ours": bounded,
            "reference": few,
            "reference_name": "nats-py, those messages counted and dropped",
            "ratio": bounded / few,
            "target": f"<= {WORST_S} s",
            "met": bounded <= WORST_S,
        },
        {
            "metric": f"full replay of {RECORDS} log messages ({load_note()})",
            "unit": "s",
            "ours": full,
            "reference": bare,
            "reference_name": "nats-py, messages counted and dropped",
            "ratio": full / bare,
            "target": f"ratio <= {WORST_RATIO}",
            "met": full / bare <= WORST_RATIO,
        },
    ]


class _Unsynced(LocalServer):
    """Fills quickly."""

    def _spawn(self, config: Path) -> Any:
        config.write_text(config.read_text().replace("sync_interval: always", "sync_interval: 2m"))
        return super()._spawn(config)


async def _measure() -> tuple[float, float, float, float]:
    keys = OperatorKeys.generate()
    with tempfile.TemporaryDirectory() as folder:
        async with _Unsynced(keys, Path(folder), binary=binaries.ensure("nats-server")) as server:
            provisioner = Provisioner(server.url, keys)
            await provisioner.connect()
            pair = build_accounts(keys, IDENTITY)
            await provisioner.push(pair)
            await provisioner.ensure_assets(IDENTITY)
            text = pair.credentials["execution"]
            nc = await connect(
                server.url, name="bench", role="execution", credentials=text, on_closed=_closed
            )
            await _fill(nc)
            full = [(await _replay(nc), await _read_bare(nc, 1)) for _ in range(ROUNDS)]
            await _save_snapshot(nc)
            after = RECORDS - BEHIND_SNAPSHOT + 1
            bounded = [(await _replay(nc), await _read_bare(nc, after)) for _ in range(ROUNDS)]
            await nc.close()
            await provisioner.close()
    return *_least(bounded), *_least(full)


def _least(times: list[tuple[float, float]]) -> tuple[float, float]:
    return min(ours for ours, _ in times), min(bare for _, bare in times)


async def _closed() -> None:
    raise RuntimeError("NATS closed the connection")


# --- the log of a busy account ----------------------------------------------------------------------------


def build_log() -> Iterator[records.Batch]:
    """`RECORDS` messages: of every decision its acceptance with the order's intent, its fill, its outcome."""
    opening = records.LedgerOpened(currency="USDT", allocation=Decimal(10**6), positions=(), time_ms=_NOW)
    yield records.Batch(
        epoch=1, records=(records.EpochStarted(epoch=1, holder="a", time_ms=_NOW), opening), after=0
    )
    for number in range(2, RECORDS + 1):
        turn, step = divmod(number - 2, 3)
        yield records.Batch(epoch=1, records=_STEPS[step](turn), after=number - 1)


def _accepted(turn: int) -> tuple[records.AnyRecord, ...]:
    buys = turn % 2 == 0
    identifier = _decision_id(turn)
    decision = Decision(
        id=identifier,
        strategy="bench",
        market=MARKET,
        event_key=f"1m:{turn}",
        event_time_ms=_NOW + turn,
        event_ordinal=0,
        index=0,
        generation=1,
        want=Target(quantity=_ONE if buys else Decimal(0), valid_until_ms=_NOW + turn + 60_000),
    )
    intent = records.OrderIntended(
        cid=_cid(turn),
        market=MARKET,
        side=_side(turn),
        kind=OrderKind.LIMIT_IOC,
        price=PRICE,
        quantity=_ONE,
        purpose=Purpose.TARGET,
        decision_id=identifier,
        leg=1,
        attempt=1,
        deadline_ms=_NOW + turn,
        window_ms=800,
        epoch=1,
    )
    return records.DecisionAccepted(decision=decision, time_ms=_NOW + turn), intent


def _filled(turn: int) -> tuple[records.AnyRecord, ...]:
    fill = Fill(
        market=MARKET,
        trade_id=str(turn),
        order_id=str(turn),
        client_order_id=_cid(turn),
        decision_id=_decision_id(turn),
        side=_side(turn),
        price=PRICE,
        quantity=_ONE,
        fee=Decimal("0.1"),
        fee_asset="USDT",
        maker=False,
        time_ms=_NOW + turn,
    )
    moved = records.OrderMoved(
        cid=_cid(turn), state=OrderState.FILLED, order_id=str(turn), filled=_ONE, time_ms=_NOW + turn
    )
    return records.FillRecorded(fill=fill, fee_value=Decimal("0.1")), moved


def _closed_decision(turn: int) -> tuple[records.AnyRecord, ...]:
    return (
        records.DecisionClosed(
            id=_decision_id(turn),
            market=MARKET,
            outcome=Outcome.REACHED,
            code="",
            message="",
            time_ms=_NOW + turn,
        ),
    )


_STEPS = (_accepted, _filled, _closed_decision)


def _side(turn: int) -> Side:
    return Side.BUY if turn % 2 == 0 else Side.SELL


def _decision_id(turn: int) -> str:
    return stable_hash("bench", str(turn))


def _cid(turn: int) -> str:
    return _decision_id(turn)[:18]


async def _fill(nc: Client) -> None:
    stream = nc.jetstream(publish_async_max_pending=2000)
    for batch in build_log():
        await stream.publish_async(subjects.LOG, records.encode_batch(batch))  # waits when too many are out
    await stream.publish_async_completed()
    log = AccountLog(nc)
    while await log.last_sequence() < RECORDS:  # noqa: ASYNC110 - the server does not tell
        await asyncio.sleep(0.1)


async def _save_snapshot(nc: Client) -> None:
    core = _new_core()
    for sequence, batch in enumerate(build_log(), 1):
        if sequence > RECORDS - BEHIND_SNAPSHOT:
            break
        core.handle(fx.LogRead(sequence=sequence, batch=batch, live=False), 0.0)
        if sequence % 1_000 == 0:
            await asyncio.sleep(0)  # the connection answers its pings
    payload = encode_snapshot(core.ctx.book.snapshot(core.ctx.outbox.sequence))
    await AccountLog(nc, timeout_s=30).put_snapshot(payload, after=0)


# --- reading ----------------------------------------------------------------------------------------------


def _new_core() -> Core:
    return Core(IDENTITY, "b", Tuning(replicas=2))


async def _replay(nc: Connection) -> float:
    """The standby's own way into an empty core; seconds."""
    core = _new_core()

    def feed(event: fx.Input) -> None:
        core.handle(event, 0.0)

    leadership = Leadership(nc, Lease(nc, "b"), lambda: core, feed, lambda: False)
    started = time.perf_counter()
    await leadership._read_all()
    seconds = time.perf_counter() - started
    if core.ctx.outbox.sequence != RECORDS:
        raise RuntimeError(f"read to {core.ctx.outbox.sequence}, {RECORDS} were written")
    return seconds


async def _read_bare(nc: Client, start: int) -> float:
    started, following = time.perf_counter(), start
    while following <= RECORDS:
        following += await _read_bare_batch(nc, following)
    return time.perf_counter() - started


async def _read_bare_batch(nc: Client, start: int) -> int:
    count, end = 0, asyncio.get_running_loop().create_future()

    async def received(message: Msg) -> None:
        nonlocal count
        if message.data:
            count += 1
        elif not end.done():
            end.set_result(None)

    inbox = nc.new_inbox()
    subscription = await nc.subscribe(inbox, cb=received)
    body = json.dumps({"seq": start, "batch": _BATCH, "next_by_subj": subjects.LOG})
    await nc.publish(f"$JS.API.DIRECT.GET.{subjects.STREAM}", body.encode(), reply=inbox)
    await asyncio.wait_for(end, 60)
    await subscription.unsubscribe()
    return count
