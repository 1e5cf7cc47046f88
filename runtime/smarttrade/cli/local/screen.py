"""Shows a picture: live in a terminal, or line by line where nobody looks at a terminal."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Protocol

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from smarttrade.cli.local.children import Child
from smarttrade.cli.local.picture import Picture, describe_fill

_SUMMARY_S = 10.0


class Screen(Protocol):
    def say(self, line: str) -> None: ...
    def show(self, picture: Picture, children: Sequence[Child]) -> None: ...
    def close(self) -> None: ...


class PlainScreen:
    """One line for what happens, and a summary every ten seconds."""

    def __init__(self, write: Callable[[str], None] | None = None) -> None:
        self._write = write or (lambda line: print(line, flush=True))
        self._leader = ""
        self._shown = 0.0

    def say(self, line: str) -> None:
        self._write(f"{datetime.now().astimezone():%H:%M:%S} {line}")

    def show(self, picture: Picture, children: Sequence[Child]) -> None:
        if picture.leader != self._leader:
            self._leader = picture.leader
            self.say(f"leader: {self._leader or 'nobody'}")
        now = time.monotonic()
        if picture.view and now - self._shown >= _SUMMARY_S:
            self._shown = now
            self.say(summarize(picture))

    def close(self) -> None:
        return None


class LiveScreen:
    """A panel that is redrawn in place; what is said scrolls above it."""

    def __init__(self, title: str, console: Console | None = None) -> None:
        self._title = title
        self._console = console or Console()
        self._live = Live(Text("starting"), console=self._console, refresh_per_second=4, transient=False)
        self._live.start()

    def say(self, line: str) -> None:
        self._console.print(f"[dim]{datetime.now().astimezone():%H:%M:%S}[/dim] {line}", highlight=False)

    def show(self, picture: Picture, children: Sequence[Child]) -> None:
        self._live.update(build_panel(self._title, picture, children))

    def close(self) -> None:
        self._live.stop()


def summarize(picture: Picture) -> str:
    """The account in one line."""
    view = picture.view
    if view is None:
        return "nobody leads yet"
    positions = (
        ", ".join(f"{p.quantity.normalize():f} {p.market}" for p in view.positions if p.quantity) or "flat"
    )
    return (
        f"{view.effective_state}, {positions}, equity {money(view.equity)} {view.currency}, "
        f"PnL {money(picture.realized_pnl)} + {money(picture.unrealized_pnl)}, {picture.fill_count} fills"
    )


def build_panel(title: str, picture: Picture, children: Sequence[Child]) -> RenderableType:
    parts: list[RenderableType] = [_figures(picture), _containers(children)]
    if picture.prices:
        parts.append(_markets(picture))
    if picture.fills:
        parts.append(_fills(picture))
    parts += [Text(problem, style="yellow") for problem in picture.problems]
    parts += [Text(note, style="red", overflow="ellipsis", no_wrap=True) for note in picture.notes]
    return Panel(Group(*parts), title=title, subtitle="Ctrl-C stops all; edit the manifest to change it")


def money(amount: Decimal) -> str:
    return f"{amount:,.2f}"


def _figures(picture: Picture) -> RenderableType:
    table = Table.grid(padding=(0, 3))
    view = picture.view
    if view is None:
        return Text("nobody leads yet", style="yellow")
    table.add_row("State", f"[bold]{view.effective_state}[/bold]", "Leader", picture.leader)
    table.add_row("Equity", f"{money(view.equity)} {view.currency}", "Available", money(view.available))
    table.add_row("Realised", money(picture.realized_pnl), "Unrealised", money(picture.unrealized_pnl))
    table.add_row("Fills", str(picture.fill_count), "Generation", str(picture.generation))
    return table


def _containers(children: Sequence[Child]) -> RenderableType:
    words = []
    for child in children:
        color = "green" if child.pid else "red"
        again = f" ({child.restarts} restarts)" if child.restarts else ""
        words.append(f"[{color}]●[/{color}] {child.name}{again}")
    return Text.from_markup("  ".join(words))


def _markets(picture: Picture) -> RenderableType:
    table = Table("Market", "Bid", "Ask", "Position", "Average", box=None)
    positions = {p.market: p for p in picture.view.positions} if picture.view else {}
    for market, quote in sorted(picture.prices.items()):
        held = positions.get(market)
        quantity, average = (
            (f"{held.quantity.normalize():f}", f"{held.average_price:.8g}")
            if held and held.quantity
            else ("-", "-")
        )
        bid, ask = (f"{price.normalize():f}" for price in (quote.bid, quote.ask))
        table.add_row(market, bid, ask, quantity, average)
    return table


def _fills(picture: Picture) -> RenderableType:
    table = Table("Time", "Fill", box=None)
    for fill in reversed(picture.fills):
        when = datetime.fromtimestamp(fill.time_ms / 1000, UTC).astimezone()
        table.add_row(f"{when:%H:%M:%S}", describe_fill(fill))
    return table
