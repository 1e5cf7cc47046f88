"""Order operations a second of CPU time, against the pip-installable engines of pure Python.

One seeded stream of limit orders (resting and crossing) and cancels is generated once; every engine runs it
in a process of its own, and must trade the same quantity. Measured in CPU time.
References live in a virtual environment in the cache.
This file is run there too, as a script, so it imports nothing but the standard library at the top.
"""

import importlib
import json
import os
import random
import subprocess
import sys
import time
import venv
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

REFERENCES = {"lightmatchingengine": "2019.1.4", "order-matching": "0.12.0", "pyorderbook": "0.4.9"}
EXTRAS = {"order-matching": "[polars]"}  # it does not import without
OPERATIONS = 200_000
SLOW_OPERATIONS = 4_000
TARGET = 3.0
ROUNDS = 3
SEED = 20_211_231

Operation = tuple[str, int, int, int]


class Engine(Protocol):
    """`add` returns a handle for `cancel`, and how much traded at once."""

    def add(self, side: int, price: int, quantity: int) -> tuple[Any, int]: ...

    def cancel(self, handle: Any) -> None: ...


def build_operations(count: int) -> list[Operation]:
    """("add", side, price, quantity) or ("cancel", index of an order that still rests, 0, 0).

    Three in four operations add: four in five of these rest up to 200 ticks away, one in five crosses.
    """
    rng, book = random.Random(SEED), SortedBook()
    operations: list[Operation] = []
    live: dict[int, tuple[int, int]] = {}
    adds = 0
    while len(operations) < count:
        if live and rng.random() < 0.25:
            index = rng.choice(book.recent(live))
            operations.append(("cancel", index, 0, 0))
            book.remove(index)
            del live[index]
            continue
        side = rng.choice((1, -1))
        away = -rng.randrange(1, 6) if rng.random() < 0.2 else rng.randrange(1, 200)
        price, quantity = 100_000 - side * away, rng.randrange(1, 50)
        operations.append(("add", side, price, quantity))
        for filled in book.add(adds, side, price, quantity):
            del live[filled]
        if book.rests(adds):
            live[adds] = (side, price)
        adds += 1
    return operations


class SortedBook:
    """The generator's own, plain book: which orders still rest."""

    def __init__(self) -> None:
        self._orders: dict[int, list[int]] = {}
        self._levels: dict[int, dict[int, list[int]]] = {1: {}, -1: {}}
        self._keys: list[int] = []

    def recent(self, live: dict[int, tuple[int, int]]) -> list[int]:
        """Some live orders, found without copying all of them."""
        while self._keys and self._keys[-1] not in live:
            self._keys.pop()
        return [key for key in self._keys[-40:] if key in live]

    def rests(self, index: int) -> bool:
        return index in self._orders

    def remove(self, index: int) -> None:
        side, price, _ = self._orders.pop(index)
        queue = self._levels[side][price]
        queue.remove(index)
        if not queue:
            del self._levels[side][price]

    def add(self, index: int, side: int, price: int, quantity: int) -> list[int]:
        filled: list[int] = []
        other = self._levels[-side]
        while quantity and other:
            best = min(other) if side == 1 else max(other)
            if (best - price) * side > 0:
                break
            while quantity and best in other:
                maker = other[best][0]
                traded = min(quantity, self._orders[maker][2])
                quantity -= traded
                self._orders[maker][2] -= traded
                if not self._orders[maker][2]:
                    self.remove(maker)
                    filled.append(maker)
        if quantity:
            self._orders[index] = [side, price, quantity]
            self._levels[side].setdefault(price, []).append(index)
            self._keys.append(index)
        return filled


# --- engines ----------------------------------------------------------------------------------------


def our_book() -> Engine:
    from smarttrade.matching.book import OrderBook
    from smarttrade.matching.orders import Resting

    class Ours:
        def __init__(self) -> None:
            self.book = OrderBook()
            self.next_id = 0

        def add(self, side: int, price: int, quantity: int) -> tuple[Any, int]:
            self.next_id += 1
            order = Resting(self.next_id, None, side, price, quantity)
            self.book.place(order)
            return order, quantity - order.open

        def cancel(self, handle: Any) -> None:
            self.book.cancel(handle)

    return Ours()


def our_engine() -> Engine:
    """Everything: filters, balances, fees, events."""
    from decimal import Decimal

    from smarttrade.matching import Account, Market, OrderRequest, OrderType
    from smarttrade.matching import Engine as FillEngine

    fields: dict[str, Any] = {
        "max_open_orders": 10**9,
        "max_stop_orders": 10**9,
        "min_notional": Decimal("0.01"),
    }
    market = Market("BTC", "USDT", step_size=Decimal("0.001"), min_quantity=Decimal("0.001"), **fields)

    class Ours:
        def __init__(self) -> None:
            self.engine = FillEngine([market])
            self.users = [self.engine.add_account(Account(f"user{index}")) for index in range(200)]
            for user in self.users:
                user.deposit("BTC", Decimal(10**6))
                user.deposit("USDT", Decimal(10**10))
            self.count = 0

        def add(self, side: int, price: int, quantity: int) -> tuple[Any, int]:
            self.count += 1
            request = OrderRequest(
                "BTC/USDT",
                side,
                OrderType.LIMIT,
                str(self.count),
                Decimal(quantity) / 1000,
                price=Decimal(price) / 100,
            )
            order = self.engine.place(self.users[self.count % 200], request, self.count)
            self.engine.take_events()
            return order, order.filled // 100_000

        def cancel(self, handle: Any) -> None:
            self.engine.cancel(handle, self.count)
            self.engine.take_events()

    return Ours()


def lightmatchingengine() -> Engine:
    module: Any = importlib.import_module("lightmatchingengine.lightmatchingengine")

    class Theirs:
        def __init__(self) -> None:
            self.engine = module.LightMatchingEngine()

        def add(self, side: int, price: int, quantity: int) -> tuple[Any, int]:
            order, _ = self.engine.add_order("BTC", price, quantity, 1 if side == 1 else 2)
            return order.order_id, order.cum_qty

        def cancel(self, handle: Any) -> None:
            self.engine.cancel_order(handle, "BTC")

    return Theirs()


def pyorderbook() -> Engine:
    module: Any = importlib.import_module("pyorderbook")

    class Theirs:
        def __init__(self) -> None:
            self.book = module.Book()

        def add(self, side: int, price: int, quantity: int) -> tuple[Any, int]:
            order = (module.bid if side == 1 else module.ask)("BTC", price, quantity)
            self.book.match(order)
            return order, quantity - order.quantity

        def cancel(self, handle: Any) -> None:
            self.book.cancel(handle)

    return Theirs()


def order_matching() -> Engine:
    enums, engine, order, orders = (
        importlib.import_module(f"order_matching.{name}")
        for name in ("enums", "matching_engine", "order", "orders")
    )
    importlib.import_module("loguru").logger.remove()
    now = datetime(2024, 1, 1)  # noqa: DTZ001 - its orders compare with naive times

    class Theirs:
        def __init__(self) -> None:
            self.engine = engine.MatchingEngine(seed=1)
            self.count = 0

        def add(self, side: int, price: int, quantity: int) -> tuple[Any, int]:
            self.count += 1
            limit = order.LimitOrder(
                side=enums.Side.BUY if side == 1 else enums.Side.SELL,
                price=price,
                size=quantity,
                timestamp=now,
                order_id=str(self.count),
                trader_id="t",
            )
            self.engine.place(orders.Orders([limit]))
            trades = self.engine.match(timestamp=now).trades
            return limit.order_id, int(sum(trade.size for trade in trades))

        def cancel(self, handle: Any) -> None:
            self.engine.cancel_order(handle)

    return Theirs()


ENGINES: dict[str, Callable[[], Engine]] = {
    "our-book": our_book,
    "our-engine": our_engine,
    "lightmatchingengine": lightmatchingengine,
    "pyorderbook": pyorderbook,
    "order-matching": order_matching,
}


# --- measuring --------------------------------------------------------------------------------------


def measure(build: Callable[[], Engine], operations: list[Operation]) -> tuple[float, int]:
    """(operations a second, quantity traded)."""
    engine = build()
    handles: list[Any] = []
    traded = 0
    started = time.process_time()
    for kind, first, price, quantity in operations:
        if kind == "add":
            handle, filled = engine.add(first, price, quantity)
            handles.append(handle)
            traded += filled
        else:
            engine.cancel(handles[first])
    return len(operations) / (time.process_time() - started), traded


def measure_elsewhere(python: Path, name: str, count: int) -> tuple[float, int]:
    """Best of a few rounds of one engine in a fresh process."""
    runs = []
    for _ in range(ROUNDS):
        command = [str(python), __file__, name, str(count)]
        runs.append(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
    return max(run[0] for run in runs), runs[0][1]


def reference_python() -> Path:
    """The interpreter of the references' environment, made where it is missing."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "smarttrade"
    wanted = [f"{name}{EXTRAS.get(name, '')}=={version}" for name, version in REFERENCES.items()]
    folder = cache / "benchmarks" / ("matching-" + "-".join(REFERENCES.values()))
    python = folder / "bin" / "python"
    if not (folder / "complete").exists():
        venv.create(folder, with_pip=True, clear=True)
        subprocess.run([str(python), "-m", "pip", "install", "-q", *wanted], check=True)
        (folder / "complete").touch()
    return python


def run() -> list[dict[str, Any]]:
    """A row for each reference, the fastest with the target; the whole engine is reported beside the book."""
    theirs = reference_python()
    ours = Path(sys.executable)
    speeds: dict[str, float] = {}
    for name in ("lightmatchingengine", "pyorderbook"):
        speeds[name], traded = measure_elsewhere(theirs, name, OPERATIONS)
        book_speed, our_traded = measure_elsewhere(ours, "our-book", OPERATIONS)
        if traded != our_traded:
            raise RuntimeError(f"{name} traded {traded}, ours {our_traded}: they did not do the same work")
    engine_speed, _ = measure_elsewhere(ours, "our-engine", OPERATIONS)
    slow_speed, traded = measure_elsewhere(theirs, "order-matching", SLOW_OPERATIONS)
    slow_book_speed, our_traded = measure_elsewhere(ours, "our-book", SLOW_OPERATIONS)
    if traded != our_traded:
        raise RuntimeError(
            f"order-matching traded {traded}, ours {our_traded}: they did not do the same work"
        )
    fastest = max(speeds, key=lambda name: speeds[name])
    return [
        build_row(f"order operations, {OPERATIONS}", book_speed, fastest, speeds[fastest], TARGET),
        *(
            build_row(f"order operations, {OPERATIONS}", book_speed, n, s, None)
            for n, s in speeds.items()
            if n != fastest
        ),
        build_row(
            f"order operations, {SLOW_OPERATIONS}", slow_book_speed, "order-matching", slow_speed, None
        ),
        build_row("with filters, balances, fees, events", engine_speed, fastest, speeds[fastest], None),
    ]


def build_row(metric: str, ours: float, name: str, reference: float, target: float | None) -> dict[str, Any]:
    ratio = ours / reference
    return {
        "metric": metric,
        "unit": "operations/s",
        "ours": round(ours),
        "reference": round(reference),
        "reference_name": f"{name} {REFERENCES[name]}",
        "ratio": round(ratio, 2),
        "target": target,
        "met": None if target is None else ratio >= target,
    }


if __name__ == "__main__":
    print(json.dumps(measure(ENGINES[sys.argv[1]], build_operations(int(sys.argv[2])))))
