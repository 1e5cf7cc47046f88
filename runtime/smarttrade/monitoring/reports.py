"""Monitoring's words to the operator. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from smarttrade.messages import Check, EvaluationStatus, MonitoringReport, Verdict
from smarttrade.monitoring.staleness import Judgement

_REASONS = {
    Verdict.STALE: "StreamStale",
    Verdict.BACKFILLING: "Backfilling",
    Verdict.BROKEN: "StreamBroken",
}
_WORST_FIRST = (Verdict.BROKEN, Verdict.STALE, Verdict.BACKFILLING)


def build_data_check(judgements: Mapping[str, Mapping[str, Judgement]], problem: str) -> Check:
    """The condition DataFresh from the verdicts of every market's streams; `problem` is what keeps
    monitoring from watching at all."""
    if problem:
        return Check(type="DataFresh", ok=False, reason="ExchangeUnavailable", message=problem)
    for verdict in _WORST_FIRST:
        bad = [
            f"{market} {stream}: {judgement.reason}"
            for market, streams in judgements.items()
            for stream, judgement in streams.items()
            if judgement.verdict is verdict
        ]
        if bad:
            return Check(type="DataFresh", ok=False, reason=_REASONS[verdict], message="; ".join(bad))
    if not judgements:
        return Check(type="DataFresh", ok=False, reason="NotStarted", message="no market is watched yet")
    return Check(type="DataFresh", ok=True, reason="StreamsFresh")


def build_strategy_checks(evaluation: EvaluationStatus, generation: int) -> list[Check]:
    """The condition ConfigApplied where evaluation cannot run the strategy of the newest generation."""
    if evaluation.refused != generation:
        return []
    return [Check(type="ConfigApplied", ok=False, reason="StrategyFailed", message=evaluation.error)]


def build_report(
    pod: str, generation: int, checks: list[Check], evaluation: EvaluationStatus | None, as_of_ms: int
) -> MonitoringReport:
    return MonitoringReport(
        pod=pod, generation=generation, checks=checks, evaluation=evaluation, as_of_ms=as_of_ms
    )
