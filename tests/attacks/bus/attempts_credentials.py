"""Getting in: without credentials, with forged ones, with what is old, and with more than one's share."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from typing import Any

from smarttrade.bus import accounts, assets, jwt, subjects
from smarttrade.bus.accounts import LIFETIME_S, build_accounts
from smarttrade.bus.keys import OperatorKeys
from smarttrade.bus.log import AccountLog
from smarttrade.bus.rotation import Rotation
from smarttrade.errors import BusError
from tests.attacks.bus.attempts_tenancy import FORBIDDEN, said, send
from tests.attacks.bus.scene import FOREIGN, LIMITS, POD, Scene, soon
from tests.attacks.matrix import Matrix, Outcome, Refused, Succeeded
from tests.attacks.wire import Credentials, Wire

MATRIX = Matrix()
FORGERY = "NATS: credentials"
EXHAUSTION = "NATS: exhaustion"
DENIED = "Authorization Violation"
TOKENS, PROOF = "everybody needs a token", "proof of the seed"
PARSER = "the server's reading of its protocol, which has no setting"


async def enters(scene: Scene, credentials: Credentials | None, **options: Any) -> Outcome:
    wire = await scene.enter("execution", credentials, **options)
    return said(wire) if wire.errors or wire.closed.is_set() else Succeeded("is let in")


@MATRIX.attempt("nobody", FORGERY, "connects without credentials", refusal=DENIED, guard=TOKENS)
async def nobody(scene: Scene) -> Outcome:
    wire = await scene.dial()
    wire.connect(None)
    await wire.settle()
    return said(wire) if wire.errors else Succeeded("is let in")


@MATRIX.attempt("password", FORGERY, "connects with a user name and a password", refusal=DENIED, guard=TOKENS)
async def password(scene: Scene) -> Outcome:
    wire = await scene.dial()
    wire.connect(None, user="admin", **{"pass": "admin"})
    await wire.settle()
    return said(wire) if wire.errors else Succeeded("is let in")


@MATRIX.attempt(
    "token-without-seed",
    FORGERY,
    "shows a token read from a log, signed by another seed",
    refusal=DENIED,
    guard=PROOF,
)
async def token_without_seed(scene: Scene) -> Outcome:
    token = Credentials.parse(scene.victims.credentials["execution"]).token
    if PROOF in scene.off:
        signer = scene.keys.account_signing("core", scene.target.key)
        token = _user(scene, signer, bearer_token=True).token
    return await enters(scene, Credentials(token, scene.credentials("execution").seed))


@MATRIX.attempt(
    "replayed-signature",
    FORGERY,
    "repeats the signature of another connection's nonce",
    refusal=DENIED,
    guard=PROOF,
)
async def replayed_signature(scene: Scene) -> Outcome:
    first, second = await scene.dial(), await scene.dial()
    credentials = scene.credentials("execution")
    if PROOF in scene.off:
        signer = scene.keys.account_signing("core", scene.target.key)
        credentials = _user(scene, signer, bearer_token=True)
    second.connect(credentials, sig=credentials.sign(first.info["nonce"]))
    await second.settle()
    return said(second) if second.errors else Succeeded("is let in")


@MATRIX.attempt(
    "self-signed",
    FORGERY,
    "signs a user of the victim's account with a key of its own making",
    refusal=DENIED,
    guard="signature",
)
async def self_signed(scene: Scene) -> Outcome:
    made_up = OperatorKeys.generate().account_signing("core", scene.target.key)
    signer = scene.keys.account_signing("core", scene.target.key) if "signature" in scene.off else made_up
    return await enters(scene, _user(scene, signer))


@MATRIX.attempt(
    "signed-by-own-account",
    FORGERY,
    "signs a user of the victim's account with its own account's signing key",
    refusal=DENIED,
    guard="signing keys",
)
async def signed_by_own_account(scene: Scene) -> Outcome:
    return await enters(scene, _user(scene, scene.keys.account_signing("core", scene.identity.key)))


@MATRIX.attempt(
    "foreign-installation",
    FORGERY,
    "shows credentials of another installation",
    refusal=DENIED,
    guard="operator key",
)
async def foreign_installation(scene: Scene) -> Outcome:
    foreign = build_accounts(FOREIGN, scene.target)
    if "operator key" in scene.off:
        await scene.provisioner.push(foreign)
    return await enters(scene, Credentials.parse(foreign.credentials["execution"]))


@MATRIX.attempt(
    "raised-permissions",
    FORGERY,
    "edits the permissions in its own token",
    refusal=DENIED,
    guard="signature",
)
async def raised_permissions(scene: Scene) -> Outcome:
    own = scene.credentials("evaluation")
    head, _, signature = own.token.split(".")
    claims = jwt.decode(own.token)
    claims["nats"]["pub"] = claims["nats"]["sub"] = {"allow": [">"]}
    if "signature" in scene.off:
        signer = scene.keys.account_signing("strategy", scene.identity.key)
        token = jwt.encode(signer, claims["sub"], "raised", claims["nats"], claims["iat"])
        return await enters(scene, Credentials(token, own.seed))
    return await enters(scene, Credentials(f"{head}.{_part(claims)}.{signature}", own.seed))


@MATRIX.attempt(
    "no-algorithm",
    FORGERY,
    "shows a token whose header says that it needs no signature",
    refusal=DENIED,
    given="the server knows one algorithm",
)
async def no_algorithm(scene: Scene) -> Outcome:
    own = scene.credentials("execution")
    token = f"{_part({'typ': 'JWT', 'alg': 'none'})}.{own.token.split('.')[1]}."
    return await enters(scene, Credentials(token, own.seed))


@MATRIX.attempt(
    "account-token",
    FORGERY,
    "shows the account's token in place of a user's",
    refusal=DENIED,
    given="the server takes nobody but users for users",
)
async def account_token(scene: Scene) -> Outcome:
    return await enters(scene, Credentials(scene.pair.core_jwt, scene.credentials("execution").seed))


@MATRIX.attempt(
    "expired", FORGERY, "shows its own credentials of a former period", refusal=DENIED, guard="expiry"
)
async def expired(scene: Scene) -> Outcome:
    if "expiry" in scene.off:
        return await enters(scene, scene.credentials("execution"))
    past = build_accounts(scene.keys, scene.identity, now=scene.pair.renew_at - 2 * LIFETIME_S)
    return await enters(scene, Credentials.parse(past.credentials["execution"]))


@MATRIX.attempt(
    "leaked-user",
    FORGERY,
    "stays and comes back with a leaked user of this period after the account's credentials were rotated",
    refusal=DENIED,
    guard="revocation",
)
async def leaked_user(scene: Scene) -> Outcome:
    wire = await scene.enter("execution")
    moment = int(time.time())
    cut = Rotation(renewed_s=moment, revoked_s=0 if "revocation" in scene.off else moment)
    rotated = build_accounts(scene.keys, scene.identity, LIMITS, rotation=cut)
    await scene.provisioner.push(rotated)
    await scene.connect(rotated, "execution")  # the account's own container comes in all the same
    if cut.is_cut and not await soon(wire.closed.is_set):
        return Succeeded("stays connected")
    return await enters(scene, scene.credentials("execution"))


@MATRIX.attempt(
    "deleted-account",
    FORGERY,
    "comes back with good credentials after its account was deleted",
    refusal=DENIED,
    guard="deletion",
)
async def deleted_account(scene: Scene) -> Outcome:
    wire = await scene.enter("execution")
    if "deletion" not in scene.off:
        await scene.provisioner.delete(scene.identity)
        if not await soon(wire.closed.is_set):
            return Succeeded("stays connected")
    return await enters(scene, scene.credentials("execution"))


@MATRIX.attempt(
    "connections",
    EXHAUSTION,
    "opens connections without end",
    guard="limits",
    refusal="maximum account active connections exceeded",
)
async def connections(scene: Scene) -> Outcome:
    for _ in range(40):
        wire = await scene.enter("evaluation")
        if wire.errors:
            return said(wire)
    return Succeeded("40 connections")


@MATRIX.attempt(
    "reconnect-storm",
    EXHAUSTION,
    "connects 60 times at once, and again whenever it is thrown out, five times over",
    guard="limits",
    refusal="maximum account active connections exceeded",
)
async def reconnect_storm(scene: Scene) -> Outcome:
    credentials, most, refused = scene.credentials("evaluation"), 0, None
    for _ in range(5):
        wires = await asyncio.gather(*(scene.enter("evaluation", credentials) for _ in range(60)))
        inside = [wire for wire in wires if not wire.errors]
        most = max(most, len(inside))
        refused = next((wire for wire in wires if wire.errors), refused)
        await scene.victim.goes_on()
        await asyncio.gather(*(wire.close() for wire in wires))
    allowed = LIMITS.strategy_connections
    return said(refused) if refused and most <= allowed else Succeeded(f"{most} connections at a time")


@MATRIX.attempt(
    "silent-connections",
    EXHAUSTION,
    "opens 200 connections and says nothing",
    refusal="Authentication Timeout",
    given="the server's own time limit, which is left as it is",
)
async def silent_connections(scene: Scene) -> Outcome:
    wires = [await scene.dial() for _ in range(200)]
    if not await soon(lambda: all(wire.closed.is_set() for wire in wires)):
        return Succeeded("they stay")
    return said(wires[0])


@MATRIX.attempt(
    "subscriptions",
    EXHAUSTION,
    "subscribes without end",
    refusal="maximum subscriptions exceeded",
    guard="limits",
)
async def subscriptions(scene: Scene) -> Outcome:
    wire = await scene.enter("evaluation")
    for number in range(600):
        wire.subscribe(f"fill.{number}")
    await wire.settle()
    return said(wire) if wire.errors else Succeeded("600 subscriptions")


@MATRIX.attempt(
    "payload",
    EXHAUSTION,
    "sends a decision a byte larger than its object allows",
    refusal="Maximum Payload Violation",
    guard="limits",
)
async def payload(scene: Scene) -> Outcome:
    size = LIMITS.decision_bytes + 1
    return await _sends(scene, f"PUB decide.{POD} {size}\r\n".encode() + b"x" * size + b"\r\n")


@MATRIX.attempt(
    "huge-payload",
    EXHAUSTION,
    "announces a message of 2 GiB",
    refusal="connection is closed",
    given=PARSER,
)
async def huge_payload(scene: Scene) -> Outcome:
    return await _sends(scene, f"PUB decide.{POD} 2147483647\r\n".encode())


@MATRIX.attempt(
    "huge-line",
    EXHAUSTION,
    "sends a line without end",
    refusal="maximum control line exceeded",
    given=PARSER,
)
async def huge_line(scene: Scene) -> Outcome:
    return await _sends(scene, b"SUB " + b"x" * 100_000)


@MATRIX.attempt(
    "huge-greeting",
    EXHAUSTION,
    "sends a CONNECT of 10 MB before it has logged in",
    refusal="maximum control line exceeded",
    given=PARSER,
)
async def huge_greeting(scene: Scene) -> Outcome:
    wire = await scene.dial()
    wire.send(b'CONNECT {"name":"' + b"x" * 10_000_000)
    await wire.settle()
    return said(wire) if wire.errors or wire.closed.is_set() else Succeeded("it is read")


@MATRIX.attempt(
    "headers-beyond",
    EXHAUSTION,
    "announces headers longer than the message",
    refusal="connection is closed",
    given=PARSER,
)
async def headers_beyond(scene: Scene) -> Outcome:
    return await _sends(scene, f"HPUB decide.{POD} 500 5\r\n".encode())


@MATRIX.attempt(
    "server-protocol",
    EXHAUSTION,
    "speaks as a server of the cluster would",
    refusal="Unknown Protocol Operation",
    given=PARSER,
)
async def server_protocol(scene: Scene) -> Outcome:
    return await _sends(scene, b"RS+ $G log\r\nRMSG $G log 1\r\nx\r\n")


@MATRIX.attempt(
    "fill-log",
    EXHAUSTION,
    "fills its log, and with it the servers' disk",
    refusal="resource limits exceeded for account",
    guard="log size",
)
async def fill_log(scene: Scene) -> Outcome:
    log, after = AccountLog(await scene.container("execution")), 0
    try:
        for number in range(40):
            after = await log.append(b"x" * 60_000, after=after, message_id=f"{number}")
    except BusError as error:
        return Refused(str(error))
    return Succeeded(f"{after} records are stored")


@MATRIX.attempt(
    "grow-log", EXHAUSTION, "updates its stream to 10 TiB", refusal=FORBIDDEN, guard="allow-lists + limits"
)
async def grow_log(scene: Scene) -> Outcome:
    # What a server with that much disk would grant; here the server's own bound must not be what refuses.
    body = json.dumps(assets.build_stream_config(200 * 1024**3)).encode()
    wire = await send(scene, "execution", f"$JS.API.STREAM.UPDATE.{subjects.STREAM}", body)
    return Succeeded("granted") if any(b'"created"' in m.payload for m in wire.heard) else said(wire)


@MATRIX.attempt(
    "fill-lease-bucket",
    EXHAUSTION,
    "fills the servers' memory with keys beside the lease",
    refusal=FORBIDDEN,
    guard="allow-lists",
)
async def fill_lease_bucket(scene: Scene) -> Outcome:
    wire: Wire = await send(scene, "execution", f"$KV.{subjects.LEASE_BUCKET}.mine", b"x" * 1024)
    return Succeeded("stored") if any(b'"seq"' in m.payload for m in wire.heard) else said(wire)


async def _sends(scene: Scene, raw: bytes) -> Outcome:
    wire = await scene.enter("evaluation")
    wire.send(raw)
    # A PING behind it would turn the server's last words into a reset.
    if not await soon(lambda: bool(wire.errors) or wire.closed.is_set(), 1.0):
        await wire.settle()
    if wire.closed.is_set() and not wire.errors:
        return Refused("the connection is closed")
    return said(wire) if wire.errors else Succeeded("it is taken")


def _user(scene: Scene, signer: jwt.Signer, **more: Any) -> Credentials:
    """An execution user of the target's account, with more claims."""
    user = scene.keys.user("forged", scene.identity.key)
    core = accounts.core_key(scene.keys, scene.target).public
    claims = jwt.build_user_claims(core, *accounts.build_permissions("execution")) | more
    return Credentials(jwt.encode(signer, user.public, "forged", claims, scene.keys.created - 60), user.seed)


def _part(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")
