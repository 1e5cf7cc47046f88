"""The commands by hand and their options; what they do is in `by_hand` and `halting`."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Annotated

import typer

from smarttrade.cli.errors import plainly
from smarttrade.errors import ConfigurationError

if TYPE_CHECKING:
    from smarttrade.cli.by_hand import Hand

Name = Annotated[str, typer.Argument(help="Name of the TradingAccount.", show_default=False)]
Namespace = Annotated[
    str | None,
    typer.Option("-n", "--namespace", help="Its namespace; by default the context's.", show_default=False),
]
Context = Annotated[
    str | None,
    typer.Option("--context", help="The kubeconfig context; by default the current one.", show_default=False),
]
Price = Annotated[str | None, typer.Option(help="At what price, in the quote asset.", show_default=False)]

order_app = typer.Typer(help="One order, by hand.", no_args_is_help=True)
breach_app = typer.Typer(help="A broken loss limit.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    for command in (orders, cancel, close, adopt):
        app.command()(command)
    order_app.command()(resolve)
    breach_app.command()(ack)
    app.add_typer(order_app, name="order")
    app.add_typer(breach_app, name="breach")


def orders(name: Name, namespace: Namespace = None, context: Context = None) -> None:
    """Show own orders by the log and at the exchange, and foreign ones that are open there."""
    from smarttrade.cli.by_hand import print_orders
    from smarttrade.execution.commands_wire import ListOrders

    _end(context, name, namespace, lambda hand: print_orders(hand.ask_anybody(ListOrders(by=hand.whoami()))))


def cancel(
    name: Name,
    order: Annotated[
        list[str] | None, typer.Argument(help="Client order ids, as `smarttrade orders` shows them.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every own order that is open.")] = False,
    namespace: Namespace = None,
    context: Context = None,
) -> None:
    """Cancel own orders. A strategy that still wants them places new ones: pause it first."""
    from smarttrade.cli.by_hand import print_answer
    from smarttrade.execution.commands_wire import CancelOrders

    def act(hand: Hand) -> int:
        _one_of(bool(order), everything, "give client order ids, or --all")
        command = CancelOrders(orders=tuple(order or ()), everything=everything, by=hand.whoami())
        return print_answer(hand.ask_leader(command))

    _end(context, name, namespace, act)


def close(
    name: Name,
    market: Annotated[list[str] | None, typer.Argument(help="Markets, such as BTC/USDT.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every market that is held.")] = False,
    namespace: Namespace = None,
    context: Context = None,
) -> None:
    """Sell what the account holds, within the price collar. An active strategy may buy again."""
    from smarttrade.cli.by_hand import print_answer
    from smarttrade.execution.commands_wire import ClosePositions

    def act(hand: Hand) -> int:
        _one_of(bool(market), everything, "give markets, or --all")
        command = ClosePositions(markets=tuple(market or ()), everything=everything, by=hand.whoami())
        return print_answer(hand.ask_leader(command))

    _end(context, name, namespace, act)


def resolve(
    name: Name,
    order: Annotated[str, typer.Argument(help="Its client order id.", show_default=False)],
    not_placed: Annotated[
        bool, typer.Option("--not-placed", help="The exchange certainly has no such order.")
    ] = False,
    filled: Annotated[
        str | None, typer.Option(help="It filled this much base, and no more of it is open.")
    ] = None,
    price: Price = None,
    namespace: Namespace = None,
    context: Context = None,
) -> None:
    """Tell the fate of an order in state Unknown, as read from the exchange's own pages."""
    from smarttrade.cli.by_hand import print_answer
    from smarttrade.execution.commands_wire import ResolveOrder

    def act(hand: Hand) -> int:
        _one_of(not_placed, filled is not None, "give --not-placed, or --filled QUANTITY")
        quantity = None if filled is None else _amount("--filled", filled)
        command = ResolveOrder(
            order=order, filled=quantity, price=_optional("--price", price), by=hand.whoami()
        )
        return print_answer(hand.ask_leader(command))

    _end(context, name, namespace, act)


def adopt(
    name: Name,
    market: Annotated[str, typer.Argument(help="The market, such as BTC/USDT.", show_default=False)],
    quantity: Annotated[
        str,
        typer.Option(help="Base to take into the ledger; negative: out of it.", show_default=False),
    ],
    price: Price = None,
    namespace: Namespace = None,
    context: Context = None,
) -> None:
    """Bring the ledger in line with coins that came or went outside of this account."""
    from smarttrade.cli.by_hand import print_answer
    from smarttrade.execution.commands_wire import AdoptHolding

    def act(hand: Hand) -> int:
        command = AdoptHolding(
            market=market,
            quantity=_amount("--quantity", quantity),
            price=_optional("--price", price),
            by=hand.whoami(),
        )
        return print_answer(hand.ask_leader(command))

    _end(context, name, namespace, act)


def ack(
    name: Name,
    breach: Annotated[str, typer.Argument(help="Its id, as `smarttrade status` shows it.")],
    namespace: Namespace = None,
    context: Context = None,
) -> None:
    """Acknowledge a broken loss limit, so that the account trades again; losses count anew from there."""
    _end(context, name, namespace, lambda hand: hand.acknowledge(breach, print))


def _end(context: str | None, name: str, namespace: str | None, act: Callable[[Hand], int]) -> None:
    from smarttrade.cli.by_hand import Hand
    from smarttrade.cli.objects import Accounts

    with plainly():
        raise SystemExit(act(Hand(Accounts(context), name, namespace)))


def _one_of(first: bool, second: bool, message: str) -> None:
    if first == second:
        raise ConfigurationError(message)


def _optional(option: str, text: str | None) -> Decimal | None:
    return None if text is None else _amount(option, text)


def _amount(option: str, text: str) -> Decimal:
    try:
        amount = Decimal(text)
    except InvalidOperation:
        raise ConfigurationError(f"{option} {text!r} is not a number; write it as 0.25") from None
    if not amount.is_finite():
        raise ConfigurationError(f"{option} {text!r} is not a number; write it as 0.25")
    return amount
