"""With credentials of one's own: what belongs to other accounts, and to the platform."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable

from smarttrade.bus import accounts, assets, jwt, subjects
from smarttrade.messages import MonitoringReport, encode
from tests.attacks.bus.scene import FOREIGN, Scene, soon
from tests.attacks.matrix import SILENCE, Matrix, Outcome, Refused, Succeeded
from tests.attacks.wire import Wire

MATRIX = Matrix()
CHANNEL = "NATS: other accounts"
PLATFORM = "NATS: the platform"
FORBIDDEN = "Permissions Violation"
LISTS, SYSTEM = "allow-lists", "system account + allow-lists"
# An API answer takes milliseconds; whoever gets none within this has been ignored.
ANSWER_WITHIN_S = 2.0
FLOOD = 4000
REPORT = encode(MonitoringReport(pod="p", generation=1, checks=[], evaluation=None, as_of_ms=1))


def said(wire: Wire) -> Refused:
    """What the server said first against this connection, or answered."""
    words = [*wire.errors, *(message.payload.decode(errors="replace") for message in wire.heard)]
    return Refused(words[0]) if words else SILENCE


async def overhear(
    scene: Scene,
    role: str,
    subject: str,
    queue: str = "",
    until: Callable[[], Awaitable[object]] | None = None,
) -> Outcome:
    """Subscribe, and let the target work, or what else there is to hear be done."""
    wire = await scene.enter(role)
    wire.subscribe(subject, queue)
    await wire.settle()
    await (until or scene.pulse)()
    await wire.settle()
    strange = [message.subject for message in wire.heard]
    return Succeeded(f"hears {strange[0]}") if strange else said(wire)


async def send(scene: Scene, role: str, subject: str, payload: bytes = b"") -> Wire:
    """Publish with an inbox for the answer, and wait for what comes back."""
    wire = await scene.enter(role)
    inbox = f"{subjects.inbox(role)}.answer"
    wire.subscribe(inbox)
    wire.publish(subject, payload, reply=inbox)
    await wire.settle()
    await soon(lambda: bool(wire.heard or wire.errors), ANSWER_WITHIN_S)
    return wire


@MATRIX.attempt(
    "hear-fills",
    CHANNEL,
    "subscribes to fills while another account trades",
    refusal="silence",
    guard="accounts",
)
async def hear_fills(scene: Scene) -> Outcome:
    return await overhear(scene, "evaluation", "fill.*")


@MATRIX.attempt(
    "hear-prices",
    CHANNEL,
    "subscribes to prices while another account's monitoring publishes",
    refusal="silence",
    guard="accounts",
)
async def hear_prices(scene: Scene) -> Outcome:
    return await overhear(scene, "execution", "market.*.*")


for role in subjects.ROLES:

    @MATRIX.attempt(
        f"wildcard-{role}",
        CHANNEL,
        f"{role} subscribes to everything",
        refusal=FORBIDDEN,
        guard="accounts + allow-lists",
    )
    async def wildcard(scene: Scene, role: str = role) -> Outcome:
        return await overhear(scene, role, ">")


@MATRIX.attempt(
    "hear-inboxes",
    CHANNEL,
    "subscribes to everybody's reply subjects",
    refusal=FORBIDDEN,
    guard="accounts + allow-lists",
)
async def hear_inboxes(scene: Scene) -> Outcome:
    return await overhear(scene, "execution", "_INBOX.>")


@MATRIX.attempt(
    "hear-replies",
    CHANNEL,
    "subscribes to the server's own reply subjects",
    refusal=FORBIDDEN,
    guard="accounts + allow-lists",
)
async def hear_replies(scene: Scene) -> Outcome:
    return await overhear(scene, "execution", "_R_.>")


@MATRIX.attempt(
    "queue-theft",
    CHANNEL,
    "joins a queue group on another pod's decisions, to take half of them",
    refusal="silence",
    guard="accounts",
)
async def queue_theft(scene: Scene) -> Outcome:
    return await overhear(scene, "execution", "decide.*", "execution")


@MATRIX.attempt(
    "read-log",
    CHANNEL,
    "reads the log by direct get, in hope of another's records",
    refusal="404",
    guard="accounts",
)
async def read_log(scene: Scene) -> Outcome:
    body = json.dumps({"seq": 1, "next_by_subj": subjects.LOG}).encode()
    wire = await send(scene, "execution", f"$JS.API.DIRECT.GET.{subjects.STREAM}", body)
    stolen = [message.payload for message in wire.heard if message.payload]
    if stolen:
        return Succeeded(f"reads {stolen[0]!r}")
    return Refused(wire.heard[0].headers.decode()) if wire.heard else said(wire)


@MATRIX.attempt(
    "append-to-log",
    CHANNEL,
    "appends an order to `log`, in hope of another's",
    refusal="its own account's log",
    guard="accounts",
)
async def append_to_log(scene: Scene) -> Outcome:
    wire = await send(scene, "execution", subjects.LOG, b"forged")
    if b"forged" in await scene.records():
        return Succeeded("another's log holds the record")
    return Refused("it lands in its own account's log") if wire.heard else said(wire)


@MATRIX.attempt(
    "purge-log",
    CHANNEL,
    "purges the stream `ACCOUNT`, in hope of another's",
    refusal="its own account's stream",
    guard="accounts",
)
async def purge_log(scene: Scene) -> Outcome:
    wire = await send(scene, "execution", f"$JS.API.STREAM.PURGE.{subjects.STREAM}", b"{}")
    if not await scene.records():
        return Succeeded("another's log is empty")
    return Refused("it empties its own account's stream") if wire.heard else said(wire)


@MATRIX.attempt(
    "delete-stream", CHANNEL, "deletes the stream", refusal=FORBIDDEN, guard="accounts + allow-lists"
)
async def delete_stream(scene: Scene) -> Outcome:
    wire = await send(scene, "execution", f"$JS.API.STREAM.DELETE.{subjects.STREAM}")
    return Succeeded("deleted") if b'"success":true' in _heard(wire) else said(wire)


@MATRIX.attempt(
    "purge-account",
    CHANNEL,
    "asks for the purge of another account's JetStream by its public key",
    refusal=FORBIDDEN,
    guard=SYSTEM,
)
async def purge_account(scene: Scene) -> Outcome:
    public = accounts.core_key(scene.keys, scene.target).public
    wire = await send(scene, "execution", f"$JS.API.ACCOUNT.PURGE.{public}")
    return Succeeded("purged") if b'"initiated":true' in _heard(wire) else said(wire)


@MATRIX.attempt(
    "mirror-stream",
    CHANNEL,
    "creates a stream that mirrors another account's, as the audit trail does its own account's",
    refusal=FORBIDDEN,
    guard="imports + limits + allow-lists",
)
async def mirror_stream(scene: Scene) -> Outcome:
    trail = assets.build_trail_config(4096, assets.Retention())
    body = trail | {"name": "STOLEN", "subjects": [], "deny_delete": False, "deny_purge": False}
    wire = await send(scene, "execution", "$JS.API.STREAM.CREATE.STOLEN", json.dumps(body).encode())
    if b'"created"' not in _heard(wire):
        return said(wire)
    overseer = await scene.overseer()

    async def copied() -> bool:
        return await scene.length(overseer, "STOLEN") > 0

    return Succeeded("another's log is copied") if await soon(copied) else Refused("it stays empty")


@MATRIX.attempt(
    "loosen-stream", CHANNEL, "updates its own stream to keep nothing", refusal=FORBIDDEN, guard="allow-lists"
)
async def loosen_stream(scene: Scene) -> Outcome:
    body = assets.build_stream_config(4096) | {"discard": "old"}
    subject = f"$JS.API.STREAM.UPDATE.{subjects.STREAM}"
    wire = await send(scene, "execution", subject, json.dumps(body).encode())
    return Succeeded("updated") if b'"config"' in _heard(wire) else said(wire)


@MATRIX.attempt(
    "more-streams", CHANNEL, "creates a stream of its own", refusal=FORBIDDEN, guard="allow-lists + limits"
)
async def more_streams(scene: Scene) -> Outcome:
    body = {"name": "MINE", "subjects": ["mine"], "max_bytes": 1024, "storage": "memory"}
    wire = await send(scene, "execution", "$JS.API.STREAM.CREATE.MINE", json.dumps(body).encode())
    return Succeeded("created") if b'"created"' in _heard(wire) else said(wire)


# --- the platform -------------------------------------------------------------------------------------


@MATRIX.attempt(
    "report-for-another",
    PLATFORM,
    "reports with another account's token in the subject",
    refusal=FORBIDDEN,
    guard="report subject + allow-lists",
)
async def report_for_another(scene: Scene) -> Outcome:
    token = scene.target.token
    before = len(scene.reports)
    wire = await send(scene, "monitoring", subjects.platform_report(token, "monitoring"), REPORT)
    forged = [report for report in scene.reports[before:] if report[0] == token]
    return Succeeded("the operator believes it") if forged else said(wire)


@MATRIX.attempt(
    "report-as-execution",
    PLATFORM,
    "monitoring reports as if it were execution",
    refusal=FORBIDDEN,
    guard="monitoring account + allow-lists",
)
async def report_as_execution(scene: Scene) -> Outcome:
    before = len(scene.reports)
    wire = await send(scene, "monitoring", subjects.report("execution"), REPORT)
    forged = [report for report in scene.reports[before:] if report[1] == "execution"]
    return Succeeded("the operator believes it") if forged else said(wire)


@MATRIX.attempt(
    "flood-reports",
    PLATFORM,
    f"sends {FLOOD} reports at once, for the operator to read",
    refusal="dropped unread",
    guard="report rates",
)
async def flood_reports(scene: Scene) -> Outcome:
    monitoring, execution = await scene.enter("monitoring"), await scene.enter("execution")
    for _ in range(FLOOD):
        monitoring.publish(subjects.report("monitoring"), REPORT)
    await monitoring.settle()
    # Reports are taken in the order of their sending, each role's at its own rate.
    execution.publish(subjects.report("execution"), REPORT)
    assert await soon(lambda: scene.reported("execution") > 0), "the last report is read"
    read = scene.reported("monitoring")
    return Succeeded(f"{read} are read") if read > FLOOD // 2 else Refused(f"{FLOOD - read} dropped unread")


@MATRIX.attempt(
    "hear-reports",
    PLATFORM,
    "listens to everybody's reports to the operator",
    refusal=FORBIDDEN,
    guard="platform account + allow-lists",
)
async def hear_reports(scene: Scene) -> Outcome:
    return await overhear(scene, "execution", "report.*.*")


for name, subject, tries, guard in (
    ("ping", "$SYS.REQ.SERVER.PING", "asks the servers for their state", SYSTEM),
    ("connections", "$SYS.REQ.SERVER.PING.CONNZ", "asks for all connections with their addresses", LISTS),
    ("claims-list", "$SYS.REQ.CLAIMS.LIST", "lists all accounts", SYSTEM),
    ("user-info", "$SYS.REQ.USER.INFO", "asks the server for its own permissions", LISTS),
):

    @MATRIX.attempt(f"system-{name}", PLATFORM, tries, refusal=FORBIDDEN, guard=guard)
    async def ask_system(scene: Scene, subject: str = subject) -> Outcome:
        wire = await send(scene, "execution", subject)
        return Succeeded("answered") if _heard(wire) else said(wire)


@MATRIX.attempt(
    "claims-update",
    PLATFORM,
    "pushes its own account with limits raised, signed by an operator of its own making",
    refusal=FORBIDDEN,
    guard=f"operator key + {SYSTEM}",
)
async def claims_update(scene: Scene) -> Outcome:
    claims = jwt.decode(scene.pair.core_jwt)["nats"]
    claims["limits"] |= {"conn": -1, "subs": -1}
    raised = jwt.encode(FOREIGN.signing, scene.pair.core_public, "raised", claims, scene.keys.created)
    wire = await send(scene, "execution", "$SYS.REQ.CLAIMS.UPDATE", raised.encode())
    return Succeeded("stored") if b"200" in _heard(wire) else said(wire)


@MATRIX.attempt(
    "claims-delete",
    PLATFORM,
    "deletes another account, signed by an operator of its own making",
    refusal=FORBIDDEN,
    guard=f"operator key + {SYSTEM}",
)
async def claims_delete(scene: Scene) -> Outcome:
    own, victim = FOREIGN.signing, accounts.core_key(scene.keys, scene.target).public
    token = jwt.encode(own, own.public, "delete", jwt.build_delete_claims([victim]), scene.keys.created)
    wire = await send(scene, "execution", "$SYS.REQ.CLAIMS.DELETE", token.encode())
    return Succeeded("deleted") if b"200" in _heard(wire) else said(wire)


@MATRIX.attempt(
    "hear-system",
    PLATFORM,
    "listens to connects, disconnects and advisories",
    refusal=FORBIDDEN,
    guard=SYSTEM,
)
async def hear_system(scene: Scene) -> Outcome:
    return await overhear(scene, "monitoring", "$SYS.>", until=lambda: scene.container("execution"))


def _heard(wire: Wire) -> bytes:
    return b" ".join(message.payload for message in wire.heard)
