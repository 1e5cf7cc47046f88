"""Run a strategy on made-up candles: does it decide, does it decide the same again, is its warm-up enough?

The candles are a seeded random walk with swings, the same for everybody. Two instances see the same events;
a third one begins with twice the warm-up that the strategy declares.
"""

from __future__ import annotations

import inspect
import random
from decimal import Decimal

from smarttrade.authoring.findings import Finding
from smarttrade.evaluation.core import Core, StrategyFailedError
from smarttrade.evaluation.memory import UnusableMemoryError
from smarttrade.evaluation.strategy import AccountSetup, Strategy
from smarttrade.identity import AccountIdentity
from smarttrade.messages import AccountView, Candle, Decision, EffectiveState, Side, Trade, encode

_MINUTE_MS = 60_000
_SEED = 7
_LIVE = 300
_CENT = Decimal("0.01")
_IDENTITY = AccountIdentity("check", "check", "check")
_HANDLERS = ("on_candle", "on_trade", "on_quote", "on_book", "on_fill", "on_timer", "on_correction")


def examine_class(strategy_class: type[Strategy]) -> list[Finding]:
    """Handlers that nothing calls, or that cannot be called."""
    found = []
    for name, method in vars(strategy_class).items():
        if not name.startswith("on_") or not callable(method):
            continue
        line = method.__code__.co_firstlineno if hasattr(method, "__code__") else 0
        if name not in _HANDLERS:
            found.append(Finding(line, "Handler", f"{name} is never called: there is {', '.join(_HANDLERS)}"))
        elif inspect.iscoroutinefunction(method):
            found.append(Finding(line, "Handler", f"{name} must not be async"))
        elif not _accepts(method, len(inspect.signature(getattr(Strategy, name)).parameters)):
            wanted = ", ".join(inspect.signature(getattr(Strategy, name)).parameters)
            found.append(Finding(line, "Handler", f"{name} must take ({wanted})"))
    if not any(name in vars(strategy_class) for name in _HANDLERS):
        found.append(Finding(0, "Handler", f"{strategy_class.__name__} has no handler: write on_candle"))
    return found


def dry_run(strategy_class: type[Strategy], markets: tuple[str, ...]) -> list[Finding]:
    """StrategyFailedError and ConfigurationError are for the caller: they say it better."""
    first, second = (_make(strategy_class, markets) for _ in range(2))
    warmup = first.strategy.warmup
    events = _events(markets, 2 * warmup + _LIVE)
    begin = 2 * warmup * len(markets) * 2
    history, live = events[:begin], events[begin:]
    decided = [_run(core, history[len(history) // 2 :], live) for core in (first, second)]
    found = []
    if encode(decided[0]) != encode(decided[1]):
        found.append(Finding(0, "Chance", "two instances decided differently on the same events"))
    longer = _run(_make(strategy_class, markets), history, live)
    if [decision.want for decision in longer] != [decision.want for decision in decided[0]]:
        told = f"with {2 * warmup} candles of warm-up it decides otherwise than with its own {warmup}"
        found.append(Finding(0, "WarmUp", f"{told}: return more from `warmup`"))
    found += _examine_memory(first)
    if not decided[0]:
        found.append(Finding(0, "NoDecision", f"it decided nothing on {_LIVE} candles"))
    return found


def _examine_memory(core: Core) -> list[Finding]:
    try:
        core.remember("")
    except UnusableMemoryError as error:
        return [Finding(0, "Memory", str(error))]
    return []


def _accepts(method: object, count: int) -> bool:
    try:
        inspect.signature(method).bind(*range(count))  # type: ignore[arg-type]
    except TypeError:
        return False
    return True


def _make(strategy_class: type[Strategy], markets: tuple[str, ...]) -> Core:
    setup = AccountSetup(
        markets=markets,
        timeframe="1m",
        timeframe_ms=_MINUTE_MS,
        currency="USDT",
        allocation=Decimal(10_000),
        per_market=Decimal(10_000) / len(markets),
    )
    return Core(_IDENTITY, strategy_class.__name__, strategy_class(setup), 1)


def _run(core: Core, history: list[Candle | Trade], live: list[Candle | Trade]) -> list[Decision]:
    core.fill(event for event in history if isinstance(event, Candle))
    core.on_view(_empty_account())
    decided = [decision for event in live for decision in core.on_event(event)]
    if not all(isinstance(decision, Decision) for decision in decided):
        raise StrategyFailedError("a handler returned something else than wishes")
    return decided


def _empty_account() -> AccountView:
    return AccountView(
        leading=True,
        epoch=1,
        effective_state=EffectiveState.ACTIVE,
        currency="USDT",
        equity=Decimal(10_000),
        available=Decimal(10_000),
        positions=[],
        time_ms=0,
    )


def _events(markets: tuple[str, ...], count: int) -> list[Candle | Trade]:
    """A trade and the candle that it closes, of every market, minute by minute."""
    draw = random.Random(_SEED)
    prices = dict.fromkeys(markets, 40_000.0)
    events: list[Candle | Trade] = []
    for minute in range(count):
        for market in markets:
            path = [prices[market]]
            for _ in range(4):
                path.append(path[-1] * (1 + draw.gauss(0, 0.004)))
            prices[market] = path[-1]
            candle = _candle(market, minute, [Decimal(price).quantize(_CENT) for price in path])
            events += [_trade(candle, minute), candle]
    return events


def _candle(market: str, minute: int, path: list[Decimal]) -> Candle:
    return Candle(
        market=market,
        timeframe="1m",
        open_ms=minute * _MINUTE_MS,
        close_ms=(minute + 1) * _MINUTE_MS,
        open=path[0],
        high=max(path),
        low=min(path),
        close=path[-1],
        volume=Decimal(1),
        final=True,
    )


def _trade(candle: Candle, number: int) -> Trade:
    return Trade(
        market=candle.market,
        id=str(number + 1),
        price=candle.close,
        quantity=Decimal(1),
        side=Side.BUY,
        time_ms=candle.close_ms - 1,
    )
