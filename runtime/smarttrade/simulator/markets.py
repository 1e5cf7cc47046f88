"""From configuration to markets and their tape."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from itertools import cycle

import msgspec

from smarttrade.errors import ConfigurationError
from smarttrade.matching import Market
from smarttrade.simulator.config import DEFAULT_PRICES, MarketConfig, SimulatorConfig, build_market
from smarttrade.simulator.files import load_recording
from smarttrade.simulator.recorded import Recording, recorded_tape
from smarttrade.simulator.synthetic import synthetic_tape
from smarttrade.simulator.tape import Tape, merge_tapes

_SYNTHETIC_HISTORY_CANDLES = 720
_RECORDED_HISTORY_CANDLES = 1000
_TRADES_HISTORY_MS = 600_000.0
_FINE_HISTORY_MS = 120_000.0
_FEWEST_POINTS, _MOST_POINTS = 6, 60
_QUIET_QUOTES = ("USDT", "BTC", "USDC")


@dataclass(frozen=True)
class Setup:
    """`unit_ms` is the market time that must become whole candles; `history_ms` lies before the start.

    `quiet`: prices of the markets that are listed and have no tape.
    """

    markets: list[Market]
    quiet: dict[str, Decimal]
    tape: Tape | None
    unit_ms: float
    history_ms: float


def build_setup(config: SimulatorConfig) -> Setup:
    """Markets, tape and history of a configuration; reads the data files it names."""
    markets, tapes, units, histories = [], [], [], []
    for index, row in enumerate(config.market_configs()):
        path = row.data or (config.data if index == 0 or not config.markets else None)
        recording = (
            load_recording(path, row.volume or config.volume)
            if (path and index == 0) or (row.data and path)
            else None
        )
        price = row.price or (recording.first_price if recording else default_price(row.symbol))
        market = build_market(with_recorded_precision(row, recording), price)
        markets.append(market)
        histories.append(_history_ms(config, recording))
        tapes.append(_build_tape(config, row, market, price, recording, histories[-1]))
        units.append(float(recording.interval_ms) if recording and recording.candles else 60_000.0)
    quiet = build_quiet_markets(config.listed, markets)
    markets += [build_market(MarketConfig(symbol=symbol), price) for symbol, price in quiet.items()]
    if config.market == "manual":
        return Setup(markets, quiet, None, 60_000.0, 0.0)
    return Setup(markets, quiet, merge_tapes(tapes), max(units), max(histories))


def build_quiet_markets(listed: int, markets: list[Market]) -> dict[str, Decimal]:
    """Symbols and prices that bring the number of markets to `listed`: Q0000/USDT at 10 and so on."""
    missing = max(0, listed - len(markets))
    return {
        f"Q{number // len(_QUIET_QUOTES):04d}/{quote}": Decimal(10) / DEFAULT_PRICES.get(quote, Decimal(1))
        for number, quote in zip(range(missing), cycle(_QUIET_QUOTES), strict=False)
    }


def _build_tape(
    config: SimulatorConfig,
    row: MarketConfig,
    market: Market,
    price: Decimal,
    recording: Recording | None,
    history_ms: float,
) -> Tape:
    if recording is None:
        coarse_ms = history_ms - _FINE_HISTORY_MS * config.compress
        return synthetic_tape(market, price, row.annual_volatility, config.compress, config.seed, coarse_ms)
    candle_s = recording.interval_ms / 1000 / config.compress
    points = int(min(_MOST_POINTS, max(_FEWEST_POINTS, candle_s * 2)))
    return recorded_tape(market, recording, points, config.seed)


def _history_ms(config: SimulatorConfig, recording: Recording | None) -> float:
    if config.history_s is not None:
        return config.history_s * 1000
    if recording is None:
        return _SYNTHETIC_HISTORY_CANDLES * 60_000.0 * min(1.0, config.compress)
    if recording.candles:
        return float(recording.interval_ms * min(_RECORDED_HISTORY_CANDLES, len(recording.candles) // 2))
    return max(_TRADES_HISTORY_MS, _TRADES_HISTORY_MS * config.compress)


def with_recorded_precision(row: MarketConfig, recording: Recording | None) -> MarketConfig:
    """Tick and step of a recording of trades are the finest that occur in it, unless configured."""
    if recording is None or not recording.trades:
        return row
    tick = row.tick_size or finest(trade.price for trade in recording.trades)
    step = row.step_size or max(finest(t.quantity for t in recording.trades), Decimal("1e-8") / tick)
    return msgspec.structs.replace(row, tick_size=tick, step_size=step)


def finest(values: Iterable[Decimal]) -> Decimal:
    """The power of ten (at most 1) of which all values are multiples."""
    exponents = (value.normalize().as_tuple().exponent for value in values)
    return Decimal(1).scaleb(min(0, *(exponent for exponent in exponents if isinstance(exponent, int))))


def default_price(symbol: str) -> Decimal:
    """Where a synthetic market starts when nothing says otherwise."""
    base, quote = symbol.split("/")
    quoted = DEFAULT_PRICES.get(quote, Decimal(1))
    price = DEFAULT_PRICES.get(base, Decimal(10)) / quoted
    if price <= 0:
        raise ConfigurationError(f"{symbol} has no price; give one under `markets`")
    return price
