"""What monitoring counts. Labels are the account's own few markets, never anything unbounded."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge


class Metrics:
    def __init__(self, registry: CollectorRegistry) -> None:
        market, stream = ["market"], ["market", "stream"]
        self.events = Counter("smarttrade_market_events", "Events published", stream, registry=registry)
        self.withheld = Counter(
            "smarttrade_ticks_withheld", "Impossible trades and quotes", stream, registry=registry
        )
        self.reconnects = Counter("smarttrade_feed_reconnects", "Feeds replaced", market, registry=registry)
        self.gaps = Counter("smarttrade_trade_gaps", "Gaps in trade ids", market, registry=registry)
        self.lost = Counter(
            "smarttrade_trades_lost", "Trades that could not be fetched again", market, registry=registry
        )
        self.candles = Counter(
            "smarttrade_candles", "Final candles", ["market", "timeframe", "source"], registry=registry
        )
        self.mismatches = Gauge(
            "smarttrade_candle_mismatches",
            "Final candles that the exchange's own contradicted later",
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
        self.evaluation_ready = Gauge(
            "smarttrade_evaluation_ready", "Evaluation's own word", registry=registry
        )
        self.evaluation_decisions = Gauge(
            "smarttrade_evaluation_reported_decisions", "Decisions that evaluation made", registry=registry
        )
        self.evaluation_divergences = Gauge(
            "smarttrade_evaluation_reported_divergences",
            "Divergences that evaluation counted",
            registry=registry,
        )
