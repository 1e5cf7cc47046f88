"""What evaluation counts."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from smarttrade.messages import Decision, EvaluationStatus

_LATENCY_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)


class Metrics:
    def __init__(self, registry: CollectorRegistry) -> None:
        self.events = Counter(
            "smarttrade_evaluation_events", "Events given to the strategy", ["kind"], registry=registry
        )
        self.gaps = Gauge(
            "smarttrade_evaluation_feed_gaps", "Gaps in monitoring's feed that were filled", registry=registry
        )
        self.decided = Counter(
            "smarttrade_evaluation_decisions", "Decisions made, sent or not", ["market"], registry=registry
        )
        self.answers = Counter(
            "smarttrade_evaluation_answers", "Decisions sent, by answer", ["answer"], registry=registry
        )
        self.answer_s = Histogram(
            "smarttrade_evaluation_decide_seconds",
            "From sending a decision to its answer",
            buckets=_LATENCY_S,
            registry=registry,
        )
        self.divergences = Gauge(
            "smarttrade_decision_divergence",
            "Decisions of the leading pod that this standby did not make",
            registry=registry,
        )
        self.leading = Gauge("smarttrade_evaluation_leading", "1 while this pod leads", registry=registry)
        self.generation = Gauge("smarttrade_evaluation_generation", "Generation applied", registry=registry)

    def update(self, status: EvaluationStatus, gaps: int) -> None:
        """What is counted elsewhere, once a heartbeat."""
        self.gaps.set(gaps)
        self.divergences.set(status.divergences)
        self.generation.set(status.generation)

    def answered(self, _: Decision, answer: str, seconds: float) -> None:
        self.answers.labels(answer).inc()
        self.answer_s.observe(seconds)
