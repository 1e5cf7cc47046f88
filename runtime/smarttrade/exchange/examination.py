"""What is asked of an exchange before an account may send its first order there.

Nothing here changes anything: the trial order goes to the exchange's own test of orders, and where it has
none, none is sent.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from decimal import Decimal
from typing import Any

from smarttrade.exchange.capabilities import Capability
from smarttrade.exchange.key import KeyReport, find_question
from smarttrade.exchange.pacing import Pacer
from smarttrade.exchange.parsing import number
from smarttrade.exchange.reports import Fees
from smarttrade.exchange.weights import Question


class Examination:
    """Questions over one ccxt instance. Every method raises VenueError where there is no answer."""

    def __init__(
        self,
        exchange: Any,
        row: Capability,
        pacer: Pacer,
        translated: Callable[[], AbstractAsyncContextManager[None]],
        *,
        sandbox: bool,
    ) -> None:
        self._exchange = exchange
        self._row = row
        self._pacer = pacer
        self._translated = translated
        self._sandbox = sandbox

    async def read_key(self) -> KeyReport:
        """What the key may do, and the account that it belongs to."""
        question = find_question(self._row.exchange, sandbox=self._sandbox)
        answers = []
        for method in question.methods:
            await self._pacer.take(Question.ACCOUNT)
            async with self._translated():
                answers.append(await getattr(self._exchange, method)())
        return question.parse(*answers)

    async def read_fees(self, market: str) -> Fees:
        """The account's own fees in one market."""
        await self._pacer.take(Question.ACCOUNT)
        async with self._translated():
            if self._row.exchange == "binance":
                symbol = self._exchange.market(market)["id"]
                return parse_commission(
                    await self._exchange.private_get_account_commission({"symbol": symbol})
                )
            told = await self._exchange.fetch_trading_fee(market)
            return Fees(number(told.get("maker")), number(told.get("taker")))

    async def read_price(self, market: str) -> Decimal:
        """The last price."""
        await self._pacer.take(Question.TICKER)
        async with self._translated():
            ticker = await self._exchange.fetch_ticker(market)
            return number(ticker.get("last") or ticker.get("close"))

    async def try_order(self, market: str, price: Decimal, quantity: Decimal) -> bool:
        """Let the exchange judge an order without placing it; False where it cannot. VenueRejectedError and
        VenueCredentialsError say what it has against it."""
        if self._row.test_parameters is None:
            return False
        await self._pacer.take(Question.ORDER)
        async with self._translated():
            await self._exchange.create_order(
                market,
                "limit",
                "buy",
                format(quantity, "f"),
                format(price, "f"),
                {"timeInForce": "IOC", **self._row.test_parameters},
            )
        return True


def parse_commission(answer: dict[str, Any]) -> Fees:
    """GET /api/v3/account/commission: the sum of its parts, without the discount, which may end."""
    parts = [answer.get(name) or {} for name in ("standardCommission", "specialCommission", "taxCommission")]
    maker = sum((number(part.get("maker")) for part in parts), Decimal(0))
    taker = sum((number(part.get("taker")) for part in parts), Decimal(0))
    return Fees(maker, taker)
