"""Execution's figures for Prometheus, read from the core when they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from smarttrade.execution.core import Core
from smarttrade.execution.orders import OrderState

_PREFIX = "smarttrade_execution"
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class Metrics(Collector):
    """Gauges and counters of one core, and two latencies."""

    def __init__(self, registry: CollectorRegistry, core: Callable[[], Core]) -> None:
        self._core = core
        registry.register(self)
        self.order_seconds = Histogram(
            f"{_PREFIX}_order_seconds",
            "Order sent to order acknowledged by the exchange",
            buckets=_SECONDS,
            registry=registry,
        )
        self.append_seconds = Histogram(
            f"{_PREFIX}_log_append_seconds",
            "Append to the log until it is durable",
            buckets=_SECONDS,
            registry=registry,
        )

    def collect(self) -> Iterator[Metric]:
        core = self._core()
        ctx, book = core.ctx, core.ctx.book
        orders, valuation = book.unsettled(), core.accounting.valuation()
        gauges = {
            "leading": (float(ctx.leading), "1 while this pod decides and trades"),
            "epoch": (book.epoch, "Number of times that the lead was taken"),
            "open_orders": (len(orders), "Own orders that may still fill"),
            "unknown_orders": (sum(o.state is OrderState.UNKNOWN for o in orders), "Orders of unknown fate"),
            "foreign_orders": (core.ctx.foreign.total(), "Open orders of the exchange account not ours"),
            "equity": (float(valuation.equity), "Allocation and profit, in the account's currency"),
            "realized_pnl": (float(valuation.realized), "Realised profit, fees included"),
            "unrealized_pnl": (float(valuation.unrealized), "Unrealised profit at the bid"),
            "exchange_clock_error_ms": (ctx.clock.error_ms(ctx.now_ms) or -1, "Bound of the clock's error"),
            "unvalued_fees": (
                sum(map(len, book.owed.values())),
                "Markets and assets of fees without a price yet",
            ),
            "log_sequence": (ctx.outbox.sequence, "Last log sequence that this pod has seen"),
        }
        for name, (value, about) in gauges.items():
            yield GaugeMetricFamily(f"{_PREFIX}_{name}", about, value=float(value))
        yield CounterMetricFamily(f"{_PREFIX}_fills", "Fills in the ledger", value=book.fills)
        yield CounterMetricFamily(f"{_PREFIX}_intents", "Orders intended", value=book.intents)
        yield CounterMetricFamily(
            f"{_PREFIX}_adopted_orders", "Own orders unknown to the log", value=core.restoring.adopted
        )
        yield CounterMetricFamily(
            f"{_PREFIX}_differences",
            "Differences to the exchange found by comparing: orders, fills",
            value=core.reconciliation.differences,
        )
        yield self._outcomes(core)
        yield self._denials(core)
        yield self._problems(core)

    def _outcomes(self, core: Core) -> Metric:
        family = CounterMetricFamily(
            f"{_PREFIX}_decisions", "Outcomes of decisions", labels=["outcome", "code"]
        )
        for (outcome, code), count in core.decisions.counts.items():
            family.add_metric([outcome, code], count)
        return family

    def _denials(self, core: Core) -> Metric:
        family = CounterMetricFamily(
            f"{_PREFIX}_denials", "Orders and decisions that a limit denied", labels=["code"]
        )
        for code, count in core.decisions.denials.items():
            family.add_metric([code], count)
        return family

    def _problems(self, core: Core) -> Metric:
        family = GaugeMetricFamily(f"{_PREFIX}_problem", "1 while a problem is known", labels=["problem"])
        differing = (hold.code for hold in core.ctx.agreement.holds(core.ctx.book))
        for problem in dict.fromkeys((*core.ctx.problems, *core.ctx.agreement.seen, *differing)):
            family.add_metric([problem], 1)
        return family
