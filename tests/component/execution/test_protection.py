"""Protection on the exchange itself: an OCO through ccxt, out of the way of a sale, and hit."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from tests.component.execution.theatre import BTC, eventually

LEVELS: dict[str, Any] = {"stop_loss": Decimal(55_000), "take_profit": Decimal(70_000)}


async def protected(stage: Any, **options: Any) -> Any:
    """A theatre whose account holds about 1 BTC behind a stop and a profit."""
    theatre = await stage(replicas=1, **options)
    await theatre.control()
    await theatre.start("a")
    await theatre.leader()
    assert await theatre.outcome(await theatre.target("1", **LEVELS)) == ("Reached", "")
    await eventually(lambda: len(theatre.open_orders()) == 2, f"stop and profit rest; {theatre._logs()}")
    return theatre


async def test_stop_and_profit_rest_together_make_way_for_a_sale_and_come_back(stage: Any) -> None:
    theatre = await protected(stage)
    first = set(theatre.open_orders())
    assert await theatre.outcome(await theatre.target("0.4", **LEVELS)) == ("Reached", "")
    await eventually(
        lambda: len(theatre.open_orders()) == 2 and not first & set(theatre.open_orders()),
        f"what is left is protected again; {theatre._logs()}",
    )
    assert abs(theatre.bought() - Decimal("0.4")) <= Decimal("0.01")
    assert await theatre.outcome(await theatre.target("0")) == ("Reached", "")
    await eventually(lambda: theatre.open_orders() == [], "nothing protects nothing")
    assert abs(theatre.bought()) < Decimal("0.01")


async def test_a_stop_that_is_hit_sells_and_is_not_bought_back(stage: Any) -> None:
    theatre = await protected(stage)
    theatre.price(BTC, "54950")
    await eventually(lambda: theatre.bought() < Decimal("0.01"), f"the stop sells; {theatre._logs()}")
    await eventually(lambda: theatre.open_orders() == [], "the profit is cancelled with it")
    orders = len(theatre.orders())
    theatre.price(BTC, "56000")
    assert await theatre.outcome(await theatre.target("0")) == ("Reached", "")
    assert len(theatre.orders()) == orders
