"""What monitoring counts. Labels are the account's own few markets, never anything unbounded."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge

from smarttrade.messages import EvaluationStatus

_EVALUATION = {
    "ready": "1 while evaluation has a strategy",
    "leading": "1 while evaluation sends its decisions",
    "generation": "Generation that evaluation applied",
    "events": "Events given to the strategy",
    "decisions": "Decisions made, sent or not",
    "accepted": "Decisions that execution accepted",
    "denied": "Decisions that execution denied",
    "unanswered": "Decisions given up without an answer",
    "divergences": "Decisions of the leading pod that this standby did not make",
    "gaps": "Gaps in monitoring's feed",
    "lost_batches": "Batches of monitoring's feed that could not be had again",
}


class Metrics:
    def __init__(self, registry: CollectorRegistry) -> None:
        market, stream = ["market"], ["market", "stream"]
        self.events = Counter("smarttrade_market_events", "Events published", stream, registry=registry)
        self.withheld = Counter(
            "smarttrade_ticks_withheld", "Impossible trades and quotes", stream, registry=registry
        )
        self.outliers = Counter(
            "smarttrade_ticks_outlying",
            "Trades and quotes far from those before them, delivered with a flag",
            stream,
            registry=registry,
        )
        self.unanswered = Counter(
            "smarttrade_questions_unanswered",
            "Answers to evaluation that the bus did not take",
            registry=registry,
        )
        self.reconnects = Counter("smarttrade_feed_reconnects", "Feeds replaced", market, registry=registry)
        self.gaps = Counter("smarttrade_trade_gaps", "Gaps in the trades", market, registry=registry)
        self.filled = Counter(
            "smarttrade_trades_filled",
            "Missing trades that came in time",
            ["market", "source"],
            registry=registry,
        )
        self.lost = Counter(
            "smarttrade_trades_lost", "Trades that could not be fetched again", market, registry=registry
        )
        self.doubtful = Counter(
            "smarttrade_trades_doubtful_seconds",
            "Time in which trades may be missing where no ids tell",
            market,
            registry=registry,
        )
        self.candles = Counter(
            "smarttrade_candles", "Final candles", ["market", "timeframe", "source"], registry=registry
        )
        self.mismatches = Gauge(
            "smarttrade_candle_mismatches",
            "Final candles that the exchange's own, or all their trades, contradicted later",
            ["market", "timeframe"],
            registry=registry,
        )
        self.fresh = Gauge("smarttrade_stream_fresh", "1 while a stream is Fresh", stream, registry=registry)
        self.last_trade = Gauge(
            "smarttrade_last_trade_timestamp_seconds", "Time of the last trade", market, registry=registry
        )
        self.clock_offset = Gauge(
            "smarttrade_clock_offset_seconds", "Exchange time minus local time", registry=registry
        )
        self.clock_error = Gauge(
            "smarttrade_clock_error_seconds", "Bound of the error of the exchange's time", registry=registry
        )
        self.generation = Gauge("smarttrade_monitoring_generation", "Generation applied", registry=registry)
        self.unsent = Gauge("smarttrade_market_batches_unsent", "Batches lost on NATS", registry=registry)
        self._evaluation = {
            name: Gauge(f"smarttrade_evaluation_{name}", f"{text}, by its own word", registry=registry)
            for name, text in _EVALUATION.items()
        }

    def evaluation(self, status: EvaluationStatus) -> None:
        """What evaluation says of itself: it serves no metrics, and this is all that its word can change."""
        for name, gauge in self._evaluation.items():
            gauge.set(getattr(status, name))
