"""What one account, and the strategy inside it, can and cannot reach, on a real nats-server."""

import asyncio
import logging
from collections import Counter
from dataclasses import replace

import pytest
from nats.aio.msg import Msg
from nats.errors import NoRespondersError as NatsNoResponders
from nats.errors import TimeoutError as NatsTimeout

from smarttrade import messages
from smarttrade.bus import jwt, subjects
from smarttrade.bus.accounts import (
    AccountLimits,
    AccountPair,
    build_accounts,
    build_permissions,
    operator_credentials,
)
from smarttrade.bus.connection import connect
from smarttrade.bus.control import ControlReader
from smarttrade.bus.keys import OperatorKeys
from smarttrade.bus.log import AccountLog
from smarttrade.errors import BusError
from tests.component.bus.tenants import Ear, Tenants, eventually, identity
from tests.unit.bus.test_accounts import build_largest

REPORT = messages.MonitoringReport(pod="p", generation=1, checks=[], evaluation=None, as_of_ms=1)


async def violation(caplog: pytest.LogCaptureFixture, subject: str) -> None:
    await eventually(
        lambda: any(
            "permissions violation" in r.message.lower() and subject.lower() in r.message.lower()
            for r in caplog.records
        ),
        f"the server refuses {subject}",
    )


async def test_accounts_hear_nothing_of_each_other(tenants: Tenants):
    alice, bob = await tenants.create("alice"), await tenants.create("bob")
    a, b = await tenants.connect(alice, "monitoring"), await tenants.connect(bob, "execution")
    own = await tenants.connect(alice, "execution")
    bobs, alices = await Ear().listen(b, "market.*.*"), await Ear().listen(own, "market.*.*")

    async def heard() -> bool:
        """Said anew each time: nothing brings a message again that a connection's break has lost."""
        await a.publish(subjects.market("alice-0", "trade"), b"x")
        await a.flush()
        return bool(alices.heard)

    await eventually(heard, "alice's execution hears alice's monitoring")
    await b.flush()
    assert bobs.heard == []


async def test_accounts_have_separate_logs(tenants: Tenants):
    alice, bob = await tenants.create("alice"), await tenants.create("bob")
    a = AccountLog(await tenants.connect(alice, "execution"))
    b = AccountLog(await tenants.connect(bob, "execution"))
    await a.append(b"alice's", after=0, message_id="1")
    assert await b.last_sequence() == 0
    assert [payload async for _, payload, _ in b.read()] == []


@pytest.mark.parametrize("role", subjects.ROLES)
async def test_the_system_is_out_of_reach(tenants: Tenants, role: str, caplog: pytest.LogCaptureFixture):
    pair = await tenants.create("alice")
    nc = await tenants.connect(pair, role)
    with caplog.at_level(logging.WARNING), pytest.raises(NatsTimeout):
        await nc.request("$SYS.REQ.SERVER.PING", b"", timeout=0.3)
    await violation(caplog, "$SYS.REQ.SERVER.PING")


# The strategy's own account: whatever it tries, nothing arrives and nothing is heard.
PUBLISHING = [
    subjects.LOG,
    subjects.CONTROL,
    subjects.SNAPSHOT,
    subjects.LEASE_KEY,
    "report.execution",
    "report.monitoring",
    "market.alice-0.trade",
    "position.alice-0",
    "fill.alice-0",
    "$JS.API.INFO",
    "$JS.API.STREAM.NAMES",
    "$JS.API.STREAM.PURGE.ACCOUNT",
    "$JS.API.STREAM.MSG.GET.ACCOUNT",
    "$JS.API.DIRECT.GET.ACCOUNT.control.account",
    "$JS.API.CONSUMER.CREATE.ACCOUNT",
    "_INBOX.execution.x",
    "_R_.x",
    "anything",
]
LISTENING = [
    ">",
    "*",
    "log",
    "control.>",
    "$KV.>",
    "report.>",
    "history.*",
    "decide.*",
    "decide.>",
    "market.>",
    "_INBOX.>",
    "_INBOX.execution.>",
    "_INBOX.monitoring.>",
    "$JS.>",
    "$SYS.>",
    "_R_.>",
]


@pytest.mark.parametrize("subject", PUBLISHING)
async def test_a_strategy_cannot_publish_beyond_its_two_services(
    tenants: Tenants, subject: str, caplog: pytest.LogCaptureFixture
):
    strategy = await tenants.connect(await tenants.create("alice"), "evaluation")
    with caplog.at_level(logging.WARNING):
        await strategy.publish(subject, b"forged")
        await strategy.flush()
        await violation(caplog, subject)


@pytest.mark.parametrize("subject", LISTENING)
async def test_a_strategy_cannot_listen_beyond_its_three_streams(
    tenants: Tenants, subject: str, caplog: pytest.LogCaptureFixture
):
    strategy = await tenants.connect(await tenants.create("alice"), "evaluation")
    with caplog.at_level(logging.WARNING):
        await strategy.subscribe(subject)
        await strategy.flush()
        await violation(caplog, subject)


async def test_a_strategys_reply_subject_forges_nothing_in_the_core_account(tenants: Tenants):
    pair = await tenants.create("alice")
    core, strategy = await tenants.connect(pair, "execution"), await tenants.connect(pair, "evaluation")
    replies = []

    async def answer(message: Msg) -> None:
        replies.append(message.reply)
        await message.respond(b"Halted to Active")

    await core.subscribe(subjects.decide("alice-0"), cb=answer)
    control = await Ear().listen(core, subjects.CONTROL)

    async def forge() -> bool:  # again, as a decision is: a broken connection may lose one
        await strategy.publish(subjects.decide("alice-0"), b"{}", reply=subjects.CONTROL)
        await strategy.flush()
        await core.flush()
        return bool(replies)

    await eventually(forge, "the decision arrives")
    await core.flush()
    await asyncio.sleep(0)
    assert subjects.CONTROL not in replies
    assert control.heard == []
    monitoring = await tenants.connect(pair, "monitoring")
    stored = await monitoring.request(f"$JS.API.DIRECT.GET.ACCOUNT.{subjects.CONTROL}", b"")
    assert (stored.headers or {}).get("Status") == "404"


async def test_the_imports_work(tenants: Tenants):
    pair = await tenants.create("alice")
    roles = {role: await tenants.connect(pair, role) for role in subjects.ROLES}

    async def answer(message: Msg) -> None:
        await message.respond(b"answer to " + message.data)

    await roles["execution"].subscribe("decide.*", cb=answer)
    await roles["monitoring"].subscribe("history.*", cb=answer)
    ears = [await Ear().listen(roles["evaluation"], s) for s in ("market.*.*", "position.*", "fill.*")]
    for connection in roles.values():
        await connection.flush()
    strategy = roles["evaluation"]
    assert (await strategy.request(subjects.decide("p"), b"d", timeout=5)).data == b"answer to d"
    assert (await strategy.request(subjects.history("p"), b"h", timeout=5)).data == b"answer to h"
    await roles["monitoring"].publish(subjects.market("p", "quote"), b"q")
    await roles["execution"].publish(subjects.position("p"), b"p")
    await roles["execution"].publish(subjects.fill("p"), b"f")
    await eventually(lambda: all(len(ear.heard) == 1 for ear in ears), "market, position and fill arrive")


async def test_a_monitoring_with_credentials_from_before_it_had_an_account_works_on_beside_a_new_one(
    tenants: Tenants,
):
    pair = await tenants.create("alice")
    control = messages.AccountControl(generation=1, spec={"state": "Active"})
    await tenants.provisioner.write_control(pair.identity, control)
    old = await tenants.connect(_from_before(tenants, pair), "monitoring")
    new = await tenants.connect(pair, "monitoring")
    execution = await tenants.connect(pair, "execution")
    strategy = await tenants.connect(pair, "evaluation")
    for name, nc in (("old", old), ("new", new)):

        async def answer(message: Msg, name: str = name) -> None:
            await message.respond(name.encode())

        await nc.subscribe(subjects.history(name), cb=answer)
        assert await ControlReader(nc).current() == control
    ears = [await Ear().listen(nc, "market.*.*") for nc in (execution, strategy)]
    heard = [await Ear().listen(nc, subjects.CONTROL) for nc in (old, new)]
    # An answer on the same connection: the library's flush overtakes a subscription.
    for nc in (execution, old, new):
        assert await ControlReader(nc).current() == control
    for name in ("old", "new"):
        assert (await strategy.request(subjects.history(name), b"", timeout=5)).data == name.encode()
    for name, nc in (("old", old), ("new", new)):
        await nc.publish(subjects.market(name, "quote"), name.encode())
        await nc.flush()
    each = [(subjects.market(name, "quote"), name.encode()) for name in ("new", "old")]
    await eventually(lambda: all(sorted(ear.heard) == each for ear in ears), "each is heard once")
    await tenants.provisioner.write_control(pair.identity, control)
    await eventually(lambda: all(len(ear.heard) == 1 for ear in heard), "control is heard")


def _from_before(tenants: Tenants, pair: AccountPair) -> AccountPair:
    """Monitoring as a user of the core account, which may answer whatever it is asked."""
    publish, subscribe = build_permissions("monitoring")
    claims = jwt.build_user_claims(pair.core_public, publish, subscribe)
    claims["resp"] = {"max": 1, "ttl": 10_000_000_000}
    user = tenants.keys.user("before", pair.identity.key)
    signer = tenants.keys.account_signing("core", pair.identity.key)
    token = jwt.encode(signer, user.public, "monitoring", claims, tenants.keys.created)
    text = jwt.format_credentials(token, user.seed)
    return replace(pair, credentials=pair.credentials | {"monitoring": text})


@pytest.mark.parametrize(
    ("role", "subject"),
    [
        ("monitoring", "log"),
        ("monitoring", "control.account"),
        ("monitoring", "report.execution"),
        ("monitoring", "position.p"),
        ("monitoring", "$KV.LEASE.leader"),
        ("monitoring", "$JS.API.STREAM.PURGE.ACCOUNT"),
        ("execution", "control.account"),
        ("execution", "market.p.trade"),
        ("execution", "report.monitoring"),
        ("execution", "$JS.API.STREAM.DELETE.ACCOUNT"),
        ("execution", "$JS.API.STREAM.UPDATE.ACCOUNT"),
        ("execution", "$JS.API.CONSUMER.CREATE.ACCOUNT"),
        ("execution", "$JS.API.STREAM.CREATE.OTHER"),
    ],
)
async def test_a_container_cannot_do_anothers_work(
    tenants: Tenants, role: str, subject: str, caplog: pytest.LogCaptureFixture
):
    nc = await tenants.connect(await tenants.create("alice"), role)
    with caplog.at_level(logging.WARNING):
        await nc.publish(subject, b"")
        await nc.flush()
        await violation(caplog, subject)


async def test_a_report_names_the_account_it_came_from(tenants: Tenants):
    reports: list[tuple[str, str, messages.Report]] = []

    async def received(token: str, role: str, report: messages.Report) -> None:
        reports.append((token, role, report))

    await tenants.provisioner.serve_reports(received)
    alice, bob = await tenants.create("alice"), await tenants.create("bob")
    monitoring = await tenants.connect(bob, "monitoring")
    await monitoring.publish(subjects.report("monitoring"), messages.encode(REPORT))
    await eventually(lambda: reports == [(bob.identity.token, "monitoring", REPORT)], "heard")
    # The platform's own subject is not even one in bob's account.
    await monitoring.publish(
        subjects.platform_report(alice.identity.token, "monitoring"), messages.encode(REPORT)
    )
    await monitoring.flush()
    assert [token for token, _, _ in reports] == [bob.identity.token]


async def test_a_malformed_report_does_not_end_the_service(tenants: Tenants):
    reports = []

    async def received(token: str, role: str, report: messages.Report) -> None:
        reports.append(report)

    await tenants.provisioner.serve_reports(received)
    monitoring = await tenants.connect(await tenants.create("alice"), "monitoring")
    await monitoring.publish(subjects.report("monitoring"), b"{")
    await monitoring.publish(subjects.report("monitoring"), messages.encode(REPORT))
    await eventually(lambda: reports == [REPORT], "heard")


async def test_a_flood_of_reports_is_cut_down_and_nobody_elses_waits_for_it(tenants: Tenants):
    counts: Counter[str] = Counter()

    async def received(token: str, role: str, report: messages.Report) -> None:
        counts[token] += 1

    await tenants.provisioner.serve_reports(received)
    alice, bob = await tenants.create("alice"), await tenants.create("bob")
    flooding = await tenants.connect(alice, "monitoring")
    for number in range(5_000):
        await flooding.publish(subjects.report("monitoring"), messages.encode(REPORT) if number % 2 else b"{")
    await flooding.flush()
    honest = await tenants.connect(bob, "monitoring")
    await honest.publish(subjects.report("monitoring"), messages.encode(REPORT))
    await eventually(lambda: counts[bob.identity.token] == 1, "the other's report is heard")
    assert 40 <= counts[alice.identity.token] < 1_000


async def test_no_report_is_answered_so_that_none_forges_the_control_value(tenants: Tenants):
    heard: list[messages.Report] = []

    async def received(token: str, role: str, report: messages.Report) -> None:
        heard.append(report)

    await tenants.provisioner.serve_reports(received)
    alice = await tenants.create("alice")
    written = messages.AccountControl(generation=1, spec={"state": "Halted"})
    await tenants.provisioner.write_control(alice.identity, written)
    monitoring = await tenants.connect(alice, "monitoring")
    await monitoring.publish(subjects.report("monitoring"), messages.encode(REPORT), reply=subjects.CONTROL)
    await eventually(lambda: heard == [REPORT], "heard")
    assert await ControlReader(await tenants.connect(alice, "execution")).current() == written


async def test_a_reader_starts_although_something_else_lies_in_the_place_of_the_control_value(
    tenants: Tenants,
):
    """A server's refusal of a malformed request goes where its sender says."""
    alice = await tenants.create("alice")
    control = messages.AccountControl(generation=1, spec={"state": "Halted"})
    await tenants.provisioner.write_control(alice.identity, control)
    execution = await tenants.connect(alice, "execution")
    lookup = f"$JS.API.DIRECT.GET.{subjects.STREAM}.{subjects.CONTROL}"
    await execution.publish(lookup, b"not what it takes", reply=subjects.CONTROL)
    reader = ControlReader(await tenants.connect(alice, "execution"))
    changes: list[messages.AccountControl] = []

    async def changed(value: messages.AccountControl) -> None:
        changes.append(value)

    await reader.subscribe(changed)
    assert [change for change in changes if change != control] == []
    changes.clear()
    later = messages.AccountControl(generation=2, spec={"state": "Halted"})
    await tenants.provisioner.write_control(alice.identity, later)
    await eventually(lambda: changes == [later], "heard")


async def test_keys_of_another_installation_are_refused(tenants: Tenants):
    await tenants.create("alice")
    forged = build_accounts(OperatorKeys.generate(), identity("alice"))
    with pytest.raises(BusError, match=r"(?i)authorization"):
        await tenants.connect(forged, "execution")


async def test_expired_credentials_are_refused(tenants: Tenants):
    pair = await tenants.create("alice")
    past = build_accounts(tenants.keys, identity("alice"), now=pair.renew_at - 100 * 86_400)
    with pytest.raises(BusError, match=r"(?i)authorization|expired"):
        await tenants.connect(past, "execution")


async def test_the_operators_visit_can_write_control_and_nothing_else(
    tenants: Tenants, caplog: pytest.LogCaptureFixture
):
    await tenants.create("alice")

    async def ignore() -> None:
        return None

    text = operator_credentials(tenants.keys, identity("alice"))
    nc = await connect(tenants.server.url, name="visit", role="operator", credentials=text, on_closed=ignore)
    with caplog.at_level(logging.WARNING):
        await nc.publish(subjects.LOG, b"forged")
        await nc.flush()
        await violation(caplog, "log")
    await nc.close()


async def test_more_connections_than_a_surge_needs_are_refused(tenants: Tenants):
    pair = await tenants.create("alice")
    opened = [await tenants.connect(pair, "evaluation") for _ in range(10)]
    assert all(connection.is_connected for connection in opened)
    with pytest.raises(BusError, match=r"(?i)maximum account active connections"):
        await tenants.connect(pair, "evaluation")


@pytest.mark.parametrize("orders", [1, 20])
async def test_the_largest_decision_of_an_object_goes_through_and_one_that_is_larger_ends_the_connection(
    tenants: Tenants, orders: int
):
    limits = AccountLimits(orders=orders)
    pair = await tenants.create("alice", limits)
    evaluation, execution = (
        await tenants.connect(pair, "evaluation"),
        await tenants.connect(pair, "execution"),
    )

    async def accept(message: Msg) -> None:
        await message.respond(str(len(message.data)).encode())

    await execution.subscribe(subjects.decide("alice-0"), cb=accept)
    await execution.flush()
    largest = messages.encode(build_largest(orders))
    answer = await evaluation.request(subjects.decide("alice-0"), largest, timeout=10)
    assert int(answer.data) == len(largest)
    await evaluation.publish(subjects.decide("alice-0"), b"x" * (limits.decision_bytes + 1))
    await eventually(lambda: tenants.closed == ["alice/evaluation"], "the server ends the connection")


async def test_evaluation_has_the_subscriptions_that_it_needs_and_few_more(
    tenants: Tenants, caplog: pytest.LogCaptureFixture
):
    pair = await tenants.create("alice")
    nc = await tenants.connect(pair, "evaluation")
    for subject in ("market.alice-0.*", "position.alice-0", "fill.alice-0"):
        await nc.subscribe(subject)
    with pytest.raises(NatsNoResponders):
        await nc.request(subjects.history("alice-0"), b"", timeout=5)
    assert nc.last_error is None
    with caplog.at_level(logging.WARNING):
        for number in range(16):
            await nc.subscribe(f"fill.alice-{number}")
        await eventually(
            lambda: any("maximum subscriptions" in each.message.lower() for each in caplog.records),
            "the server refuses more",
        )
