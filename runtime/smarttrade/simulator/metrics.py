"""Metrics of a running simulator, collected when they are asked for."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from smarttrade.simulator.simulator import Simulator


class SimulatorCollector(Collector):
    """Reads counters that the simulator keeps anyway."""

    def __init__(self, simulator: "Simulator") -> None:
        self._simulator = simulator

    def collect(self) -> Iterator[CounterMetricFamily | GaugeMetricFamily]:
        simulator = self._simulator
        requests = CounterMetricFamily(
            "smarttrade_simulator_requests", "Requests answered.", labels=["endpoint", "status"]
        )
        for (endpoint, status), count in sorted(simulator.dispatcher.requests.items()):
            requests.add_metric([endpoint, str(status)], count)
        yield requests
        faults = CounterMetricFamily("smarttrade_simulator_faults", "Faults injected.", labels=["kind"])
        for kind, count in sorted(simulator.faults.injected.items()):
            faults.add_metric([kind], count)
        yield faults
        yield CounterMetricFamily(
            "smarttrade_simulator_frames",
            "Market stream frames sent.",
            value=simulator.streams.subscriptions.frames_sent,
        )
        yield CounterMetricFamily(
            "smarttrade_simulator_executions",
            "Changes of users' orders.",
            value=simulator.venue.engine.sequence,
        )
        yield from self._gauges()

    def _gauges(self) -> Iterator[GaugeMetricFamily]:
        simulator = self._simulator
        accounts = simulator.venue.engine.accounts.values()
        open_orders = sum(len(account.open_orders) for account in accounts)
        yield GaugeMetricFamily("smarttrade_simulator_open_orders", "Open orders.", value=open_orders)
        yield GaugeMetricFamily(
            "smarttrade_simulator_market_websockets",
            "Market stream connections.",
            value=len(simulator.streams.connections),
        )
        yield GaugeMetricFamily(
            "smarttrade_simulator_user_websockets",
            "Websocket API connections.",
            value=len(simulator.api_socket.sessions),
        )
        yield GaugeMetricFamily(
            "smarttrade_simulator_market_lag_seconds",
            "How late the last market event was applied.",
            value=simulator.pump.lag_ms / 1000,
        )


def build_registry(simulator: "Simulator") -> CollectorRegistry:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(SimulatorCollector(simulator))
    return registry
