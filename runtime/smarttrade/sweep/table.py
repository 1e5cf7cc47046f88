"""A sweep's verdict for the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from rich.console import Console
from rich.table import Table

from smarttrade.sweep.judge import Verdict
from smarttrade.sweep.ranges import Candidate
from smarttrade.sweep.splits import Fold

SHOWN = 10
_SMALL = 0.1


def print_verdict(verdict: Verdict, objective: str, folds: Sequence[Fold], console: Console) -> None:
    """The best candidates, what walking forward chose, and the warnings."""
    console.print(build_candidates(verdict, objective))
    console.print(build_choices(verdict, folds))
    kept, related = written(verdict.kept, ".0%"), written(verdict.related, ".2f")
    console.print(f"kept out of sample: {kept}; rank correlation of both samples: {related}", highlight=False)
    for warning in verdict.warnings:
        console.print(f"warning: {warning}", style="yellow", highlight=False, soft_wrap=True)


def build_candidates(verdict: Verdict, objective: str) -> Table:
    title = f"best of {len(verdict.rows)} in sample, by mean {objective} of all folds"
    table = Table("parameters", "in sample", "out of sample", "trades out", "max drawdown out", title=title)
    for column in table.columns[1:]:
        column.justify = "right"
    for row in verdict.rows[:SHOWN]:
        table.add_row(
            describe(row.candidate),
            written(row.in_sample),
            written(row.out_of_sample),
            f"{row.out_trades:,}",
            f"{row.out_drawdown:.1%}",
        )
    return table


def build_choices(verdict: Verdict, folds: Sequence[Fold]) -> Table:
    table = Table("in sample", "out of sample until", "chosen", "in", "out", title="walking forward")
    for column in table.columns[3:]:
        column.justify = "right"
    for choice in verdict.choices:
        fold = folds[choice.fold]
        table.add_row(
            f"{moment(fold.begin_ms)} to {moment(fold.split_ms)}",
            moment(fold.end_ms),
            describe(choice.row.candidate),
            written(choice.in_sample),
            written(choice.out_of_sample),
        )
    return table


def describe(candidate: Candidate) -> str:
    return " ".join(f"{name}={value}" for name, value in candidate.items())


def written(score: float | None, form: str = "") -> str:
    """With two decimals, or four for what is small, such as a return; a dash where there is none."""
    if score is None:
        return "-"
    return format(score, form or (".4f" if 0 < abs(score) < _SMALL else ".2f"))


def moment(time_ms: int) -> str:
    return f"{datetime.fromtimestamp(time_ms / 1000, UTC):%Y-%m-%d %H:%M}"
