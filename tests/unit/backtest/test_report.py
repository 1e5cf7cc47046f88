from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal
from html.parser import HTMLParser
from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from smarttrade.backtest.curve import EquityCurve
from smarttrade.backtest.history import History
from smarttrade.backtest.options import Assumptions
from smarttrade.backtest.report import build_page
from smarttrade.backtest.report.axes import time_ticks, value_label, value_ticks
from smarttrade.backtest.report.charts import HEIGHT, WIDTH, Chart, Dot, Span, build_chart
from smarttrade.backtest.report.downsample import Series
from smarttrade.backtest.report.html import Html, element
from smarttrade.backtest.report.months import build_months
from smarttrade.backtest.report.series import price_series
from smarttrade.backtest.result import Recorded, build_document
from smarttrade.backtest.run import Backtest
from smarttrade.backtest.table import print_result
from smarttrade.messages import Side
from tests.unit.backtest.recordings import account, history, random_walk

RISK = {"maxOrderNotional": "10000", "maxPositionNotional": "10000", "maxDailyLoss": "700"}


class Outline(HTMLParser):
    """What a page consists of: tags with their attributes, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def run() -> tuple[Recorded, History, dict[str, Any]]:
    told = history(random_walk(900))
    recorded = Backtest(account(parameters={"fast": 3, "slow": 8}, risk=RISK), told, Assumptions()).run()
    return recorded, told, build_document(recorded, Assumptions())


@pytest.fixture(scope="module")
def page(run: tuple[Recorded, History, dict[str, Any]]) -> str:
    return build_page(*run)


def test_the_page_is_well_formed_and_has_every_section(page: str) -> None:
    outline = Outline(page)
    assert outline.open == []
    for title in ("Equity", "Drawdown", "Exposure", "BTC/USDT", "Months", "Trades", "Risk denials"):
        assert title in outline.text
    assert "a touch is not enough" in outline.text
    assert "0.001 maker, 0.001 taker" in outline.text
    assert "maxDailyLoss" in outline.text


def test_the_page_needs_nothing_from_elsewhere(page: str) -> None:
    attributes = [name for _, attributes in Outline(page).tags for name in attributes]
    assert not {"src", "href", "srcset", "action"} & set(attributes)
    assert not re.search(r"url\(|@import|https?:|fetch\(|XMLHttp", page)


def test_trades_and_denials_of_the_page_are_those_of_the_result(
    run: tuple[Recorded, History, dict[str, Any]], page: str
) -> None:
    recorded, _, document = run
    rows = re.search(r'class="rows trades".*?</table>', page, re.S)
    assert rows is not None
    assert rows.group().count("<tr>") == 1 + len(document["trips"])
    assert len(document["trips"]) > 5
    assert f"{sum(group['count'] for group in document['denied'])}" in page
    assert sum(group["count"] for group in document["denied"]) == len(recorded.denials()) > 0
    buys = re.search(r'<path d="([^"]*)" class="buy">', page)
    assert buys is not None
    assert buys.group(1).count("M") == sum(fill.side is Side.BUY for fill in recorded.fills)


def test_the_terminal_says_what_risk_denied_and_why(run: tuple[Recorded, History, dict[str, Any]]) -> None:
    document = run[2]
    out = StringIO()
    print_result(document, Console(file=out, width=400))
    told = out.getvalue()
    most = document["denied"][0]
    assert f"denied or rejected: {most['code']} {most['count']} times in BTC/USDT, {most['first']} to" in told
    assert most["message"] in told


def test_what_people_wrote_is_escaped(run: tuple[Recorded, History, dict[str, Any]]) -> None:
    recorded, told, document = run
    hostile = {**document, "parameters": {"kind": "</style><script>alert(1)</script>"}}
    page = build_page(recorded, told, hostile)
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_a_long_run_makes_no_larger_page(run: tuple[Recorded, History, dict[str, Any]]) -> None:
    recorded, told, document = run
    recorded = replace(recorded, points=EquityCurve(), start_ms=told.first_ms)
    for minute in range(1, 100_001):
        recorded.points.add(
            told.first_ms + minute * 60_000, Decimal(10_000 + minute % 977), Decimal(minute % 3)
        )
    trips = document["trips"] * 2_000
    page = build_page(recorded, told, {**document, "trips": trips})
    assert len(page) < 700_000
    assert f"The newest 1,000 of {len(trips):,}" in page


def test_a_chart_can_be_read_back_from_its_path() -> None:
    series = Series([0, 250, 1000], [10.0, 30.0, 20.0])
    figure = build_chart(
        Chart(title="x", series=series, dots={"buy": [Dot(500, 15.0)]}, level=5.0), Span(0, 1000)
    )
    low, high = (
        float(re.search(rf'data-{name}="([^"]*)"', figure).group(1))  # type: ignore[union-attr]
        for name in ("low", "high")
    )
    assert low < 5 < 30 < high
    drawn = re.search(r'd="m([^"]*)" class="series"', figure)
    assert drawn is not None
    numbers = [int(each) for each in drawn.group(1).split()]
    xs = [sum(numbers[0 : n + 1 : 2]) for n in range(0, 6, 2)]
    ys = [sum(numbers[1 : n + 2 : 2]) for n in range(0, 6, 2)]
    assert xs == [0, WIDTH // 4, WIDTH]
    assert [high - y / HEIGHT * (high - low) for y in ys] == pytest.approx([10, 30, 20], abs=0.001)


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [(0, 10, [0, 2, 4, 6, 8, 10]), (-0.25, 0.0, [-0.25, -0.2, -0.15, -0.1, -0.05, 0]), (9_990, 10_012, None)],
)
def test_ticks_are_round_and_within(low: float, high: float, ticks: list[float] | None) -> None:
    found = value_ticks(low, high)
    assert ticks is None or found == pytest.approx(ticks)
    assert all(low <= each <= high + 1e-9 for each in found)
    assert 3 <= len(found) <= 8
    assert len({value_label(each, "money", high - low) for each in found}) == len(found)


@pytest.mark.parametrize("days", [0.05, 1, 9, 40, 400, 2_000, 9_000])
def test_a_span_of_any_length_has_some_times(days: float) -> None:
    start = 1_640_995_200_000 + 12_345
    end = start + round(days * 86_400_000)
    found = time_ticks(start, end)
    assert 3 <= len(found) <= 10
    assert all(start <= time <= end for time, _ in found)


def test_prices_are_the_closes_of_the_traded_span() -> None:
    told = history(random_walk(50))
    candles = list(told.candles["BTC/USDT"])
    prices = price_series(told, "BTC/USDT", candles[9].close_ms, candles[29].close_ms)
    assert list(prices.times) == [candle.close_ms for candle in candles[9:30]]
    assert list(prices.values) == [float(candle.close) for candle in candles[9:30]]
    assert len(price_series(told, "BTC/USDT", 0, 2 * candles[-1].close_ms).times) == 50


def test_months_compound_to_their_year() -> None:
    shown = build_months([("2021-12", 0.1), ("2022-01", 0.5), ("2022-02", -0.5)])
    assert "-25.00%" in shown
    assert shown.count("<tr>") == 3


def test_elements_escape_text_and_keep_html() -> None:
    assert element("p", "a < b", Html("<i></i>"), class_='"') == '<p class="&quot;">a &lt; b<i></i></p>'


def test_a_run_without_any_trade_has_a_report_too() -> None:
    told = history(random_walk(400))
    paused = account(parameters={"fast": 3, "slow": 8}, state="Paused")
    recorded = Backtest(paused, told, replace(Assumptions(), seed=4)).run()
    document = build_document(recorded, Assumptions())
    assert document["trips"] == []
    assert Outline(build_page(recorded, told, document)).open == []


def test_exposure_does_not_count_what_is_left_below_a_lot(
    run: tuple[Recorded, History, dict[str, Any]],
) -> None:
    recorded, _, document = run
    held = Decimal(0)
    changes = [(fill.time_ms, fill) for fill in recorded.fills]
    shares, lot = [], recorded.filters["BTC/USDT"].lot
    for point in recorded.points:
        while changes and changes[0][0] <= point.time_ms:
            fill = changes.pop(0)[1]
            fee = fill.fee if fill.fee_asset == "BTC" else Decimal(0)
            held += fill.quantity - fee if fill.side is Side.BUY else -fill.quantity - fee
        shares.append(held >= lot)
    assert 0 < sum(shares) < len(shares)
    assert document["metrics"]["exposure"] == pytest.approx(sum(shares) / len(shares))
