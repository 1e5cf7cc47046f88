"""Strategies and events for tests."""

from decimal import Decimal

from smarttrade.evaluation.core import Core
from smarttrade.evaluation.strategy import AccountSetup, Strategy, Wants
from smarttrade.identity import AccountIdentity
from smarttrade.messages import AccountView, Candle, EffectiveState, Position, Side, Trade

MARKET = "BTC/USDT"
OTHER = "ETH/USDT"
MINUTE = 60_000
IDENTITY = AccountIdentity("tests", "alice", "alice")


def setup(*markets: str) -> AccountSetup:
    return AccountSetup(
        markets=markets or (MARKET,),
        timeframe="1m",
        timeframe_ms=MINUTE,
        currency="USDT",
        allocation=Decimal(10_000),
        per_market=Decimal(5_000),
    )


class Follower(Strategy):
    """Wants as many of the base asset as the candle's close says."""

    def on_candle(self, candle: Candle) -> Wants:
        return self.target(candle.market, candle.close)

    def on_trade(self, trade: Trade) -> Wants:
        return self.target(trade.market, trade.price) if trade.quantity > 5 else None


def core(strategy: Strategy | None = None, generation: int = 1) -> Core:
    return Core(IDENTITY, "follower", strategy or Follower(setup()), generation)


def view(realized: str, held: str = "0", market: str = MARKET) -> AccountView:
    """The account after it has earned or lost so much, with so much of the base asset."""
    position = Position(
        market=market,
        quantity=Decimal(held),
        average_price=Decimal(100),
        realized_pnl=Decimal(realized),
        unrealized_pnl=Decimal(0),
    )
    return AccountView(
        leading=True,
        epoch=1,
        effective_state=EffectiveState.ACTIVE,
        currency="USDT",
        equity=10_000 + Decimal(realized),
        available=Decimal(0),
        positions=[position],
        time_ms=0,
    )


def candle(minute: int, close: str = "100", market: str = MARKET) -> Candle:
    price = Decimal(close)
    return Candle(
        market=market,
        timeframe="1m",
        open_ms=minute * MINUTE,
        close_ms=(minute + 1) * MINUTE,
        open=price,
        high=price,
        low=price,
        close=price,
        volume=Decimal(1),
        final=True,
    )


def trade(number: int, time_ms: int, price: str = "100", quantity: str = "9") -> Trade:
    return Trade(
        market=MARKET,
        id=str(number),
        price=Decimal(price),
        quantity=Decimal(quantity),
        side=Side.BUY,
        time_ms=time_ms,
    )
