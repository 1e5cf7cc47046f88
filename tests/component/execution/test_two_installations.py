"""Two installations with an account of one name on one exchange account: real processes, one simulator."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

from smarttrade.messages import Side
from smarttrade.simulator.testing import Simulator
from tests.component.execution.theatre import ETH, Theatre, eventually


class _Borrowed:
    """A simulator that somebody else starts and stops."""

    def __init__(self, lent: Simulator) -> None:
        self._lent = lent

    def __getattr__(self, name: str) -> Any:
        return getattr(self._lent, name)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None: ...


class _Other(Theatre):
    """Another installation of the same name, with keys of its own, on the exchange account of the first."""

    def __init__(self, binary: Path, directory: Path, lent: Simulator) -> None:
        super().__init__(binary, directory)
        self.exchange = _Borrowed(lent)  # type: ignore[assignment]


def _stopped(theatre: Theatre) -> bool:
    checks = [check for report in theatre.reports[-1:] for check in report.checks]
    return any(check.type == "Reconciled" and check.reason == "SharedExchangeAccount" for check in checks)


async def test_two_installations_that_have_both_sent_see_each_other_and_open_nothing_any_more(
    nats_server_binary: Path, tmp_path: Path
) -> None:
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
    async with (
        Theatre(nats_server_binary, tmp_path / "one") as one,
        _Other(nats_server_binary, tmp_path / "other", one.exchange) as other,
    ):
        await begin(one)
        assert await one.outcome(await one.target("1")) == ("Reached", "")
        await begin(other)
        assert not _stopped(one)
        assert not _stopped(other), "nothing of the other's is open, and what has ended proves nothing"
        assert await other.outcome(await other.rest("bid", Side.BUY, "2900", "1", ETH)) == ("Reached", "")
        [bid] = other.open_orders()

        await eventually(lambda: _stopped(one), "the first has heard of the second's order")
        assert await one.outcome(await one.target("2")) == ("Denied", "SharedExchangeAccount")
        assert await one.outcome(await one.target("0")) == ("Reached", ""), "exits go on"
        await eventually(lambda: _stopped(other), "the second has heard of the first's exit")
        assert await other.outcome(await other.target("1")) == ("Denied", "SharedExchangeAccount")
        assert one.open_orders() == [bid], "neither touches what is the other's"

        await one.pods["a"].kill()
        one.reports.clear()
        await one.start("b")
        await one.leader(other_than="a")
        await eventually(lambda: _stopped(one), "a new process finds the open order at its first comparison")


async def begin(theatre: Theatre) -> None:
    await theatre.control()
    await theatre.start("a")
    await theatre.leader()
    await eventually(lambda: theatre.reports and theatre.reports[-1].leading, "a report")
