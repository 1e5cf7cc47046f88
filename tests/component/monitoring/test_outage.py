"""Monitoring and evaluation together through an outage of NATS: no candle is missed, deciding goes on."""

from pathlib import Path
from types import SimpleNamespace

from smarttrade.evaluation.service import EvaluationService
from smarttrade.messages import DescribeRequest, encode
from smarttrade.monitoring.service import MonitoringService
from smarttrade.process.probes import Probes
from smarttrade.simulator.config import SimulatorConfig
from smarttrade.simulator.simulator import Simulator
from tests.component.monitoring.pod import Bus, Execution, Running, build_spec, endpoint_of, eventually, start

POD = "alice-0"


async def test_the_pair_goes_on_after_nats_was_gone(bus: Bus, tmp_path: Path) -> None:
    async with Simulator(SimulatorConfig(symbols=["BTC/USDT"])) as exchange:
        execution = await Execution(await bus.connect("execution"), POD).start()
        execution.leading = True
        await bus.control(1, build_spec(parameters={"fast": 3, "slow": 8}))
        monitoring = start(
            MonitoringService, bus.settings("monitoring", POD, tmp_path, endpoint_of(exchange))
        )
        probes = Probes(0, "127.0.0.1")
        evaluation = Running(EvaluationService(bus.settings("evaluation", POD, tmp_path), probes), probes)
        try:
            await evaluation.ready()
            await eventually(lambda: len(execution.decisions) >= 3, "three decisions")
            assert monitoring.probes.is_ready
            await bus.server.stop(kill=True)
            await eventually(
                lambda: not (monitoring.probes.is_ready or evaluation.probes.is_ready), "neither is ready"
            )
            made = monitoring.metric("smarttrade_candles_total", **_candles("flag"))
            await eventually(
                lambda: monitoring.metric("smarttrade_candles_total", **_candles("flag")) >= made + 3,
                "monitoring goes on while NATS is gone",
            )
            question = SimpleNamespace(reply="_INBOX.evaluation.1", data=encode(DescribeRequest()))
            await monitoring.service._answer(question)  # asked just before
            assert monitoring.metric("smarttrade_questions_unanswered_total") > 0
            await bus.server.start()
            before = len(execution.decisions)
            await eventually(lambda: len(execution.decisions) >= before + 3, "decisions after the outage")
            assert monitoring.probes.is_ready
            assert evaluation.probes.is_ready
            events = [decision.event_time_ms for decision in execution.decisions]
            assert events == sorted(events)
            assert not monitoring.task.done()
            assert not evaluation.task.done()
        finally:
            execution.stop()
            await evaluation.stop()
            await monitoring.stop()


def _candles(source: str) -> dict[str, str]:
    return {"market": "BTC/USDT", "timeframe": "1s", "source": source}
