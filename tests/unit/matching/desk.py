"""A small trading desk for tests of the engine: one market, users, orders in text."""

from decimal import Decimal

from smarttrade.matching import (
    BUY,
    SELL,
    Account,
    Engine,
    Execution,
    FeeSchedule,
    Kind,
    Market,
    Order,
    OrderList,
    OrderListRequest,
    OrderRequest,
    OrderType,
    SelfTradePrevention,
    TimeInForce,
    liquidity,
)
from smarttrade.matching.ledger import total_units
from smarttrade.matching.units import to_decimal, to_units

SYMBOL = "BTC/USDT"
SIDES = {"buy": BUY, "sell": SELL}
FREE = FeeSchedule(Decimal(0), Decimal(0))


def optional(text: str | None) -> Decimal | None:
    return Decimal(text) if text is not None else None


class Desk:
    """Keeps every event; `d("1.5")` style numbers everywhere."""

    def __init__(self, **market_fields: object) -> None:
        fields = {"base": "BTC", "quote": "USDT", "tick_size": Decimal("0.01"), "step_size": Decimal("0.001"),
                  "min_quantity": Decimal("0.001"), "min_notional": Decimal(1)} | market_fields  # fmt: skip
        self.engine = Engine([Market(**fields)])  # type: ignore[arg-type]
        self.state = self.engine.markets[SYMBOL]
        self.now_ms = 0
        self.events: list[object] = []
        self._next_client_id = 0

    def user(self, name: str, fees: FeeSchedule = FREE, **balances: str) -> Account:
        account = self.engine.add_account(Account(name, fees))
        for asset, amount in (balances or {"BTC": "100", "USDT": "1000000"}).items():
            account.deposit(asset, Decimal(amount))
        return account

    def request(
        self,
        side: str,
        quantity: str | None,
        price: str | None = None,
        *,
        kind: str | None = None,
        stop: str | None = None,
        quote: str | None = None,
        tif: str = "GTC",
        client_id: str | None = None,
        stp: str = "NONE",
        iceberg: str | None = None,
    ) -> OrderRequest:
        self._next_client_id += 1
        return OrderRequest(
            SYMBOL,
            SIDES[side],
            OrderType(kind or ("LIMIT" if price else "MARKET")),
            client_id or f"c{self._next_client_id}",
            optional(quantity),
            optional(quote),
            optional(price),
            optional(stop),
            TimeInForce(tif),
            SelfTradePrevention(stp),
            optional(iceberg),
        )

    def place(
        self, account: Account, side: str, quantity: str | None, price: str | None = None, **more: str
    ) -> Order:
        self.now_ms += 1
        order = self.engine.place(account, self.request(side, quantity, price, **more), self.now_ms)
        self.collect()
        return order

    def oco(
        self, account: Account, side: str, quantity: str, limit: str, stop: str, stop_limit: str | None = None
    ) -> OrderList:
        return self.place_list(account, self.pair(side, quantity, limit, stop, stop_limit))

    def pair(
        self, side: str, quantity: str, limit: str, stop: str, stop_limit: str | None = None
    ) -> tuple[OrderRequest, ...]:
        """Profit and stop leg of a one-cancels-the-other list."""
        kind = "STOP_LOSS_LIMIT" if stop_limit else "STOP_LOSS"
        return (
            self.request(side, quantity, limit, kind="LIMIT_MAKER"),
            self.request(side, quantity, stop_limit, kind=kind, stop=stop),
        )

    def place_list(
        self, account: Account, legs: tuple[OrderRequest, ...], working: OrderRequest | None = None
    ) -> OrderList:
        self.now_ms += 1
        order_list = self.engine.place_list(account, OrderListRequest("list", legs, working), self.now_ms)
        self.collect()
        return order_list

    def cancel(self, order: Order) -> None:
        self.engine.cancel(order, self.now_ms)
        self.collect()

    def quote(self, bid: str, bid_size: str, ask: str, ask_size: str) -> None:
        self.depth({bid: bid_size}, {ask: ask_size})

    def depth(self, bids: dict[str, str], asks: dict[str, str]) -> None:
        sides = [
            {to_units(Decimal(p)): to_units(Decimal(q)) for p, q in levels.items()} for levels in (bids, asks)
        ]
        liquidity.set_depth(self.engine, SYMBOL, sides[0], sides[1], self.now_ms)
        self.collect()

    def trade(self, price: str, quantity: str, buyer_is_maker: bool = True) -> None:
        liquidity.trade(
            self.engine,
            SYMBOL,
            to_units(Decimal(price)),
            to_units(Decimal(quantity)),
            buyer_is_maker,
            self.now_ms,
        )
        self.collect()

    def collect(self) -> None:
        self.events += self.engine.take_events()

    def fills(self, order: Order | None = None) -> list[tuple[str, str]]:
        """(price, quantity) of every fill of an order (or of all users')."""
        return [
            (plain(e.price), plain(e.quantity))
            for e in self.executions(Kind.TRADE)
            if order is None or e.order is order
        ]

    def executions(self, kind: Kind) -> list[Execution]:
        return [e for e in self.events if isinstance(e, Execution) and e.kind is kind]

    def total(self, asset: str) -> Decimal:
        """Over users, the outside world and the house."""
        everybody = [*self.engine.accounts.values(), self.engine.world, self.engine.house]
        return to_decimal(total_units(everybody, asset))


def plain(units: int) -> str:
    return f"{to_decimal(units).normalize():f}"


def free(account: Account, asset: str) -> str:
    return plain(account.free.get(asset, 0))


def locked(account: Account, asset: str) -> str:
    return plain(account.locked.get(asset, 0))
