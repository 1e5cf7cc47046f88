"""With the credentials of one's own monitoring: to do more to the account than to lie about the market."""

from __future__ import annotations

import json

from smarttrade.bus import assets, subjects
from tests.attacks.bus.attempts_tenancy import FORBIDDEN, said, send
from tests.attacks.bus.scene import POD, Scene, soon
from tests.attacks.matrix import Matrix, Outcome, Refused, Succeeded
from tests.attacks.wire import Wire

MATRIX = Matrix()
CHANNEL = "NATS: monitoring"
APART = "monitoring account"
OUT_OF_REACH = "it goes no further than monitoring's own account"
STORED = f"$JS.API.DIRECT.GET.{subjects.STREAM}.{subjects.CONTROL}"
# What is not in the form of a question is refused with an empty answer, which is what a deletion looks like.
NO_QUESTION = b"no question"
# How long what is delivered somewhere may take to have an effect.
EFFECT_WITHIN_S = 0.5

PLACES = (
    ("log", subjects.LOG, "the log, whose leader then stands aside"),
    ("lease", subjects.LEASE_KEY, "the lease's key, whose holder then loses it"),
    ("snapshot", subjects.SNAPSHOT, "the snapshot of positions and orders"),
    ("control", subjects.CONTROL, "the control value"),
    ("position", subjects.position(POD), "execution's word on its positions"),
    ("decision", subjects.decide(POD), "where execution takes decisions"),
    ("deletion", f"$JS.API.STREAM.DELETE.{subjects.STREAM}", "where JetStream takes the deletion of the log"),
    ("purge", f"$JS.API.STREAM.PURGE.{subjects.STREAM}", "where JetStream takes the purge of the log"),
    (
        "lease-deletion",
        f"$JS.API.STREAM.DELETE.{subjects.LEASE_STREAM}",
        "where JetStream takes the deletion of the lease",
    ),
)

for name, place, where in PLACES:

    @MATRIX.attempt(
        f"self-answer-{name}",
        CHANNEL,
        f"asks itself a question whose answer goes to {where}, and answers it",
        refusal=FORBIDDEN,
        guard=f"{APART} + answers",
    )
    async def answer_itself(scene: Scene, place: str = place) -> Outcome:
        ear = await scene.listen(place)
        wire = await scene.enter("monitoring")
        wire.subscribe(subjects.PEER_TRADES)
        wire.publish(subjects.PEER_TRADES, b"asked", reply=place)
        assert await soon(lambda: bool(wire.heard), 2.0), "it hears its own question"
        wire.heard.clear()
        wire.publish(place)
        return await _judge(wire, ear)

    @MATRIX.attempt(
        f"served-answer-{name}",
        CHANNEL,
        f"asks for the control value and has the server answer to {where}",
        refusal=OUT_OF_REACH,
        guard=APART,
    )
    async def have_it_served(scene: Scene, place: str = place) -> Outcome:
        ear = await scene.listen(place)
        wire = await scene.enter("monitoring")
        for question in (b"", NO_QUESTION):
            wire.publish(STORED, question, reply=place)
        return await _judge(wire, ear)


@MATRIX.attempt(
    "monitoring-jetstream",
    CHANNEL,
    "asks JetStream about the log",
    refusal=FORBIDDEN,
    guard=f"{APART} + allow-lists",
)
async def ask_jetstream(scene: Scene) -> Outcome:
    wire = await send(scene, "monitoring", f"$JS.API.STREAM.INFO.{subjects.STREAM}")
    return Succeeded("answered") if wire.has_heard(b'"config"') else said(wire)


@MATRIX.attempt(
    "monitoring-stream",
    CHANNEL,
    "makes a stream of its own, to have more answers sent where it likes",
    refusal=FORBIDDEN,
    guard=f"{APART} + allow-lists",
)
async def make_a_stream(scene: Scene) -> Outcome:
    # The lease's bucket, which any container that may make streams at all may make again.
    body = json.dumps(assets.build_lease_config() | {"name": "MINE", "subjects": ["mine"]}).encode()
    wire = await send(scene, "monitoring", "$JS.API.STREAM.CREATE.MINE", body)
    # The account has two streams and no more: that JetStream has judged the request is the prize.
    return Succeeded("JetStream hears it") if wire.has_heard(b"stream_create_response") else said(wire)


async def _judge(wire: Wire, ear: Wire) -> Outcome:
    await wire.settle()
    if await soon(lambda: bool(ear.heard), EFFECT_WITHIN_S):
        return Succeeded(f"it is delivered to {ear.heard[0].subject}")
    return said(wire) if wire.errors else Refused(OUT_OF_REACH)
