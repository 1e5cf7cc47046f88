"""Asks the exchange what `preflight` judges, at the start, again while something is wrong, and every hour.

A standby asks too, so that taking over waits for nothing. A question that gets no answer leaves what was
known before as it was: an exchange whose wallet pages are down must not stop an account that has passed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from decimal import ROUND_CEILING, Decimal
from typing import Any, TypeVar

import structlog

from smarttrade.api import TradingAccountSpec
from smarttrade.errors import VenueError
from smarttrade.exchange.examination import Examination
from smarttrade.exchange.reports import MarketFilters
from smarttrade.execution.effects import Input, PreflightRead
from smarttrade.execution.preflight import Facts, judge
from smarttrade.execution.targets import floor_to

_AGAIN_S, _SOON_S, _PASSED_S = 60.0, 5.0, 3_600.0
_ABOVE_MINIMUM = Decimal("1.2")

T = TypeVar("T")


class PreflightProbe:
    """One account's questions; `fingerprint` makes of the account's id what may be reported."""

    def __init__(
        self,
        examination: Examination,
        feed: Callable[[Input], None],
        filters: Callable[[], dict[str, MarketFilters]],
        fingerprint: Callable[[str], tuple[str, ...]],
    ) -> None:
        self._examination = examination
        self._feed = feed
        self._filters = filters
        self._fingerprint = fingerprint
        self._spec: TradingAccountSpec | None = None
        self._asked_anew = asyncio.Event()
        self._passed = False
        self._logger = structlog.get_logger()

    def use(self, spec: TradingAccountSpec) -> None:
        """Ask again, for this specification."""
        self._spec = spec
        self._asked_anew.set()

    async def run(self) -> None:
        """For good."""
        while True:
            pause_s = await self._ask() if self._spec is not None and self._filters() else _SOON_S / 10
            try:
                await asyncio.wait_for(self._asked_anew.wait(), pause_s)
            except TimeoutError:
                continue
            self._asked_anew.clear()

    async def _ask(self) -> float:
        spec = self._spec
        assert spec is not None
        facts = await self.read(spec)
        findings = judge(spec, facts)
        if facts.unanswered and self._passed:
            self._logger.warning("preflight not repeated", unanswered=dict(facts.unanswered))
            return _AGAIN_S
        for finding in findings:
            self._logger.warning("preflight", code=finding.code, reason=finding.message)
        self._passed = not findings
        account = facts.key.account_id if facts.key else ""
        self._feed(PreflightRead(findings=findings, fingerprints=self._fingerprint(account)))
        if facts.unanswered:
            return _SOON_S
        return _PASSED_S if self._passed else _AGAIN_S

    async def read(self, spec: TradingAccountSpec) -> Facts:
        """Ask everything; what is not answered is named."""
        unanswered: dict[str, str] = {}
        filters = self._filters()
        key = await _or_silence(self._examination.read_key(), "key permissions", unanswered)
        fees, trials = {}, {}
        for market in [each.symbol for each in spec.markets if each.symbol in filters]:
            told = await _or_silence(self._examination.read_fees(market), f"fees of {market}", unanswered)
            if told is not None:
                fees[market] = told
            tried = await _or_silence(self._try(filters[market]), f"trial order in {market}", unanswered)
            if tried is not None:
                trials[market] = tried
        return Facts(key=key, filters=filters, fees=fees, trials=trials, unanswered=unanswered)

    async def _try(self, filters: MarketFilters) -> str:
        """What the exchange has against the smallest order at the last price; empty if nothing."""
        from smarttrade.exchange.errors import VenueCredentialsError, VenueRejectedError

        price = floor_to(await self._examination.read_price(filters.market), filters.tick)
        if not filters.active or price <= 0:
            return ""
        try:
            await self._examination.try_order(filters.market, price, smallest_trial(price, filters))
        except (VenueRejectedError, VenueCredentialsError) as error:
            return str(error)
        return ""


def smallest_trial(price: Decimal, filters: MarketFilters) -> Decimal:
    """A quantity that is a little above every minimum, in whole lots."""
    lot = filters.lot or Decimal("0.00000001")
    least = max(filters.minimum_quantity, filters.minimum_notional * _ABOVE_MINIMUM / price, lot)
    return (least / lot).to_integral_value(ROUND_CEILING) * lot


async def _or_silence(asking: Coroutine[Any, Any, T], what: str, unanswered: dict[str, str]) -> T | None:
    try:
        return await asking
    except VenueError as error:
        unanswered[what] = str(error)
        return None
