"""One self-contained HTML page of a sweep, in the frame and the style of a backtest's."""

from __future__ import annotations

from collections.abc import Sequence

from smarttrade.backtest.report.html import Html, element, table
from smarttrade.backtest.report.page import build_assumption_rows, build_frame
from smarttrade.backtest.result import build_assumptions
from smarttrade.evaluation.loading import strategy_name
from smarttrade.sweep.judge import Row, Verdict
from smarttrade.sweep.plots import build_heatmaps, build_scatter
from smarttrade.sweep.ranges import Axis
from smarttrade.sweep.splits import Fold
from smarttrade.sweep.table import describe, moment, written
from smarttrade.sweep.unit import Work

_SHOWN = 500


def build_page(verdict: Verdict, work: Work, axes: Sequence[Axis], objective: str) -> str:
    """The whole page; scores are means of the objective over all folds."""
    sections = [
        _verdict(verdict),
        element(
            "section", element("h2", "In sample against out of sample"), build_scatter(verdict, objective)
        ),
        *_heatmaps(verdict, axes),
        _section("Walking forward", table(*_choices(verdict, work.folds), class_="rows trades")),
        _candidates(verdict, objective),
        _assumptions(work),
    ]
    name = strategy_name(work.account.spec.strategy)
    return build_frame(f"Sweep of {name}", _header(verdict, work, axes), sections)


def _header(verdict: Verdict, work: Work, axes: Sequence[Axis]) -> Html:
    spec, folds = work.account.spec, work.folds
    markets = ", ".join(market.symbol for market in spec.markets)
    details = (
        f"{markets} · {spec.strategy.timeframe.value} candles · {moment(folds[0].begin_ms)} to "
        f"{moment(folds[-1].end_ms)} · {len(folds)} folds"
    )
    swept = element("small", ", ".join(axis.name for axis in axes))
    return element(
        "header",
        element("p", f"Sweep of {work.account.namespace}/{work.account.name}", class_="kicker"),
        element("h1", strategy_name(spec.strategy), swept),
        element("p", details),
    )


def _verdict(verdict: Verdict) -> Html:
    cards = [
        ("candidates", f"{len(verdict.rows):,}"),
        ("kept out of sample", written(verdict.kept, ".0%")),
        ("rank correlation", written(verdict.related)),
        ("best in sample", written(verdict.rows[0].in_sample) if verdict.rows else "-"),
        ("the same, out of sample", written(verdict.rows[0].out_of_sample) if verdict.rows else "-"),
    ]
    figures = [element("div", element("span", name), element("strong", value)) for name, value in cards]
    warnings = [element("p", warning, class_="warning") for warning in verdict.warnings]
    return element("section", *warnings, element("div", *figures, class_="cards"))


def _heatmaps(verdict: Verdict, axes: Sequence[Axis]) -> list[Html]:
    maps = build_heatmaps(verdict, axes)
    told = "Means over all other parameters. A good region is a plateau in both, not a peak in one."
    pair = element("div", *maps, class_="pair")
    return [_section("Scores over the parameters", element("p", told), pair)] if maps else []


def _choices(verdict: Verdict, folds: Sequence[Fold]) -> tuple[list[str], list[list[str]]]:
    head = ["in sample", "out of sample", "chosen", "score in", "score out", "trades out", "return out"]
    rows = []
    for choice in verdict.choices:
        fold, outside = folds[choice.fold], choice.row.outside[choice.fold]
        rows.append(
            [
                f"{moment(fold.begin_ms)} to {moment(fold.split_ms)}",
                f"to {moment(fold.end_ms)}",
                describe(choice.row.candidate),
                written(choice.in_sample),
                written(choice.out_of_sample),
                f"{outside['trades']:,}",
                f"{outside['return']:+.2%}",
            ]
        )
    return head, rows


def _candidates(verdict: Verdict, objective: str) -> Html:
    names = list(verdict.rows[0].candidate) if verdict.rows else []
    head = [*names, f"{objective} in", f"{objective} out", "trades out", "max drawdown out"]
    rows = [_candidate(row, names) for row in verdict.rows[:_SHOWN]]
    told = f"The best {len(rows):,} of {len(verdict.rows):,}." if len(verdict.rows) > _SHOWN else ""
    scrolling = element("div", table(head, rows, class_="rows numbers"), class_="scrolling", tabindex=0)
    return _section("Candidates, best in sample first", element("p", told), scrolling)


def _candidate(row: Row, names: Sequence[str]) -> list[str]:
    return [
        *(str(row.candidate[name]) for name in names),
        written(row.in_sample),
        written(row.out_of_sample),
        f"{row.out_trades:,}",
        f"{row.out_drawdown:.2%}",
    ]


def _assumptions(work: Work) -> Html:
    rows = build_assumption_rows(build_assumptions(work.assumptions, work.fill_model))
    return _section("What was assumed", table(["", ""], rows, class_="figures"))


def _section(title: str, *content: Html) -> Html:
    return element("section", element("h2", title), *content)
