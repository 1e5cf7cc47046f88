"""The sections of the page, in the order in which they are read."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from importlib.resources import files
from typing import Any

import yaml

from smarttrade._version import __version__
from smarttrade.backtest.figures import FIGURES, render
from smarttrade.backtest.history import History
from smarttrade.backtest.report.charts import Chart, Span, build_chart
from smarttrade.backtest.report.html import Html, element, join, table
from smarttrade.backtest.report.marks import denial_series, entries_and_exits, trip_segments
from smarttrade.backtest.report.months import build_months
from smarttrade.backtest.report.series import (
    drawdown_series,
    equity_series,
    exposure_series,
    price_series,
)
from smarttrade.backtest.result import Recorded

_CARDS = ("return", "cagr", "sharpe", "max_drawdown", "profit_factor", "win_rate", "exposure", "trades")
_TRADES = 1_000
_LEGEND = (
    '<p class="legend"><span class="buy">buy</span><span class="sell">sell</span>'
    '<span class="won">trade with profit</span><span class="lost">trade with loss</span></p>'
)
_OPEN_MARKETS = 4


def build_page(recorded: Recorded, history: History, document: dict[str, Any]) -> str:
    """The whole page. `document` is `result.build_document` of the same run."""
    span = Span(recorded.start_ms, recorded.points.times[-1])
    sections = [
        _cards(document),
        _equity(recorded, document, span),
        _prices(recorded, history, document, span),
        _section("Months", build_months(document["monthly"])),
        _trades(document),
        _denials(recorded, document, span),
        _figures(document),
        _assumptions(recorded, document),
    ]
    return build_frame(f"{document['account']}: {document['strategy']}", _header(document), sections, span)


def build_frame(title: str, header: Html, sections: list[Html], span: Span | None = None) -> str:
    """A complete HTML document with style and script inside."""
    home = files("smarttrade.backtest.report")
    head = join(
        Html('<meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">'),
        Html('<meta name="color-scheme" content="light dark">'),
        element("title", title),
        element("style", Html((home / "report.css").read_text(encoding="utf-8"))),
    )
    about = element(
        "footer", f"smarttrade {__version__}. Times are UTC. Past results say little of future ones."
    )
    script = element("script", Html((home / "report.js").read_text(encoding="utf-8")))
    bounds = {"data_start": span.start_ms, "data_end": span.end_ms} if span else {}
    body = element("body", header, element("main", *sections, **bounds), about, script)
    return f'<!doctype html>\n<html lang="en"><head>{head}</head>{body}</html>\n'


def _header(document: dict[str, Any]) -> Html:
    parameters = ", ".join(f"{name} {value}" for name, value in document["parameters"].items())
    details = (
        f"{', '.join(document['markets'])} · {document['timeframe']} candles · "
        f"{_date(document['from'])} to {_date(document['to'])}"
    )
    return element(
        "header",
        element("p", "Backtest of ", document["account"], class_="kicker"),
        element("h1", document["strategy"], *([element("small", parameters)] if parameters else [])),
        element("p", details),
    )


def _cards(document: dict[str, Any]) -> Html:
    cards = [
        element(
            "div",
            element("span", figure.label),
            element(
                "strong", render(value, figure.kind, document["currency"]), class_=_tone(figure.key, value)
            ),
            title=figure.meaning,
        )
        for figure in FIGURES
        if figure.key in _CARDS
        for value in [document["metrics"][figure.key]]
    ]
    return element("section", *cards, class_="cards")


def _tone(key: str, value: Any) -> str | None:
    if value is None or key not in ("return", "cagr", "sharpe"):
        return None
    return "gain" if value > 0 else "loss" if value < 0 else None


def _equity(recorded: Recorded, document: dict[str, Any], span: Span) -> Html:
    allocation = float(document["metrics"]["equity_start"])
    charts = [
        Chart(
            title="Equity",
            series=equity_series(recorded),
            unit=document["currency"],
            style="equity",
            height=260,
            level=allocation,
        ),
        Chart(
            title="Drawdown",
            series=drawdown_series(recorded),
            kind="percent",
            style="drawdown",
            height=130,
            base=0,
        ),
        Chart(
            title="Exposure",
            series=exposure_series(recorded),
            kind="percent",
            style="exposure",
            height=110,
            base=0,
        ),
    ]
    return _section("Equity, drawdown and exposure", *(build_chart(chart, span) for chart in charts))


def _prices(recorded: Recorded, history: History, document: dict[str, Any], span: Span) -> Html:
    blocks, trips = [], recorded.trips()
    for number, market in enumerate(document["markets"]):
        prices = price_series(history, market, *span)
        chart = Chart(
            title=market,
            series=prices,
            unit=market.partition("/")[2],
            style="price",
            height=280,
            dots=entries_and_exits(recorded.fills, market, span),
            segments=trip_segments(trips, market),
        )
        opened = {"open": ""} if number < _OPEN_MARKETS else {}
        blocks.append(element("details", element("summary", market), build_chart(chart, span), **opened))
    return _section("Price, entries and exits", Html(_LEGEND), *blocks)


def _trades(document: dict[str, Any]) -> Html:
    trips = document["trips"]
    rows = [_trade(trip) for trip in reversed(trips[-_TRADES:])]
    head = ["market", "entry", "exit", "quantity", "entry price", "exit price", "fees", "profit", "return"]
    told = f"The newest {_TRADES:,} of {len(trips):,}; --json has all." if len(trips) > _TRADES else ""
    return _section("Trades", element("p", told), _scrolling(table(head, rows, class_="rows trades")))


def _trade(trip: dict[str, Any]) -> list[str]:
    profit, cost = trip["profit"], Decimal(trip["quantity"]) * Decimal(trip["entry_price"] or 0)
    return [
        trip["market"],
        _moment(trip["entry_ms"]),
        _moment(trip["exit_ms"]) if trip["exit_ms"] else "open",
        f"{Decimal(trip['quantity']).normalize():f}",
        _price(trip["entry_price"]),
        _price(trip["exit_price"]),
        f"{float(trip['fees']):,.2f}",
        *([_toned(profit, ",.2f"), _toned(Decimal(profit) / cost, "+.2%")] if profit and cost else ["", ""]),
    ]


def _denials(recorded: Recorded, document: dict[str, Any], span: Span) -> Html:
    denials = recorded.denials()
    if not denials:
        return _section("Risk denials", element("p", "Risk denied nothing and the exchange refused nothing."))
    chart = Chart(
        title="Denials",
        series=denial_series(denials, span),
        kind="count",
        style="denials",
        height=90,
        base=0,
    )
    rows = [
        [
            group["code"],
            group["market"],
            f"{group['count']:,}",
            _date(group["first"]),
            _date(group["last"]),
            group["message"],
        ]
        for group in document["denied"]
    ]
    head = ["code", "market", "decisions", "first", "last", "the last one's words"]
    return _section("Risk denials", build_chart(chart, span), _scrolling(table(head, rows, class_="rows")))


def _figures(document: dict[str, Any]) -> Html:
    rows = [
        [
            figure.label,
            render(document["metrics"][figure.key], figure.kind, document["currency"]),
            figure.meaning,
        ]
        for figure in FIGURES
    ]
    return _section("All figures", table(["figure", "", "meaning"], rows, class_="figures"))


def _assumptions(recorded: Recorded, document: dict[str, Any]) -> Html:
    manifest = recorded.account.model_dump(mode="json", by_alias=True, exclude_unset=True)
    text = yaml.safe_dump(manifest, sort_keys=False, allow_unicode=True)
    shown = element("details", element("summary", "The manifest"), element("pre", text))
    rows = build_assumption_rows(document["assumptions"])
    return _section("What was assumed", table(["", ""], rows, class_="figures"), shown)


def build_assumption_rows(assumed: dict[str, Any]) -> list[list[str]]:
    """Name and value of everything that the manifest does not say."""
    return [
        ["fill model", assumed["fill_model"]],
        ["fees", f"{assumed['maker_fee']} maker, {assumed['taker_fee']} taker, of the notional"],
        ["spread", f"{assumed['spread']} of the price"],
        ["slippage", f"{assumed['slippage']} of the price, of marketable orders, beyond half the spread"],
        [
            "latency",
            f"{assumed['latency_ms']} ms from decision to exchange, drawn with seed {assumed['seed']}",
        ],
    ]


def _section(title: str, *content: Html) -> Html:
    return element("section", element("h2", title), *content)


def _scrolling(content: Html) -> Html:
    return element("div", content, class_="scrolling", tabindex=0)


def _toned(value: Any, form: str) -> Html:
    number = Decimal(value)
    return element(
        "td", format(number, form), class_="gain" if number > 0 else "loss" if number < 0 else None
    )


def _price(text: str | None) -> str:
    return f"{float(text):,.8g}" if text else ""


def _moment(time_ms: int) -> str:
    return f"{datetime.fromtimestamp(time_ms / 1000, UTC):%Y-%m-%d %H:%M:%S}"


def _date(text: str) -> str:
    return text[:16].replace("T", " ")
