"""As strategy code with evaluation's credentials: to trade, to command, or to speak as another container."""

from __future__ import annotations

import json
from typing import Any

from smarttrade.bus import subjects
from smarttrade.messages import AccountControl, encode
from tests.attacks.bus.attempts_tenancy import FORBIDDEN, said, send
from tests.attacks.bus.scene import CONTROL, POD, Scene, soon
from tests.attacks.matrix import Matrix, Outcome, Refused, Succeeded

MATRIX = Matrix()
CHANNEL = "NATS: strategy code"
DETOUR = "NATS: strategy code, by a detour"
BOTH = "strategy account + allow-lists"
FORGED = encode(AccountControl(generation=99, spec={"state": "Active"}))
API = "$JS.API"

DIRECTLY = (
    ("order", subjects.LOG, "writes an order into the log"),
    ("control", subjects.CONTROL, "writes a control value: Halted to Active"),
    ("snapshot", subjects.SNAPSHOT, "replaces the snapshot of positions and orders"),
    ("lease", subjects.LEASE_KEY, "takes the lead for itself"),
    ("report", subjects.report("monitoring"), "reports to the operator as monitoring"),
    ("execution-report", subjects.report("execution"), "reports to the operator as execution"),
    ("price", subjects.market(POD, "quote"), "publishes a price for execution's collars to believe"),
    ("fill", subjects.fill(POD), "publishes a fill"),
    ("position", subjects.position(POD), "publishes a position"),
    ("inbox", "_INBOX.execution.x", "answers a request of execution's in somebody's stead"),
)

for name, subject, tries in DIRECTLY:

    @MATRIX.attempt(f"publish-{name}", CHANNEL, tries, refusal=FORBIDDEN, guard=BOTH)
    async def publish(scene: Scene, subject: str = subject) -> Outcome:
        ear = await scene.listen(subject)
        wire = await scene.enter("evaluation")
        wire.publish(subject, FORGED)
        await wire.settle()
        await ear.settle()
        return Succeeded(f"arrives on {subject}") if ear.has_heard(FORGED) else said(wire)


for name, subject, tries in (
    ("decisions", "decide.*", "stands in for execution: takes the decisions of its account"),
    ("history", "history.*", "stands in for monitoring: answers history"),
    ("control", "control.>", "listens to control"),
    ("log", subjects.LOG, "listens to the log: every order and key id"),
    ("lease", "$KV.>", "watches who leads"),
    ("reports", "report.>", "listens to the reports"),
    ("inboxes", "_INBOX.execution.>", "listens to what execution is answered"),
):

    @MATRIX.attempt(f"listen-{name}", CHANNEL, tries, refusal=FORBIDDEN, guard=BOTH)
    async def listen(scene: Scene, subject: str = subject) -> Outcome:
        wire = await scene.enter("evaluation")
        wire.subscribe(subject)
        await wire.settle()
        spoken = await scene.overseer()
        spoken.publish(subject.replace("*", POD).replace(">", "account"), b"secret")
        await spoken.settle()
        await wire.settle()
        return Succeeded("hears it") if wire.has_heard(b"secret") else said(wire)


@MATRIX.attempt(
    "jetstream", CHANNEL, "asks JetStream for its streams", refusal=FORBIDDEN, guard="strategy account"
)
async def jetstream(scene: Scene) -> Outcome:
    wire = await send(scene, "evaluation", f"{API}.STREAM.NAMES")
    return Succeeded("answered") if wire.has_heard(b"ACCOUNT") else said(wire)


@MATRIX.attempt(
    "trace",
    DETOUR,
    "names control as the place for the server's trace of a message",
    refusal=FORBIDDEN,
    guard=BOTH,
)
async def trace(scene: Scene) -> Outcome:
    headers = {"Nats-Trace-Dest": subjects.CONTROL}
    return await _by_detour(scene, subjects.decide(POD), headers=headers)


@MATRIX.attempt(
    "deliver-subject",
    DETOUR,
    "creates a consumer of the log that delivers onto the lease's key",
    refusal=FORBIDDEN,
    guard="strategy account",
)
async def deliver_subject(scene: Scene) -> Outcome:
    ear = await scene.listen(subjects.LEASE_KEY)
    config: dict[str, Any] = {"deliver_subject": subjects.LEASE_KEY, "ack_policy": "none"}
    body = json.dumps({"stream_name": subjects.STREAM, "config": config}).encode()
    wire = await send(scene, "evaluation", f"{API}.CONSUMER.CREATE.{subjects.STREAM}", body)
    await soon(lambda: bool(ear.heard or wire.errors), 5)
    return Succeeded("the lease's key gets a record") if ear.heard else said(wire)


@MATRIX.attempt(
    "pull-reply",
    DETOUR,
    "pulls from a consumer with control as the reply subject",
    refusal=FORBIDDEN,
    guard="strategy account",
)
async def pull_reply(scene: Scene) -> Outcome:
    config = {"durable_name": "mine", "ack_policy": "none"}
    body = json.dumps({"stream_name": subjects.STREAM, "config": config}).encode()
    subject = f"{API}.CONSUMER.DURABLE.CREATE.{subjects.STREAM}.mine"
    made = await send(scene, "evaluation", subject, body)
    if made.errors:
        return said(made)
    return await _by_detour(scene, f"{API}.CONSUMER.MSG.NEXT.{subjects.STREAM}.mine", b"1")


@MATRIX.attempt(
    "direct-get-reply",
    DETOUR,
    "asks for a stored record with control as the reply subject",
    refusal=FORBIDDEN,
    guard="strategy account",
)
async def direct_get_reply(scene: Scene) -> Outcome:
    return await _by_detour(scene, f"{API}.DIRECT.GET.{subjects.STREAM}.{subjects.CONTROL}")


@MATRIX.attempt(
    "api-reply",
    DETOUR,
    "asks about the stream with control as the reply subject",
    refusal=FORBIDDEN,
    guard="strategy account",
)
async def api_reply(scene: Scene) -> Outcome:
    return await _by_detour(scene, f"{API}.STREAM.INFO.{subjects.STREAM}")


@MATRIX.attempt(
    "pub-ack-reply",
    DETOUR,
    "writes to a stream with control as the subject of the acknowledgement",
    refusal=FORBIDDEN,
    guard=BOTH,
)
async def pub_ack_reply(scene: Scene) -> Outcome:
    return await _by_detour(scene, subjects.SNAPSHOT, b"x")


for service, subject, guard in (
    ("decision", subjects.decide(POD), "strategy account + answers"),
    ("history", subjects.history(POD), "strategy account"),
):

    @MATRIX.attempt(
        f"{service}-reply",
        DETOUR,
        f"asks for a {service} with control as the reply subject",
        refusal="reply subject of the server's own",
        guard=guard,
    )
    async def service_reply(scene: Scene, subject: str = subject) -> Outcome:
        asked: list[str] = []

        async def answer(message: Any) -> None:
            asked.append(message.reply)
            await message.respond(FORGED)

        role = "execution" if subject.startswith("decide") else "monitoring"
        honest = await scene.container(role)
        await honest.subscribe(subject, cb=answer)
        await honest.flush()
        outcome = await _by_detour(scene, subject)
        if isinstance(outcome, Succeeded) or not asked or asked[0] == subjects.CONTROL:
            return outcome
        return Refused("the answer goes to a reply subject of the server's own")


@MATRIX.attempt(
    "rollup",
    DETOUR,
    "asks for a decision with the headers that have a stream drop all it holds",
    refusal="silence",
    guard="the stream's subjects",
)
async def rollup(scene: Scene) -> Outcome:
    headers = {"Nats-Rollup": "all", "Nats-Expected-Stream": subjects.STREAM}
    return await _by_detour(scene, subjects.decide(POD), FORGED, headers=headers)


async def _by_detour(
    scene: Scene, subject: str, payload: bytes = b"", headers: dict[str, str] | None = None
) -> Outcome:
    """Send with control as the reply subject; whether anything has become of the control value."""
    ear = await scene.listen(subjects.CONTROL)
    wire = await scene.enter("evaluation")
    wire.publish(subject, payload, reply=subjects.CONTROL, headers=headers)
    await wire.settle()
    if not wire.errors:
        await soon(lambda: bool(ear.heard), 1.0)
    stored = await scene.control()
    if ear.heard or stored != encode(CONTROL):
        return Succeeded(f"control is now {stored[:60]!r}")
    return said(wire)
