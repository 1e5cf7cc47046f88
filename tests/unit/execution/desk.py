"""One core on virtual time, told by a test what log and exchange answer."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, TypeVar

from smarttrade.api import RISK_ACKNOWLEDGEMENT, TradingAccountSpec
from smarttrade.exchange.reports import Balance, MarketFilters, OrderReport, TradeReport, VenueStatus
from smarttrade.execution import effects as fx
from smarttrade.execution.context import Tuning
from smarttrade.execution.core import Core
from smarttrade.execution.identifiers import OrderIds
from smarttrade.execution.orders import Order
from smarttrade.execution.records import AnyRecord
from smarttrade.identity import AccountIdentity, decision_id
from smarttrade.messages import (
    AccountView,
    Decision,
    DecisionOutcome,
    ExecutionReport,
    Fill,
    Outcome,
    Quote,
    RestingOrder,
    RestingOrders,
    Side,
    Target,
)

BTC, ETH = "BTC/USDT", "ETH/USDT"
ACCOUNT = AccountIdentity("tests", "alice", "alice")
KEY = b"the key of this installation"
IDS = OrderIds(ACCOUNT, KEY)
EPOCH_MS = 1_795_000_000_000
BALANCES = (
    Balance(asset="USDT", free=Decimal(100_000), total=Decimal(100_000)),
    Balance(asset="BTC", free=Decimal(100), total=Decimal(100)),
    Balance(asset="ETH", free=Decimal(100), total=Decimal(100)),
)

E = TypeVar("E")


def build_spec(**more: Any) -> TradingAccountSpec:
    declared: dict[str, Any] = {
        "mode": "Live",
        "riskAcknowledgement": RISK_ACKNOWLEDGEMENT,
        "exchange": {"name": "binance", "credentialsSecretRef": {"name": "alice-binance"}},
        "markets": [{"symbol": BTC}, {"symbol": ETH}],
        "strategy": {"name": "ma-cross", "timeframe": "1m", "parameters": {}},
        "capital": {"currency": "USDT", "allocation": "10000", "perMarket": "10000"},
        "risk": {"maxOrderNotional": "2000", "maxPositionNotional": "9000", "maxDailyLoss": "5000"},
    }
    for key, value in more.items():
        known = declared.get(key)
        declared[key] = (
            {**known, **value} if isinstance(known, dict) and isinstance(value, Mapping) else value
        )
    return TradingAccountSpec.model_validate(declared)


def build_filters(market: str) -> MarketFilters:
    base, _, quote = market.partition("/")
    return MarketFilters(
        market=market,
        base=base,
        quote=quote,
        tick=Decimal("0.01"),
        lot=Decimal("0.0001"),
        minimum_quantity=Decimal("0.0001"),
        minimum_notional=Decimal(5),
    )


class Desk:
    """`log` is what is durable; `outbox` holds the effects that were asked for and not yet dealt with."""

    def __init__(
        self,
        holder: str = "a",
        tuning: Tuning | None = None,
        log: list[Any] | None = None,
        key: bytes = KEY,
    ) -> None:
        self.core = Core(ACCOUNT, holder, tuning or Tuning(replicas=2), key)
        self.now_ms = 1_000_000.0
        self.log: list[Any] = log if log is not None else []
        self.outbox: list[fx.Effect] = []
        self.auto_ack = True
        self.switch_answers, self.switch_fails = True, False
        self._trade = 0
        self._event = 0

    # --- time and inputs ---

    def feed(self, event: fx.Input) -> None:
        self._perform(self.core.handle(event, self.now_ms))

    def _perform(self, effects: list[fx.Effect]) -> None:
        for effect in effects:
            if isinstance(effect, fx.Append) and self.auto_ack:
                assert effect.after == (self.log[-1][0] if self.log else 0)
                self.log.append((effect.after + 1, effect.batch))
                self.feed(fx.Appended(sequence=effect.after + 1))
            else:
                self.outbox.append(effect)
                if isinstance(effect, fx.ArmSwitch) and self.switch_answers:
                    failure = "no way" if self.switch_fails else ""
                    self.feed(fx.SwitchAnswered(timeout_ms=effect.timeout_ms, failure=failure))

    def advance(self, ms: float, step_ms: float = 50.0) -> None:
        """Let time pass in small ticks, the lease renewed all the while."""
        end = self.now_ms + ms
        while self.now_ms < end:
            self.now_ms = min(self.now_ms + step_ms, end)
            if self.core.ctx.lead.holding:
                self.feed(fx.LeaseRenewed(until_ms=self.now_ms + 700))
            for market in (BTC, ETH):
                self.feed(fx.StreamSeen(market=market, fresh=True))
            self.feed(fx.Tick())

    def sleep(self, ms: float) -> None:
        """The process is stopped: time passes and nothing is fed."""
        self.now_ms += ms

    def exchange_ms(self) -> int:
        return EPOCH_MS + int(self.now_ms)

    # --- arrangement ---

    def replay(self) -> None:
        for sequence, batch in self.log:
            self.feed(fx.LogRead(sequence=sequence, batch=batch))

    def lead(self, **spec: Any) -> Desk:
        """Take the lead of an account in which all is in order."""
        self.feed(fx.ControlRead(generation=1, spec=build_spec(**spec)))
        self.feed(fx.FiltersRead(filters=(build_filters(BTC), build_filters(ETH))))
        self.quote(BTC, "100", "100.02")
        self.quote(ETH, "10", "10.02")
        self.feed(
            fx.ClockSampled(
                sent_ms=self.now_ms - 1, received_ms=self.now_ms + 1, exchange_ms=self.exchange_ms()
            )
        )
        self.feed(fx.LeaseGained(until_ms=self.now_ms + 700))
        self.reconcile()
        self.advance(50)
        self.outbox = [effect for effect in self.outbox if isinstance(effect, fx.Query | fx.Send | fx.Cancel)]
        return self

    def reconcile(
        self, *orders: OrderReport, trades: tuple[TradeReport, ...] = (), balances: Any = BALANCES
    ) -> None:
        self.feed(fx.AccountRead(orders=orders, trades=trades, balances=balances, asked_ms=self.now_ms))

    def control(self, generation: int = 2, **spec: Any) -> None:
        extra = {key: spec.pop(key) for key in ("deleting", "kill") if key in spec}
        self.feed(fx.ControlRead(generation=generation, spec=build_spec(**spec), **extra))

    def quote(self, market: str, bid: str, ask: str) -> None:
        self.feed(
            fx.QuoteSeen(
                quote=Quote(
                    market=market,
                    bid=Decimal(bid),
                    bid_quantity=Decimal(10),
                    ask=Decimal(ask),
                    ask_quantity=Decimal(10),
                    time_ms=self.exchange_ms(),
                )
            )
        )

    # --- decisions ---

    def later(self) -> None:
        """Decisions from here on follow from events of this moment."""
        self._event = self.exchange_ms()

    def decide(
        self, quantity: str, market: str = BTC, *, token: int = 1, ttl_ms: int = 60_000, **more: Any
    ) -> str:
        want = Target(quantity=Decimal(quantity), valid_until_ms=self.exchange_ms() + ttl_ms, **more)
        return self.send(self.decision(want, market), token)

    def rest(self, *orders: tuple[str, Side, str, str], market: str = BTC, ttl_ms: int = 600_000) -> str:
        wanted = [
            RestingOrder(key=key, side=side, price=Decimal(price), quantity=Decimal(quantity))
            for key, side, price, quantity in orders
        ]
        want = RestingOrders(orders=wanted, valid_until_ms=self.exchange_ms() + ttl_ms)
        return self.send(self.decision(want, market), 1)

    def decision(self, want: Target | RestingOrders, market: str = BTC) -> Decision:
        self._event += 1
        key = f"1m:{self._event}"
        return Decision(
            id=decision_id(ACCOUNT, "test", market, key, 0),
            strategy="test",
            market=market,
            event_key=key,
            event_time_ms=self._event,
            event_ordinal=0,
            index=0,
            generation=1,
            want=want,
        )

    def send(self, decision: Decision, token: int = 1) -> str:
        self.feed(fx.DecisionReceived(decision=decision, token=token))
        return decision.id

    # --- the exchange's answers ---

    def take(self, kind: type[E]) -> list[E]:
        """Effects of one kind that were asked for, taken out of the outbox."""
        found = [effect for effect in self.outbox if isinstance(effect, kind)]
        self.outbox = [effect for effect in self.outbox if not isinstance(effect, kind)]
        return found

    def sends(self) -> list[fx.Send]:
        return self.take(fx.Send)

    def report(
        self,
        cid: str,
        status: VenueStatus = VenueStatus.OPEN,
        filled: str | Decimal = "0",
        price: str = "",
        trades: bool = True,
    ) -> OrderReport:
        order = self.order(cid)
        news = Decimal(filled) - order.recorded
        return OrderReport(
            client_order_id=cid,
            order_id=f"o-{cid}",
            market=order.market,
            side=order.side,
            status=status,
            price=order.price,
            quantity=order.quantity,
            filled=Decimal(filled),
            time_ms=self.exchange_ms(),
            trades=(self.trade(order, news, price),) if news > 0 and trades else (),
        )

    def trade(self, order: Order, quantity: Decimal, price: str = "") -> TradeReport:
        self._trade += 1
        return TradeReport(
            trade_id=f"t{self._trade}",
            order_id=f"o-{order.cid}",
            market=order.market,
            side=order.side,
            price=Decimal(price) if price else Decimal(100),
            quantity=quantity,
            fee=Decimal(0),
            fee_asset="USDT",
            maker=False,
            time_ms=self.exchange_ms(),
        )

    def accept(self, cid: str) -> None:
        self.feed(fx.SendSucceeded(cid=cid, report=self.report(cid)))

    def fill(self, cid: str, quantity: str | None = None, price: str = "") -> None:
        """The whole order fills at once, or a part of it and the rest expires."""
        whole = self.order(cid).quantity
        filled = Decimal(quantity) if quantity is not None else whole
        status = VenueStatus.FILLED if filled == whole else VenueStatus.EXPIRED
        self.feed(fx.SendSucceeded(cid=cid, report=self.report(cid, status, filled, price)))

    def reject(self, cid: str, code: str) -> None:
        self.feed(fx.SendRejected(cid=cid, code=code, message="refused"))

    def uncertain(self, cid: str) -> None:
        self.feed(fx.SendUncertain(cid=cid, reason="timeout"))

    def answer_queries(self, report: OrderReport | None) -> int:
        queries = self.take(fx.Query)
        for query in queries:
            self.feed(fx.QueryAnswered(cid=query.cid, report=report, asked_ms=self.now_ms))
        return len(queries)

    # --- what to assert on ---

    def order(self, cid: str) -> Order:
        return self.core.ctx.book.orders[cid]

    def position(self, market: str = BTC) -> Decimal:
        return self.core.ctx.book.ledger.quantity(market)

    def records(self) -> list[AnyRecord]:
        return [record for _, batch in self.log for record in batch.records]

    def outcomes(self) -> dict[str, tuple[Outcome, str]]:
        """Every decision's outcome as published; one that was given two fails here."""
        found: dict[str, tuple[Outcome, str]] = {}
        for message in self.published(DecisionOutcome):
            assert message.id not in found, f"decision {message.id} ended twice"
            found[message.id] = (message.outcome, message.code)
        return found

    def published(self, kind: type[E]) -> list[E]:
        return [e.message for e in self.outbox if isinstance(e, fx.Publish) and isinstance(e.message, kind)]

    def report_now(self) -> ExecutionReport:
        self.advance(6_000)
        return self.published(ExecutionReport)[-1]

    def reconciled(self) -> tuple[bool, str]:
        """The condition of this name, and its reason."""
        [check] = [check for check in self.report_now().checks if check.type == "Reconciled"]
        return check.ok, check.reason


__all__ = ["BTC", "ETH", "AccountView", "Desk", "Fill", "Outcome", "Side"]
