"""A freqtrade strategy as one of ours: what it decides candle by candle, on a rolling window."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from smarttrade.api import Strategy as StrategySpec
from smarttrade.errors import ConfigurationError
from smarttrade.evaluation.core import Core
from smarttrade.evaluation.loading import load_class
from smarttrade.evaluation.strategy import AccountSetup, Candle
from smarttrade.freqtrade.adapter import wrap
from smarttrade.freqtrade.rules import moment
from smarttrade.freqtrade.signals import analyse, read_signals
from smarttrade.identity import AccountIdentity
from smarttrade.messages import AccountView, Decision, EffectiveState, Position, Target
from tests.unit.freqtrade.made_up import FIRST_MS, PAIRS, candles, rows

HERE = Path(__file__).parent
LENGTHS = {"5m": 300_000, "30m": 1_800_000, "1h": 3_600_000}
SETUP = AccountSetup(
    markets=PAIRS,
    timeframe="5m",
    timeframe_ms=300_000,
    currency="USDT",
    allocation=Decimal(10_000),
    per_market=Decimal(5_000),
)
FLAT = AccountView(
    leading=True,
    epoch=1,
    effective_state=EffectiveState.ACTIVE,
    currency="USDT",
    equity=Decimal(10_000),
    available=Decimal(10_000),
    positions=[],
    time_ms=0,
)


def make(name: str, setup: AccountSetup = SETUP, **parameters: object) -> Core:
    source = {"configMapRef": {"name": "x"}, "class": name}
    spec = StrategySpec.model_validate({"source": source, "timeframe": "5m"})
    strategy = load_class(spec, HERE / "strategies")(setup, parameters)
    return Core(AccountIdentity("t", "t", "t"), name, strategy, 1)


def events(core: Core, first: int, last: int) -> list[Candle]:
    """Candles that close after `first` five minutes up to `last`, as a pod sees them."""
    frames = dict.fromkeys((core.strategy.timeframe, *core.strategy.timeframes))
    told = []
    for pair in core.strategy.markets:
        for timeframe in frames:
            length = LENGTHS[timeframe]
            for row in candles()[pair, timeframe].itertuples(index=False):
                open_ms = int(row.date.timestamp() * 1000)
                if FIRST_MS + first * 300_000 < open_ms + length <= FIRST_MS + last * 300_000:
                    prices = [Decimal(str(each)) for each in row[1:]]
                    told.append(
                        Candle(
                            market=pair,
                            timeframe=timeframe,
                            open_ms=open_ms,
                            close_ms=open_ms + length,
                            **dict(zip(("open", "high", "low", "close", "volume"), prices, strict=True)),
                            final=True,
                        )
                    )
    return sorted(told, key=lambda c: (c.close_ms, PAIRS.index(c.market), c.close_ms - c.open_ms))


def run(core: Core, first: int, last: int) -> list[Decision]:
    return [decision for event in events(core, first, last) for decision in core.on_event(event)]


def hold(market: str, quantity: str, price: str, opened: int) -> AccountView:
    position = Position(
        market=market,
        quantity=Decimal(quantity),
        average_price=Decimal(price),
        realized_pnl=Decimal(0),
        unrealized_pnl=Decimal(0),
        opened_ms=FIRST_MS + opened * 300_000,
    )
    return msgspec.structs.replace(FLAT, positions=[position])


@pytest.mark.parametrize("name", ["Crossing", "Hourly", "CandlesOnly"])
def test_a_flat_account_enters_where_the_whole_history_says_so(name: str) -> None:
    core = make(name)
    core.fill(events(core, 0, 1_600))
    core.on_view(FLAT)
    decided = {(d.market, d.event_time_ms) for d in run(core, 1_600, 1_640)}
    inner = core.strategy.inner
    inner.dp.candles = candles()
    wanted = set()
    for pair in PAIRS:
        signals = read_signals(analyse(inner, pair, candles()[pair, "5m"]))
        wanted |= {
            (pair, FIRST_MS + (row + 1) * 300_000) for row in range(1_600, 1_640) if signals[row].can_enter
        }
    assert decided == wanted
    assert wanted


def test_an_entry_brings_its_stop_and_profit_target() -> None:
    core = make("Crossing")
    core.fill(events(core, 0, 1_600))
    core.on_view(FLAT)
    entry = run(core, 1_600, 1_640)[0]
    assert isinstance(entry.want, Target)
    closes = {c.market: c.close for c in events(core, 0, 1_640) if c.close_ms == entry.event_time_ms}
    price = closes[entry.market]
    assert 4_749 < entry.want.quantity * price <= 4_750
    assert round(entry.want.stop_loss / price, 6) == Decimal("0.98")
    assert round(entry.want.take_profit / price, 6) == Decimal("1.022042")
    assert entry.reason == "up"


def test_the_loop_starts_once_at_every_close_before_any_market_is_asked() -> None:
    core = make("Crossing")
    core.fill(events(core, 0, 1_600))
    core.on_view(FLAT)
    inner, seen = core.strategy.inner, []
    inner.bot_loop_start = lambda current_time, **_: seen.append(current_time)
    inner.populate_indicators = lambda frame, metadata: (seen.append(metadata["pair"]), frame)[1]
    inner.populate_entry_trend = inner.populate_exit_trend = lambda frame, metadata: frame
    run(core, 1_600, 1_602)
    closes = [moment(FIRST_MS + number * 300_000) for number in (1_601, 1_602)]
    assert seen == [closes[0], *PAIRS, closes[1], *PAIRS]


def test_nothing_is_decided_before_the_account_is_known() -> None:
    core = make("Crossing")
    assert run(core, 0, 300) == []


def test_a_position_is_held_with_protection_and_left_on_the_signal() -> None:
    core = make("Crossing")
    core.fill(events(core, 0, 1_600))
    bar = rows("BTC/USDT")[1_600]
    core.on_view(hold("BTC/USDT", "0.1", str(bar[1]), 1_600))
    wants = [d for d in run(core, 1_600, 1_660) if d.market == "BTC/USDT"]
    first = wants[0].want
    assert isinstance(first, Target)
    assert (first.quantity, first.stop_loss) == (Decimal("0.1"), Decimal(str(bar[1])) * Decimal("0.98"))
    left = next(d for d in wants if d.want.quantity == 0)
    assert left.reason in ("down", "roi", "stop_loss")


def test_a_profit_target_steps_down_with_the_age_of_the_trade() -> None:
    core = make("Crossing")
    core.fill(events(core, 0, 1_599))
    view = hold("BTC/USDT", "0.1", "60000", 1_599)
    opened = msgspec.structs.replace(view.positions[0], opened_ms=view.positions[0].opened_ms + 70)
    core.on_view(msgspec.structs.replace(view, positions=[opened]))
    core.strategy.terms = core.strategy._book._terms = replace(core.strategy.terms, stoploss=-0.9)
    core.strategy.inner.confirm_trade_exit = lambda **_: False
    profits = [d.want.take_profit for d in run(core, 1_599, 1_613) if d.market == "BTC/USDT"]
    ratios = [round(profit / 60_000 * Decimal("0.999") / Decimal("1.001") - 1, 6) for profit in profits]
    steps = [Decimal("0.02")] * 3 + [Decimal("0.01")] * 8 + [Decimal("0.005")] * 3
    assert ratios == steps


def test_a_restarted_pod_knows_the_trailed_stop_again() -> None:
    running, restarted = make("Trailing"), make("Trailing")
    view = hold("BTC/USDT", "0.1", "39000", 1_500)
    running.fill(events(running, 0, 1_500))
    running.on_view(view)
    before = [d.want for d in run(running, 1_500, 1_560) if d.market == "BTC/USDT"][-1]
    restarted.fill(events(restarted, 0, 1_559))
    restarted.on_view(view)
    after = [d.want for d in run(restarted, 1_559, 1_560) if d.market == "BTC/USDT"][-1]
    assert before == after
    assert isinstance(after, Target)


def test_parameters_of_the_account_reach_the_strategy() -> None:
    tuned = make("Tuned").strategy.inner
    assert (tuned.buy_rsi.value, tuned.sell_share.value, tuned.buy_on.value) == (35, 1.0, True)
    tuned = make("Tuned", buy_rsi=12, sell_share="1.01", buy_on="false").strategy.inner
    assert (tuned.buy_rsi.value, tuned.sell_share.value, tuned.buy_on.value) == (12, 1.01, False)


@pytest.mark.parametrize(
    ("given", "told"),
    [({"buy_rsi": 99}, "at most 50"), ({"buy_kind": "ema"}, "one of rsi, cci"), ({"nothing": 1}, "no such")],
)
def test_a_parameter_that_cannot_be_is_refused(given: dict[str, object], told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        make("Tuned", **given)


def test_what_would_make_other_trades_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    inner = type(make("Crossing").strategy).inner_class  # type: ignore[attr-defined]
    monkeypatch.setattr(inner, "custom_entry_price", lambda self, **more: 1.0, raising=False)
    with pytest.raises(ConfigurationError, match="custom_entry_price would not be called"):
        wrap(inner)(SETUP)


def test_candles_of_a_pair_that_is_no_market_are_asked_for_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    inner = type(make("Crossing").strategy).inner_class  # type: ignore[attr-defined]
    monkeypatch.setattr(inner, "informative_pairs", lambda self: [("XRP/USDT", "1h")])
    with pytest.raises(ConfigurationError, match=r"candles of XRP/USDT: add it to spec\.markets"):
        wrap(inner)(SETUP)


def test_another_timeframe_than_the_strategys_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"set strategy\.timeframe to 5m"):
        make("Crossing", replace(SETUP, timeframe="1h", timeframe_ms=3_600_000))
