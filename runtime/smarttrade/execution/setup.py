"""Chooses and builds the exchange of an account, or says why it may not trade there."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from smarttrade.api import DeadMansSwitch, Mode, TradingAccountSpec
from smarttrade.api.catalogue import Endpoint
from smarttrade.errors import ConfigurationError
from smarttrade.exchange.capabilities import Capability, Deadline, Evidence, find_capability
from smarttrade.exchange.paper import PaperTerms, PaperVenue, Standing
from smarttrade.exchange.reports import OrderKind
from smarttrade.exchange.venue import Credentials, Venue
from smarttrade.exchange.weights import EXECUTION, share_of
from smarttrade.execution.book import Book
from smarttrade.execution.context import Tuning
from smarttrade.execution.exchange_link import Exchange
from smarttrade.execution.keys import ORDERS_KEY
from smarttrade.matching import FeeSchedule
from smarttrade.process.gateways import build_route
from smarttrade.process.settings import Settings

SWITCH_MS = 30_000
# An RSA key of 4096 bits as PEM is below it.
_LARGEST_KEY = 8_192


def read_credentials(directory: Path) -> Credentials:
    """The exchange key from a mounted Secret; ConfigurationError names the file that is missing, empty or
    no key: what goes into a header must not say more than one thing. It never shows what is in the file."""
    api_key = _read(directory / "apiKey")
    if not (api_key.isascii() and api_key.isprintable()):
        raise ConfigurationError("apiKey of the exchange credentials is not one line of plain characters")
    return Credentials(
        api_key=api_key,
        secret=_read(directory / "secret"),
        password=_read(directory / "password", optional=True),
    )


def build_tuning(spec: TradingAccountSpec, row: Capability, replicas: int) -> Tuning:
    """The protocol's times. A paper order that the log does not show filled never was: no hold."""
    paper = spec.mode is Mode.PAPER
    return Tuning(
        window_ms=row.window_ms,
        settle_ms=row.settle_ms,
        hold_ms=0 if paper else row.hold_ms,
        replicas=replicas,
        stop_orders=row.stop_orders,
        order_pairs=row.order_pairs,
        amends=row.amends,
        switch_ms=SWITCH_MS if row.dead_mans_switch and not paper else 0,
        restores=not paper,
        preflight=not paper,
    )


def check_capability(spec: TradingAccountSpec) -> Capability:
    """The exchange's row; ConfigurationError where Live may not use it."""
    exchange = spec.exchange
    row = find_capability(exchange.name, exchange.environment)
    if spec.mode is not Mode.LIVE:
        return row
    if exchange.dead_mans_switch is DeadMansSwitch.ARMED and not row.dead_mans_switch:
        raise ConfigurationError(
            f"{exchange.name} has no dead man's switch for spot orders: set spec.exchange.deadMansSwitch to "
            "Disarmed; an account that falls silent is taken over by its other replica"
        )
    if row.deadline is Deadline.NONE:
        raise ConfigurationError(
            f"{exchange.name} enforces no deadline on orders, so one of unknown fate could not be tried "
            "again safely: Live is not offered there; choose another exchange or mode Paper"
        )
    if row.evidence is Evidence.DOCUMENTED and exchange.unverified != "Accept":
        raise ConfigurationError(
            f"how {exchange.name} treats order deadlines is known from its documentation only: set "
            "spec.exchange.unverified to Accept, or use mode Paper"
        )
    return row


def check_orders_key(spec: TradingAccountSpec, key: bytes) -> None:
    """ConfigurationError where Live would trade under ids that another installation could make."""
    if spec.mode is Mode.LIVE and not key:
        raise ConfigurationError(
            f"{ORDERS_KEY} is missing beside the NATS credentials: without a key of this installation its "
            "orders could not be told from another's; the operator puts it into the account's Secret"
        )


def build_exchange(spec: TradingAccountSpec, row: Capability, settings: Settings) -> Exchange:
    """The live exchange, or the in-process one for Paper."""
    symbols = [market.symbol for market in spec.markets]
    endpoint = Endpoint.model_validate_json(settings.endpoint)
    route = build_route(endpoint, settings)
    share = share_of(spec.exchange.request_weight, endpoint.request_weight, EXECUTION)
    if spec.mode is Mode.PAPER:
        return PaperVenue(row, endpoint, symbols, build_paper_terms(spec), route, share)
    credentials = read_credentials(settings.exchange_credentials)
    return Venue(row, endpoint, credentials, symbols, route, share)


def _read(path: Path, *, optional: bool = False) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST_KEY + 1)
        value = content.decode().strip()
    except UnicodeDecodeError:
        raise ConfigurationError(f"{path.name} of the exchange credentials is not text") from None
    except OSError as error:
        if optional:
            return ""
        raise ConfigurationError(
            f"cannot read {path.name} of the exchange credentials: {error.strerror}; the Secret named by "
            "spec.exchange.credentialsSecretRef needs the keys apiKey and secret"
        ) from error
    if len(content) > _LARGEST_KEY or "\0" in value:
        raise ConfigurationError(f"{path.name} of the exchange credentials is no key: too long, or binary")
    if not value and not optional:
        raise ConfigurationError(f"{path.name} of the exchange credentials is empty")
    return value


def build_paper_terms(spec: TradingAccountSpec) -> PaperTerms:
    """Fees and latency of a paper account, as declared."""
    paper = spec.paper
    fees = FeeSchedule(maker=paper.maker_fee, taker=paper.taker_fee)
    return PaperTerms(fees=fees, latency_ms=round(paper.latency.seconds * 1000))


def restore_paper(venue: PaperVenue, book: Book, spec: TradingAccountSpec) -> None:
    """Bring the paper exchange to what the log says: cash, holdings and resting orders."""
    ledger = book.ledger
    cost = sum((ledger.holding(market).cost for market in ledger.held()), Decimal(0))
    standing = [
        Standing(
            client_order_id=order.cid,
            order_id=order.order_id,
            market=order.market,
            side=order.side,
            price=order.price,
            quantity=order.quantity,
            filled=order.recorded,
            trigger=order.trigger,
            group=order.group,
            since_ms=order.deadline_ms + order.window_ms,
        )
        for order in book.unsettled()
        if order.order_id and order.kind is not OrderKind.LIMIT_IOC
    ]
    cash = spec.capital.allocation + ledger.realized_pnl - cost
    venue.restore(
        spec.capital.currency, cash, {market: ledger.quantity(market) for market in ledger.held()}, standing
    )
