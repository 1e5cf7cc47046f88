"""With the credentials of one's own execution: what the account has done, in its audit trail."""

from __future__ import annotations

import json

import msgspec

from smarttrade.bus import assets, subjects
from smarttrade.bus.change_rows import FieldChange, ObjectChanged
from tests.attacks.bus.attempts_tenancy import FORBIDDEN, said, send
from tests.attacks.bus.scene import Scene, soon
from tests.attacks.matrix import Matrix, Outcome, Refused, Succeeded
from tests.attacks.wire import Wire

MATRIX = Matrix()
CHANNEL = "NATS: one's own audit trail"
UNTOUCHED = "the trail is as it was"
APART = "trail account + allow-lists"
API = "$JS.API.STREAM.{}." + subjects.TRAIL_STREAM
SHORT = assets.build_trail_config(4096, assets.Retention(seconds=1))
# How long a request that nobody answers may take to have an effect.
EFFECT_WITHIN_S = 0.5

for verb, tries, body, guard in (
    ("PURGE", "purges the trail", b"{}", f"{APART} + denials"),
    ("MSG.DELETE", "deletes a record of the trail", b'{"seq":1}', f"{APART} + denials"),
    ("UPDATE", "has the trail keep nothing", json.dumps(SHORT).encode(), APART),
    ("DELETE", "deletes the trail", b"", APART),
):

    @MATRIX.attempt(f"trail-{verb.lower().replace('.', '-')}", CHANNEL, tries, refusal=FORBIDDEN, guard=guard)
    async def change_trail(scene: Scene, verb: str = verb, body: bytes = body) -> Outcome:
        await scene.leave_a_trace()
        wire = await send(scene, "execution", API.format(verb), body)
        changed = any(b'"success":true' in m.payload or b'"config"' in m.payload for m in wire.heard)
        return Succeeded("it is changed") if changed else said(wire)


@MATRIX.attempt(
    "trail-write",
    CHANNEL,
    "writes where the servers deliver the log",
    refusal=FORBIDDEN,
    given="who may do all in the trail's account is refused too: servers let no client speak as a delivery",
)
async def write_feed(scene: Scene) -> Outcome:
    return said(await send(scene, "execution", f"{subjects.TRAIL_FEED}.mine", b"forged"))


@MATRIX.attempt(
    "trail-forge-change",
    CHANNEL,
    "writes that somebody else has changed the account's object",
    refusal=FORBIDDEN,
    guard=APART,
)
async def forge_change(scene: Scene) -> Outcome:
    row = ObjectChanged(
        uid="3e1b",
        generation=2,
        previous_generation=1,
        resource_version="2",
        changes=(FieldChange(path="spec.risk.maxDailyLoss", old="200", new="900"),),
        object={},
    )
    wire = await send(scene, "execution", subjects.CHANGES, msgspec.json.encode(row))
    kept = any(b'"stream":"TRAIL"' in heard.payload for heard in wire.heard)
    return Succeeded("it is in the trail") if kept else said(wire)


@MATRIX.attempt(
    "trail-by-an-answer",
    CHANNEL,
    "has its log answer with an empty record, and the answer sent to where the trail is deleted",
    refusal=UNTOUCHED,
    guard="trail apart",
)
async def delete_by_answer(scene: Scene) -> Outcome:
    wire = await send(scene, "execution", subjects.LOG)
    question = {"seq": json.loads(wire.heard[0].payload)["seq"]}
    subject = f"$JS.API.DIRECT.GET.{subjects.STREAM}"
    wire.publish(subject, json.dumps(question).encode(), reply=API.format("DELETE"))
    return await _judge(scene, wire)


@MATRIX.attempt(
    "trail-by-a-reply",
    CHANNEL,
    "asks itself a question whose answer goes to where the trail is deleted, and answers it",
    refusal=UNTOUCHED,
    guard="trail apart + answers",
)
async def delete_by_reply(scene: Scene) -> Outcome:
    wire = await scene.enter("execution")
    wire.subscribe(subjects.LOG)
    wire.publish(subjects.LOG, b"asked", reply=API.format("DELETE"))
    await soon(lambda: bool(wire.heard), 2.0)
    wire.publish(API.format("DELETE"))
    return await _judge(scene, wire)


async def _judge(scene: Scene, wire: Wire) -> Outcome:
    await wire.settle()

    overseer = await scene.trail_overseer()

    async def gone() -> bool:
        return not await scene.has_trail(overseer)

    return Succeeded("the trail is gone") if await soon(gone, EFFECT_WITHIN_S) else Refused(UNTOUCHED)
