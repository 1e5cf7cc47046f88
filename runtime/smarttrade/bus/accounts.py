"""The NATS accounts of one trading account, and who may do what in them.

Several of them, because allow-lists within one account do not hold: a user barred from a subject reaches it
through a reply, a consumer's delivery or an acknowledgement. Evaluation, which runs the user's code, is
alone in the *strategy* account, which has no JetStream and only the imports below. For the same reason
monitoring is in an account of its own, without JetStream, and so is the audit trail, which has no users but
the operator: whoever may read in an account has its servers answer where they like, and so delete any of its
streams. What monitoring may read of the core account comes through imports, whose answers stay in its own.

Credentials are a function of (keys, identity, time): user keys and JWTs are derived per period, so
that every replica of the operator writes the same Secret and an unchanged one is never written again. The
periods are shifted per account, so that not all of them renew on one day.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from dataclasses import dataclass

from smarttrade.bus import assets, jwt, subjects
from smarttrade.bus.keys import NatsKey, OperatorKeys, derive
from smarttrade.bus.marks import build_mark_key
from smarttrade.bus.rotation import NEVER, Rotation
from smarttrade.identity import AccountIdentity
from smarttrade.messages import MEMORY_LIMIT, NUMBER_LIMIT, ORDERS_LIMIT, TEXT_LIMIT

LIFETIME_S = 30 * 86_400
RENEWAL_S = LIFETIME_S * 2 // 3

PLATFORM = "platform"
SYSTEM = "system"
ARCHIVE = "archive"

_DELETED = "deleted-"

_CHARACTER_BYTES = 4
_DECISION_TEXTS = 6
# Names of fields and what stands between them, in an order and in a decision with all its numbers.
_FRAME_BYTES, _DECISION_FRAME_BYTES = 64, 1024
# Of one connection. Evaluation has four: market, position, fills, and answers.
_SUBSCRIPTIONS = 16

# What a stream that is filled from another account's asks of that account: the log, and more of it.
_TRAIL_NEEDS = (f"$JS.API.CONSUMER.CREATE.{subjects.STREAM}.>", f"$JS.FC.{subjects.STREAM}.>")
_TRAIL_ANSWERS = f"$JS.API.STREAM.MSG.GET.{subjects.TRAIL_STREAM}"

_CONTROL_READ = f"$JS.API.DIRECT.GET.{subjects.STREAM}.{subjects.CONTROL}"
_MARKET, _HISTORY = "market.>", "history.>"
# Where servers want the answer to a request from another account: a name of their own, which none can guess.
_SERVED = "_R_.>"


@dataclass(frozen=True, kw_only=True)
class AccountLimits:
    """What one account may use, from its object: `pods` is its number of replicas, `orders` how many may rest
    (`spec.risk.maxOpenOrders`). `copies` is the number of replicas of its streams.

    A cluster counts every copy against the account, so limits for one copy refuse a stream of three.
    """

    pods: int = 2
    orders: int = ORDERS_LIMIT
    copies: int = 1
    log_bytes: int = 128 * 1024 * 1024

    @property
    def trail_bytes(self) -> int:
        return self.log_bytes

    @property
    def core_connections(self) -> int:
        """Two containers of every pod and of one surge pod, twice for reconnections, and the operator's."""
        return 2 * 2 * (self.pods + 1) + 8

    @property
    def strategy_connections(self) -> int:
        return 2 * (self.pods + 1) + 4

    @property
    def decision_bytes(self) -> int:
        """The largest decision that anybody means: all its texts and the memory as long as they may be, of
        characters of four bytes, with a key and two numbers for each of its orders."""
        order = _CHARACTER_BYTES * TEXT_LIMIT + 2 * NUMBER_LIMIT + _FRAME_BYTES
        texts = _CHARACTER_BYTES * (MEMORY_LIMIT + _DECISION_TEXTS * TEXT_LIMIT)
        return texts + self.orders * order + _DECISION_FRAME_BYTES


@dataclass(frozen=True)
class AccountPair:
    """The signed accounts; `credentials` maps a role to the text of its .creds file,
    `issued` and `renew_at` are when they were issued and when they change (seconds). `mark_key` seals its
    marks, `order_key` marks its client order ids; both follow from the master key alone and never change."""

    identity: AccountIdentity
    core_jwt: str
    strategy_jwt: str
    core_public: str
    strategy_public: str
    credentials: dict[str, str]
    renew_at: int
    issued: int = 0
    mark_key: str = ""
    order_key: str = ""
    trail_jwt: str = ""
    trail_public: str = ""
    monitoring_jwt: str = ""
    monitoring_public: str = ""

    @property
    def jwts(self) -> dict[str, str]:
        """In the order in which they must be sent: a server that is told of an account in use with imports
        from one that it does not know looks for that one, for seconds."""
        return {
            self.monitoring_public: self.monitoring_jwt,
            self.core_public: self.core_jwt,
            self.strategy_public: self.strategy_jwt,
            self.trail_public: self.trail_jwt,
        }


def core_key(keys: OperatorKeys, identity: AccountIdentity) -> NatsKey:
    return keys.account("core", identity.key)


def strategy_key(keys: OperatorKeys, identity: AccountIdentity) -> NatsKey:
    return keys.account("strategy", identity.key)


def trail_key(keys: OperatorKeys, identity: AccountIdentity) -> NatsKey:
    return keys.account("trail", identity.key)


def monitoring_key(keys: OperatorKeys, identity: AccountIdentity) -> NatsKey:
    return keys.account("monitoring", identity.key)


def account_keys(keys: OperatorKeys, identity: AccountIdentity) -> tuple[NatsKey, ...]:
    """Those of all accounts that one trading account has."""
    return tuple(key(keys, identity) for key in (core_key, strategy_key, trail_key, monitoring_key))


def build_accounts(
    keys: OperatorKeys,
    identity: AccountIdentity,
    limits: AccountLimits | None = None,
    *,
    now: float | None = None,
    rotation: Rotation = NEVER,
) -> AccountPair:
    """Accounts and credentials as they should be now; `renew_at` is when the credentials change (seconds)."""
    limits = limits or AccountLimits()
    moment = int(time.time() if now is None else now)
    start = _period_start(identity, moment)
    signed = {
        # Nobody but the operator has credentials for the trail, for minutes: there are none to revoke.
        kind: _account_jwt(
            keys, kind, identity, claims if kind == "trail" else claims | rotation.claims, moment
        )
        for kind, claims in _build_claims(keys, identity, limits).items()
    }
    return AccountPair(
        identity=identity,
        core_jwt=signed["core"],
        strategy_jwt=signed["strategy"],
        core_public=core_key(keys, identity).public,
        strategy_public=strategy_key(keys, identity).public,
        credentials={
            role: _user_credentials(keys, identity, role, start, rotation) for role in subjects.ROLES
        },
        renew_at=start + RENEWAL_S,
        issued=rotation.issue(start)[0],
        mark_key=build_mark_key(keys.master, identity.key).hex(),
        order_key=derive(keys.master, "orders", identity.key).hex(),
        trail_jwt=signed["trail"],
        trail_public=trail_key(keys, identity).public,
        monitoring_jwt=signed["monitoring"],
        monitoring_public=monitoring_key(keys, identity).public,
    )


def _build_claims(
    keys: OperatorKeys, identity: AccountIdentity, limits: AccountLimits
) -> dict[str, jwt.Claims]:
    """What each of a trading account's NATS accounts may do."""
    core = core_key(keys, identity).public
    return {
        "core": build_core_claims(keys, identity, limits),
        "strategy": build_strategy_claims(keys, identity, limits),
        "trail": build_trail_claims(core, limits),
        "monitoring": build_monitoring_claims(keys, identity, limits),
    }


def build_disabled(
    keys: OperatorKeys, identity: AccountIdentity, limits: AccountLimits, deleted_s: int
) -> dict[str, str]:
    """Public key to JWT of an account that was deleted at a time: what it has stored stays, its users are
    refused, and the token says that it may be taken away."""
    claims = _build_claims(keys, identity, limits)
    # One from before monitoring had an account has none, and servers would look for it.
    absent = monitoring_key(keys, identity).public
    for content in claims.values():
        content["imports"] = [each for each in content["imports"] if each["account"] != absent]
    return {
        keys.account(kind, identity.key).public: _account_jwt(
            keys,
            kind,
            identity,
            # Whom the account's usual key has signed is nobody any more.
            content | {"signing_keys": [_archivist(keys, identity).public]},
            deleted_s,
            f"{_DELETED}{deleted_s}",
        )
        for kind, content in claims.items()
    }


def read_deletion(keys: OperatorKeys, token: str) -> tuple[AccountIdentity, int] | None:
    """Whose disabled token it is and when they were deleted; None for any other token."""
    claims = jwt.decode(token)
    marks = [tag for tag in claims["nats"].get("tags") or [] if tag.startswith(_DELETED)]
    parts = claims["name"].split("/")
    if not marks or len(parts) != 4:
        return None
    identity = AccountIdentity(*parts[:3])
    ours = claims["sub"] == keys.account(parts[3], identity.key).public
    return (identity, int(marks[0].removeprefix(_DELETED))) if ours else None


def archivist_credentials(keys: OperatorKeys, identity: AccountIdentity) -> str:
    """Ten minutes in a disabled core account: to read its trail and its log."""
    readable = [
        f"$JS.API.STREAM.INFO.{subjects.STREAM}",
        f"$JS.API.DIRECT.GET.{subjects.STREAM}",
        subjects.TRAIL_READ,
    ]
    claims = jwt.build_user_claims(core_key(keys, identity).public, readable, ["_INBOX.operator.>"])
    issued, user = int(time.time()), keys.user("archivist", identity.key)
    token = jwt.encode(
        _archivist(keys, identity), user.public, "archivist", claims, issued - 60, issued + 600
    )
    return jwt.format_credentials(token, user.seed)


def _archivist(keys: OperatorKeys, identity: AccountIdentity) -> NatsKey:
    return keys.account_signing(ARCHIVE, identity.key)


def build_archive_account(keys: OperatorKeys, max_bytes: int, copies: int = 1) -> tuple[str, str]:
    """(public key, JWT) of the account that keeps what deleted accounts have logged."""
    limits = _capacity(connections=-1, imports=0, exports=0) | {
        "payload": 1024 * 1024,
        "disk_storage": max_bytes * copies,
        "disk_max_stream_bytes": max_bytes,
        "streams": 1,
        "consumer": 1,
        "max_bytes_required": True,
    }
    whole = _account_claims(keys, (ARCHIVE,), {"limits": limits})
    public = keys.account(ARCHIVE).public
    tagged = whole | {"tags": [content_tag(whole)]}
    return public, jwt.encode(keys.signing, public, f"smarttrade-{ARCHIVE}", tagged, int(time.time()))


def operator_credentials(keys: OperatorKeys, identity: AccountIdentity, *, now: float | None = None) -> str:
    """Five minutes in the core account: to create the two assets, to write control and to read it."""
    core = core_key(keys, identity)
    claims = jwt.build_user_claims(
        core.public,
        [
            subjects.CONTROL,
            _CONTROL_READ,
            "$JS.API.INFO",
            *(f"$JS.API.STREAM.{verb}.*" for verb in ("CREATE", "UPDATE", "INFO")),
        ],
        ["_INBOX.operator.>"],
    )
    issued = int(time.time() if now is None else now)
    user = keys.user("operator", identity.key)
    signer = keys.account_signing("core", identity.key)
    return jwt.format_credentials(
        # A clock that lags behind the server's would otherwise make a token of the future.
        jwt.encode(signer, user.public, "operator", claims, issued - 60, issued + 300),
        user.seed,
    )


def trail_credentials(keys: OperatorKeys, identity: AccountIdentity) -> str:
    """Five minutes in the account of the trail: to create it, to adapt it, and to write what was changed."""
    verbs = ("CREATE", "UPDATE", "INFO", "MSG.GET")
    allowed = [f"$JS.API.STREAM.{verb}.{subjects.TRAIL_STREAM}" for verb in verbs]
    claims = jwt.build_user_claims(
        trail_key(keys, identity).public, [*allowed, subjects.CHANGES], ["_INBOX.operator.>"]
    )
    issued, user = int(time.time()), keys.user("operator-trail", identity.key)
    signer = keys.account_signing("trail", identity.key)
    token = jwt.encode(signer, user.public, "operator", claims, issued - 60, issued + 300)
    return jwt.format_credentials(token, user.seed)


def observer_credentials(keys: OperatorKeys, identity: AccountIdentity, *, now: float | None = None) -> str:
    """A month of listening to prices, fills and positions in the core account; it can publish nothing."""
    core = core_key(keys, identity)
    heard = ["market.*.quote", "fill.*", "position.*", "_INBOX.observer.>"]
    claims = jwt.build_user_claims(core.public, [], heard)
    issued = int(time.time() if now is None else now) - 60
    user = keys.user("observer", identity.key)
    signer = keys.account_signing("core", identity.key)
    token = jwt.encode(signer, user.public, "observer", claims, issued, issued + 30 * 86_400)
    return jwt.format_credentials(token, user.seed)


def build_core_claims(keys: OperatorKeys, identity: AccountIdentity, limits: AccountLimits) -> jwt.Claims:
    exports = [_export(subject, "stream") for subject in subjects.STRATEGY_STREAMS]
    exports += [_export(subject, "service") for subject in (*subjects.STRATEGY_SERVICES, *_TRAIL_NEEDS)]
    exports += [_export(f"{subjects.TRAIL_FEED}.>", "stream"), _export(subjects.CONTROL, "stream")]
    exports.append(_export(_CONTROL_READ, "service"))
    # Monitorings with credentials from before they had an account are users of this one for a while.
    imports = [_report(keys, identity, role) for role in ("monitoring", "execution")]
    monitoring = monitoring_key(keys, identity).public
    imports.append(_import(monitoring, _MARKET, "stream"))
    imports.append(_import(monitoring, _HISTORY, "service"))
    trail = trail_key(keys, identity).public
    imports.append(_import(trail, _TRAIL_ANSWERS, "service") | {"local_subject": subjects.TRAIL_READ})
    capacity = _capacity(connections=limits.core_connections, imports=len(imports), exports=len(exports)) | {
        "wildcards": True,
        "mem_storage": 2 * assets.LEASE_MAX_BYTES * limits.copies,
        "disk_storage": limits.log_bytes * limits.copies,
        "streams": 2,
        "consumer": 1,
        "max_ack_pending": 1000,
        "mem_max_stream_bytes": 2 * assets.LEASE_MAX_BYTES,
        "disk_max_stream_bytes": limits.log_bytes,
        "max_bytes_required": True,
    }
    return {"imports": imports, "exports": exports, "limits": capacity}


def build_strategy_claims(keys: OperatorKeys, identity: AccountIdentity, limits: AccountLimits) -> jwt.Claims:
    """What is streamed is not handed on by the account in between, what is asked is: so `market.>` comes from
    monitoring's account (and from the core account, where older credentials publish it)."""
    core = core_key(keys, identity).public
    imports = [_import(core, subject, "stream") for subject in subjects.STRATEGY_STREAMS]
    imports += [_import(core, subject, "service") for subject in subjects.STRATEGY_SERVICES]
    imports.append(_import(monitoring_key(keys, identity).public, _MARKET, "stream"))
    capacity = _capacity(connections=limits.strategy_connections, imports=len(imports), exports=0)
    return {
        "imports": imports,
        "limits": capacity | {"subs": _SUBSCRIPTIONS, "payload": limits.decision_bytes},
    }


def build_monitoring_claims(
    keys: OperatorKeys, identity: AccountIdentity, limits: AccountLimits
) -> jwt.Claims:
    """The control value is heard and asked for by the names that it has in the core account."""
    core = core_key(keys, identity).public
    imports = [
        _import(core, subjects.CONTROL, "stream"),
        _import(core, _CONTROL_READ, "service"),
        _report(keys, identity, "monitoring"),
    ]
    exports = [_export(_MARKET, "stream"), _export(_HISTORY, "service")]
    capacity = _capacity(connections=limits.strategy_connections, imports=len(imports), exports=len(exports))
    return {"imports": imports, "exports": exports, "limits": capacity | {"wildcards": True}}


def build_trail_claims(core_public: str, limits: AccountLimits) -> jwt.Claims:
    """The servers ask the core account for the log, and the core account asks for a record: nothing else."""
    create, flow = (_import(core_public, subject, "service") for subject in _TRAIL_NEEDS)
    create["local_subject"] = create["subject"].replace("$JS", assets.TRAIL_ORIGIN, 1)
    imports = [create, flow, _import(core_public, f"{subjects.TRAIL_FEED}.>", "stream")]
    capacity = _capacity(connections=8, imports=len(imports), exports=1) | {
        "wildcards": True,
        "disk_storage": limits.trail_bytes * limits.copies,
        "disk_max_stream_bytes": limits.trail_bytes,
        "streams": 1,
        "consumer": 1,
        "max_bytes_required": True,
    }
    return {"imports": imports, "exports": [_export(_TRAIL_ANSWERS, "service")], "limits": capacity}


def home_of(role: str) -> str:
    """Which of a trading account's NATS accounts a container is a user of."""
    return {"monitoring": "monitoring", "evaluation": "strategy"}.get(role, "core")


def build_permissions(role: str) -> tuple[list[str], list[str]]:
    """(publish, subscribe) allow-lists of one container.

    Answers are on the list too. Leave to answer wherever a request says would be leave to publish anywhere:
    whoever may ask themselves chooses the place.
    """
    own_inbox = f"{subjects.inbox(role)}.>"
    if role == "monitoring":
        publish = ["market.*.*", subjects.PEER_TRADES, subjects.report(role), _CONTROL_READ]
        publish += [_SERVED, own_inbox]
        return publish, ["history.*", subjects.PEER_TRADES, subjects.CONTROL, own_inbox]
    if role == "evaluation":
        return ["history.*", "decide.*"], ["market.*.*", "position.*", "fill.*", own_inbox]
    publish = [
        "position.*",
        "fill.*",
        subjects.LOG,
        subjects.SNAPSHOT,
        subjects.LEASE_KEY,
        subjects.report(role),
        subjects.TRAIL_READ,
    ]
    publish += [
        _SERVED,
        _CONTROL_READ,
        f"$JS.API.DIRECT.GET.{subjects.STREAM}",
        f"$JS.API.DIRECT.GET.{subjects.STREAM}.{subjects.SNAPSHOT}",
        f"$JS.API.STREAM.MSG.GET.{subjects.STREAM}",
        f"$JS.API.STREAM.PURGE.{subjects.STREAM}",
        f"$JS.API.STREAM.MSG.GET.{subjects.LEASE_STREAM}",
        f"$JS.API.STREAM.CREATE.{subjects.LEASE_STREAM}",
    ]
    own_streams = [subjects.CONTROL, subjects.LEASE_KEY, subjects.LOG]
    return publish, ["decide.*", "market.*.*", *own_streams, own_inbox]


def build_static_accounts(keys: OperatorKeys) -> dict[str, str]:
    """Public key to JWT of the two accounts that the configuration itself holds: system, platform."""
    report = _export(subjects.platform_report("*", "*"), "service")
    unlimited = _capacity(connections=-1, imports=-1, exports=-1) | {
        "wildcards": True,
        "subs": -1,
        "payload": -1,
    }
    static: dict[str, jwt.Claims] = {
        SYSTEM: {"limits": unlimited},
        PLATFORM: {"exports": [report], "limits": unlimited},
    }
    return {
        keys.account(name).public: jwt.encode(
            keys.signing,
            keys.account(name).public,
            f"smarttrade-{name}",
            _account_claims(keys, (name,), claims),
            keys.created,
        )
        for name, claims in static.items()
    }


def platform_credentials(keys: OperatorKeys, name: str) -> str:
    """The operator itself in the system, the platform or the archive account.

    They do not expire: whoever could steal them from the operator's memory holds the seed as well.
    """
    allow = {
        SYSTEM: (
            [
                "$SYS.REQ.CLAIMS.*",
                "$SYS.REQ.ACCOUNT.*.CLAIMS.LOOKUP",
                "$SYS.REQ.SERVER.PING",
                "$SYS.REQ.SERVER.*.RELOAD",
                "$JS.API.ACCOUNT.PURGE.*",
            ],
            ["_INBOX.operator.>"],
        ),
        # It answers nobody: a report's sender chooses where an answer would go.
        PLATFORM: ([], [subjects.platform_report("*", "*")]),
        ARCHIVE: (
            [
                subjects.archived("*"),
                *(
                    f"$JS.API.STREAM.{verb}.{subjects.ARCHIVE_STREAM}"
                    for verb in ("CREATE", "UPDATE", "INFO", "MSG.GET")
                ),
            ],
            ["_INBOX.operator.>"],
        ),
    }[name]
    claims = jwt.build_user_claims(keys.account(name).public, *allow)
    user = keys.user(name)
    token = jwt.encode(keys.account_signing(name), user.public, "operator", claims, keys.created)
    return jwt.format_credentials(token, user.seed)


def content_tag(claims: jwt.Claims) -> str:
    """A tag that is equal for equal claims, whatever their issue time: what `push` compares."""
    digest = hashlib.sha256(json.dumps(claims, sort_keys=True).encode()).hexdigest()
    return f"content-{digest[:32]}"


def _period_start(identity: AccountIdentity, moment: int) -> int:
    shift = int.from_bytes(hashlib.sha256(identity.key.encode()).digest()[:4], "big") % RENEWAL_S
    return (moment - shift) // RENEWAL_S * RENEWAL_S + shift


def _user_credentials(
    keys: OperatorKeys, identity: AccountIdentity, role: str, start: int, rotation: Rotation
) -> str:
    kind = home_of(role)
    issued, mark = rotation.issue(start)
    user = keys.user(identity.key, role, str(start), *mark)
    claims = jwt.build_user_claims(keys.account(kind, identity.key).public, *build_permissions(role))
    signer = keys.account_signing(kind, identity.key)
    return jwt.format_credentials(
        jwt.encode(signer, user.public, role, claims, issued, start + LIFETIME_S), user.seed
    )


def _account_jwt(
    keys: OperatorKeys, kind: str, identity: AccountIdentity, claims: jwt.Claims, issued: int, *marks: str
) -> str:
    whole = _account_claims(keys, (kind, identity.key), claims)
    # A deleted account that comes back with the same bytes (made within the same second) stays deleted:
    # the server compares them with what it remembers. The second tag makes every token another.
    tagged = whole | {"tags": [content_tag(whole), f"made-{os.urandom(8).hex()}", *marks]}
    return jwt.encode(
        keys.signing, keys.account(kind, identity.key).public, f"{identity.key}/{kind}", tagged, issued
    )


def _account_claims(keys: OperatorKeys, path: tuple[str, ...], claims: jwt.Claims) -> jwt.Claims:
    return {"type": "account", "version": 2, "signing_keys": [keys.account_signing(*path).public], **claims}


def _capacity(*, connections: int, imports: int, exports: int) -> jwt.Claims:
    return {
        "subs": 2000,
        "data": -1,
        "payload": 1024 * 1024,
        "imports": imports,
        "exports": exports,
        "wildcards": False,
        "conn": connections,
        "leaf": 0,
    }


def _export(subject: str, kind: str) -> jwt.Claims:
    return {"name": subject, "subject": subject, "type": kind}


def _report(keys: OperatorKeys, identity: AccountIdentity, role: str) -> jwt.Claims:
    platform = keys.account(PLATFORM).public
    named = _import(platform, subjects.platform_report(identity.token, role), "service")
    return named | {"name": f"report-{role}", "local_subject": subjects.report(role)}


def _import(account: str, subject: str, kind: str) -> jwt.Claims:
    return {"name": subject, "subject": subject, "account": account, "type": kind}
