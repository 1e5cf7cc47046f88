"""Decisions to acknowledged orders a second, for one account: every one durable before it is sent.

Each market's next decision comes when its last one has ended, so no decision supersedes another and each is
one order. The reference sends orders with the same exchange library to the same simulated exchange, with
nothing around it: no log, no risk checks, no bus. Both together stay below what the exchange allows an
address in a minute (6,000 of request weight, of which an order is 1): near it execution waits for the next
minute, and the exchange's limit would be measured.
"""

from __future__ import annotations

import asyncio
import time
from decimal import Decimal
from typing import Any

import uvloop

from benchmarks._account import PRICE, REFERENCE, Account, load_note, opened
from benchmarks._rows import alone
from smarttrade.api.catalogue import Endpoint
from smarttrade.exchange.endpoints import create_exchange, load_own_markets
from smarttrade.simulator.testing import Simulator, ccxt_config

SYMBOLS = tuple(f"C{number:02d}/USDT" for number in range(8))
DECISIONS = 3_000
BARE_ORDERS = 1_000
LEAST_PER_S = 200


def run() -> list[dict[str, Any]]:
    ours, bare, lost = uvloop.run(_measure())
    return [
        {
            "metric": f"decisions to acknowledged orders over {len(SYMBOLS)} markets ({load_note()})",
            "unit": "1/s",
            "ours": ours,
            "reference": bare,
            "reference_name": "ccxt create_order alone, as many at a time",
            "ratio": ours / bare,
            "target": f">= {LEAST_PER_S}/s",
            "met": ours >= LEAST_PER_S,
        },
        alone(
            f"of {DECISIONS} decisions without an outcome, and markets off their target",
            "",
            lost,
            "0",
            lost == 0,
        ),
    ]


async def _measure() -> tuple[float, float, int]:
    async with opened(["a"], symbols=SYMBOLS) as account:
        bare = await _bare(account.exchange)
        before = len(account.orders())
        held = {symbol: account.bought(symbol) for symbol in SYMBOLS}
        started = time.perf_counter()
        ended = sum(await asyncio.gather(*(_trade(account, symbol) for symbol in SYMBOLS)))
        seconds = time.perf_counter() - started
        acknowledged = len(account.orders()) - before
        lost = DECISIONS - ended + sum(_is_off(account, symbol, held[symbol]) for symbol in SYMBOLS)
    return acknowledged / seconds, bare, lost


def _is_off(account: Account, symbol: str, held: Decimal) -> bool:
    """Whether what the exchange filled since is not what was wanted last: an order lost, or one doubled.

    A difference below the exchange's least order, 5 USDT, is at the target.
    """
    wanted = Decimal(_quantity(_share(symbol) - 1))
    return abs(account.bought(symbol) - held - wanted) > 6 / PRICE


def _quantity(number: int) -> str:
    return "1" if number % 2 == 0 else "2"


async def _trade(account: Account, symbol: str) -> int:
    """Decide one after the other; how many were accepted and ended."""
    ended = 0
    for number in range(_share(symbol)):
        decision = await account.decide("a", symbol, _quantity(number))
        if decision is not None:
            await account.ended(decision)
            ended += 1
    return ended


def _share(symbol: str) -> int:
    whole, rest = divmod(DECISIONS, len(SYMBOLS))
    return whole + (SYMBOLS.index(symbol) < rest)


async def _bare(exchange: Simulator) -> float:
    endpoint = Endpoint(rest=exchange.rest_url, websocket=exchange.ws_url)
    client = create_exchange("binance", endpoint, {**ccxt_config(REFERENCE), "number": str})
    await load_own_markets(client, SYMBOLS)
    waiting = iter(range(BARE_ORDERS))

    async def send(symbol: str) -> None:
        for number in waiting:
            side = "buy" if number % 2 == 0 else "sell"
            price = format(PRICE + (1 if side == "buy" else -1), "f")
            await client.create_order(symbol, "limit", side, "1", price, {"timeInForce": "IOC"})

    started = time.perf_counter()
    await asyncio.gather(*(send(symbol) for symbol in SYMBOLS))
    seconds = time.perf_counter() - started
    await client.close()
    return BARE_ORDERS / seconds
