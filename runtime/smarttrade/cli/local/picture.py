"""What is known of a running account at one moment: from its reports, fills, positions, prices and logs."""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from smarttrade.messages import AccountView, ExecutionReport, Fill, MonitoringReport, Quote, Report, Side

_LOUD = {"warning", "error", "critical"}


@dataclass
class Picture:
    """Mutable, written by the session and read by the screens."""

    fills: deque[Fill] = field(default_factory=lambda: deque(maxlen=8))
    notes: deque[str] = field(default_factory=lambda: deque(maxlen=8))
    prices: dict[str, Quote] = field(default_factory=dict)
    views: dict[str, AccountView] = field(default_factory=dict)
    executions: dict[str, ExecutionReport] = field(default_factory=dict)
    monitorings: dict[str, MonitoringReport] = field(default_factory=dict)
    generation: int = 0
    _seen: set[tuple[str, str, Side]] = field(default_factory=set)

    @property
    def fill_count(self) -> int:
        return len(self._seen)

    @property
    def leader(self) -> str:
        """The pod that leads by the newest epoch; empty when none does."""
        leading = [(view.epoch, pod) for pod, view in self.views.items() if view.leading]
        return max(leading)[1] if leading else ""

    @property
    def view(self) -> AccountView | None:
        """The leader's view of the account."""
        return self.views.get(self.leader)

    @property
    def report(self) -> ExecutionReport | None:
        return self.executions.get(self.leader)

    @property
    def realized_pnl(self) -> Decimal:
        return sum((p.realized_pnl for p in self.view.positions), Decimal(0)) if self.view else Decimal(0)

    @property
    def unrealized_pnl(self) -> Decimal:
        return sum((p.unrealized_pnl for p in self.view.positions), Decimal(0)) if self.view else Decimal(0)

    @property
    def problems(self) -> list[str]:
        """What the leader's reports say is not as it should be."""
        reports = [self.report, self.monitorings.get(self.leader)]
        checks = [check for report in reports if report for check in report.checks if not check.ok]
        return [f"{check.type}: {check.reason} {check.message}".strip() for check in checks]

    def add_report(self, report: Report) -> None:
        if isinstance(report, ExecutionReport):
            self.executions[report.pod] = report
        else:
            self.monitorings[report.pod] = report

    def add_view(self, pod: str, view: AccountView) -> None:
        self.views[pod] = view

    def add_quote(self, quote: Quote) -> None:
        self.prices[quote.market] = quote

    def add_fill(self, fill: Fill) -> bool:
        """True for a fill that is new: a new leader may tell one again."""
        key = (fill.market, fill.trade_id, fill.side)
        if key in self._seen:
            return False
        self._seen.add(key)
        self.fills.append(fill)
        return True

    def add_log_line(self, name: str, line: str) -> str | None:
        """The note that a loud line is worth; what is not JSON (a traceback) counts as loud."""
        try:
            entry = json.loads(line)
        except ValueError:
            entry = {"level": "error", "event": line}
        if not isinstance(entry, dict) or entry.get("level") not in _LOUD:
            return None
        note = f"{name}: {entry.get('event', line)}"
        self.notes.append(f"{datetime.now().astimezone():%H:%M:%S} {note}")
        return note

    def drop_pod(self, pod: str) -> None:
        """Its execution is gone: what it said last no longer counts."""
        self.views.pop(pod, None)


def describe_fill(fill: Fill) -> str:
    fee = f", fee {fill.fee.normalize():f} {fill.fee_asset}" if fill.fee else ""
    return f"{fill.side} {fill.quantity.normalize():f} {fill.market} at {fill.price.normalize():f}{fee}"
