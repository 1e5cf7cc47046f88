"""Everything that takes in what somebody else has sent, with valid examples of it."""

from __future__ import annotations

import base64
import json
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
from picows import WSMsgType
from pydantic import ValidationError

from smarttrade import messages as m
from smarttrade.api import TradingAccountSpec
from smarttrade.api.catalogue import Endpoint
from smarttrade.bus import jetstream, jwt, lease
from smarttrade.errors import BusError, ConfigurationError
from smarttrade.evaluation.loading import choose_version
from smarttrade.evaluation.versions import Versions
from smarttrade.exchange import binance_feed
from smarttrade.execution import effects as fx
from smarttrade.execution.commands_wire import decode_command
from smarttrade.execution.records import UnknownRecordError, decode_batch
from smarttrade.execution.snapshot import decode_snapshot, encode_snapshot
from smarttrade.source import find_modules, pack
from smarttrade_operator.reports import Reports, is_sound
from tests.attacks import exchange
from tests.attacks.fuzz import Consumer
from tests.unit.execution.desk import BTC, Desk, build_spec

LOGS = Path(__file__).parents[1] / "unit" / "execution"
FAR_MS = 1_900_000_000_000
LONG_RUN = 200
_NOWHERE = SimpleNamespace(disconnect=lambda graceful: None)


class DecisionsOfStrangers:
    """A leading execution that is given decisions as they come from the wire; its log must be readable."""

    def __init__(self) -> None:
        self._given = 0

    def __call__(self, payload: bytes) -> None:
        if self._given % LONG_RUN == 0:
            self._desk = Desk().lead()
        self._given += 1
        decision: m.Decision = m.decode(payload, m.Decision)
        self._desk.feed(fx.DecisionReceived(decision=decision, token=self._given))
        self._desk.advance(50)
        if self._given % LONG_RUN == 0:
            Desk(log=self._desk.log).replay()


def _decisions() -> tuple[bytes, ...]:
    desk = Desk()
    target = m.Target(
        quantity=Decimal("0.1"),
        valid_until_ms=FAR_MS,
        limit=Decimal("100.5"),
        stop_loss=Decimal(90),
        take_profit=Decimal(120),
        trailing_stop=Decimal("0.1"),
    )
    resting = m.RestingOrders(
        orders=[
            m.RestingOrder(key="a", side=m.Side.BUY, price=Decimal(99), quantity=Decimal("0.1")),
            m.RestingOrder(key="b", side=m.Side.SELL, price=Decimal(101), quantity=Decimal("0.1")),
        ],
        valid_until_ms=FAR_MS,
    )
    plain = m.Target(quantity=Decimal("0.2"), valid_until_ms=FAR_MS)
    return tuple(m.encode(desk.decision(want, BTC)) for want in (target, plain, resting, plain))


def _control(payload: bytes) -> None:
    control: m.AccountControl = m.decode(payload, m.AccountControl)
    TradingAccountSpec.model_validate(control.spec)


class VersionsOfStrangers:
    """Evaluation's way with the strategy's modules in a control value, up to where they would be run."""

    def __init__(self) -> None:
        self._versions = Versions()

    def __call__(self, payload: bytes) -> None:
        control: m.AccountControl = m.decode(payload, m.AccountControl)
        chosen = choose_version(TradingAccountSpec.model_validate(control.spec).strategy, control.strategy)
        with self._versions.change(chosen) as folder:
            find_modules(folder)


def _versions() -> tuple[bytes, ...]:
    """Of a strategy of the user's own: as it is, and packed otherwise than its digest says."""
    source = {"configMapRef": {"name": "mine"}, "class": "mine.Mine"}
    strategy = {"source": source, "timeframe": "1m", "parameters": {}}
    spec = build_spec().model_dump(mode="json", by_alias=True) | {"strategy": strategy}
    whole = pack("mine", {"mine.py": "class Mine: ...", "beside.json": "{}"})
    strange = pack("mine", {"../mine.py": "", "mine.py": "x" * 1000})
    return tuple(
        m.encode(m.AccountControl(generation=1, spec=spec, strategy=each))
        for each in (whole, msgspec.structs.replace(whole, packed=strange.packed), strange)
    )


class ReportsOfStrangers:
    """The operator's intake."""

    def __init__(self) -> None:
        self._reports = Reports(clock=lambda: 0.0)

    def __call__(self, payload: bytes) -> None:
        report: m.Report = m.decode(payload, m.Report)
        is_sound("execution", report)
        self._reports.receive("token", "execution", report)


class _Frame:
    """As the websocket library hands it over."""

    msg_type, fin = WSMsgType.TEXT, True

    def __init__(self, payload: bytes) -> None:
        self.get_payload_as_bytes = lambda: payload


class FramesOfAnExchange:
    """One connection of the feed, renewed like the real one."""

    def __init__(self) -> None:
        self._given = 0

    def __call__(self, payload: bytes) -> None:
        if self._given % LONG_RUN == 0:
            self._listener = binance_feed._Listener(BTC, lambda: FAR_MS)
        self._given += 1
        self._listener.on_ws_frame(_NOWHERE, _Frame(payload))  # type: ignore[arg-type]


def _reader(kind: Any) -> Any:
    return lambda payload: m.decode(payload, kind)


def _answer(payload: bytes) -> None:
    jetstream.read_answer(SimpleNamespace(data=payload))  # type: ignore[arg-type]


def _token(payload: bytes) -> None:
    jwt.decode(f"head.{base64.urlsafe_b64encode(payload).decode()}.signature")


def _frames() -> tuple[bytes, ...]:
    trade = {
        "e": "trade",
        "E": 1,
        "s": "BTCUSDT",
        "t": 1,
        "p": "100.1",
        "q": "0.5",
        "T": 1,
        "m": True,
        "M": True,
    }
    quote = {"u": 1, "s": "BTCUSDT", "b": "100", "B": "1", "a": "101", "A": "2"}
    book = {"lastUpdateId": 1, "bids": [["100", "1"]], "asks": [["101", "1"]]}
    other = ({"result": None, "id": 1}, {"error": {"code": 2, "msg": "no"}, "id": 1})
    return tuple(json.dumps(frame, separators=(",", ":")).encode() for frame in (trade, quote, book, *other))


def _snapshots() -> tuple[bytes, ...]:
    """Of an account with a protected target at work."""
    desk = Desk().lead()
    desk.decide("0.1", stop_loss=Decimal(90))
    desk.advance(50)
    [sent] = desk.sends()
    desk.accept(sent.cid)
    return (encode_snapshot(desk.core.ctx.book.snapshot(desk.log[-1][0])),)


def _logs() -> tuple[bytes, ...]:
    return tuple(
        line for name in ("log-v1.jsonl", "log-v2.jsonl") for line in (LOGS / name).read_bytes().splitlines()
    )


ONE = Decimal("1.5")
STATUS = m.EvaluationStatus(pod="p", generation=1, ready=True, leading=True, decisions=3, divergences=0)
POSITION = m.Position(market=BTC, quantity=ONE, average_price=ONE, realized_pnl=ONE, unrealized_pnl=ONE)
CHECK = m.Check(type="Ready", ok=True, reason="Fine", message="")
FILL = m.Fill(
    market=BTC, trade_id="t", order_id="o", client_order_id="c", decision_id="d", side=m.Side.BUY, price=ONE,
    quantity=ONE, fee=ONE, fee_asset="BTC", maker=True, time_ms=1,
)  # fmt: skip
OUTCOME = m.DecisionOutcome(id="d", market=BTC, outcome=m.Outcome.DENIED, time_ms=1)
VIEW = m.AccountView(
    leading=True, epoch=1, effective_state=m.EffectiveState.ACTIVE, currency="USDT", equity=ONE,
    available=ONE, positions=[POSITION], time_ms=1,
)  # fmt: skip
REPORTS = (
    m.ExecutionReport(
        pod="p", generation=1, leading=True, epoch=1, effective_state=m.EffectiveState.ACTIVE, equity=ONE,
        realized_pnl=ONE, unrealized_pnl=ONE, open_orders=1, unknown_orders=0, fills=2, positions=[POSITION],
        checks=[CHECK], as_of_ms=1, fingerprints=("a",),
    ),
    m.MonitoringReport(pod="p", generation=1, checks=[CHECK], evaluation=STATUS, as_of_ms=1),
)  # fmt: skip
BATCH = m.MarketBatch(
    feed="f",
    seq=1,
    events=[
        m.Trade(market=BTC, id="1", price=ONE, quantity=ONE, side=m.Side.BUY, time_ms=1),
        m.StreamStatus(market=BTC, stream="trade", verdict=m.Verdict.FRESH, since_ms=1),
    ],
)
MISSED = m.PeerTradesRequest(pod="p", market=BTC, first=1, last=2)
COPY = m.PeerTrades(trades=[m.Trade(market=BTC, id="1", price=ONE, quantity=ONE, side=m.Side.BUY, time_ms=1)])
CONTROL = m.AccountControl(generation=1, spec=build_spec().model_dump(mode="json", by_alias=True))
HISTORY = m.HistoryRequest(market=BTC, timeframe="1m", count=5)
COMMANDS = (
    b'{"command":"orders"}',
    b'{"command":"halt","reason":"x"}',
    b'{"command":"cancel","market":"BTC/USDT"}',
)
ENDPOINT = b'{"rest":"https://a.example"}'
ANSWERS = (b'{"stream":"ACCOUNT","seq":5}', b'{"error":{"code":400,"err_code":10071,"description":"wrong"}}')

CONSUMERS = [
    Consumer("decision", _decisions(), DecisionsOfStrangers(), (BusError,), weight=12),
    Consumer(
        "question", (m.encode(STATUS), m.encode(HISTORY), m.encode(m.DescribeRequest())),
        _reader(m.ServiceRequest), (BusError,),
    ),
    Consumer("report", tuple(map(m.encode, REPORTS)), ReportsOfStrangers(), (BusError,)),
    Consumer("control", (m.encode(CONTROL),), _control, (BusError, ValidationError), weight=3),
    Consumer(
        "strategy version", _versions(), VersionsOfStrangers(),
        (BusError, ValidationError, ConfigurationError), weight=2,
    ),
    Consumer("market", (m.encode(BATCH),), _reader(m.MarketBatch), (BusError,)),
    Consumer("missed trades", (m.encode(MISSED),), _reader(m.PeerTradesRequest), (BusError,)),
    Consumer("peer's copy", (m.encode(COPY),), _reader(m.PeerTrades), (BusError,)),
    Consumer("view", (m.encode(VIEW),), _reader(m.AccountView), (BusError,)),
    Consumer("fill", (m.encode(FILL), m.encode(OUTCOME)), _reader(m.Fill | m.DecisionOutcome), (BusError,)),
    Consumer("log", _logs(), decode_batch, (UnknownRecordError,)),
    Consumer("snapshot", _snapshots(), decode_snapshot, (UnknownRecordError,)),
    Consumer("lease", (b'{"holder":"a","ttl_s":1.0}',), lambda payload: lease._parse(payload, {}), ()),
    Consumer("jetstream", ANSWERS, _answer, (BusError,)),
    Consumer("token", (b'{"iat":1,"nats":{"tags":["a"]}}',), _token, (ValueError,)),
    Consumer("command", COMMANDS, decode_command, (ConfigurationError,)),
    Consumer("endpoint", (ENDPOINT,), Endpoint.model_validate_json, (ValidationError,), weight=3),
    Consumer("exchange frame", _frames(), FramesOfAnExchange(), ()),
    *exchange.CONSUMERS,
]  # fmt: skip
