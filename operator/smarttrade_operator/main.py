"""`smarttrade-operator [run]`, `smarttrade-operator keys`, `... release` and `... trail`.

Exit codes: 0 stopped by a signal, 1 something failed or the lease was lost, 2 the configuration is wrong.
"""

from __future__ import annotations

import smarttrade.process.lean  # noqa: F401 - before anything else
import smarttrade_operator.lean  # noqa: F401 - before what it names

# isort: split
import argparse
import logging
import os
import sys
from collections.abc import Coroutine, Sequence
from typing import Any

import structlog
import uvloop

from smarttrade import __version__
from smarttrade.errors import ConfigurationError, SmartTradeError
from smarttrade.process.logs import configure_with
from smarttrade_operator import keyjob, release, trail
from smarttrade_operator.settings import Settings

EXIT_FAILED = 1


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="smarttrade-operator", description="The operator of TradingAccounts."
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command")
    commands.add_parser(
        "run", help="watch and reconcile TradingAccounts (the default); SMARTTRADE_* configure it"
    )
    keyjob.add_arguments(commands.add_parser("keys", help="make the NATS keys once, and nats.conf from them"))
    release.add_arguments(
        commands.add_parser(
            "release", help="take our finalizer off all accounts, once the operator is uninstalled"
        )
    )
    trail.add_arguments(
        commands.add_parser("trail", help="print what the archive has of an account that was deleted")
    )
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    parsed = build_parser().parse_args(arguments)
    configure_with({"component": "operator"}, os.environ.get("SMARTTRADE_LOG_LEVEL") or "info")
    logging.getLogger("kopf").setLevel(logging.WARNING)
    # It warns at each of ten attempts a second; `provisioning` tells once that NATS is gone.
    logging.getLogger("smarttrade.bus.connection").setLevel(logging.ERROR)
    sys.exit(_run(_COMMANDS[parsed.command](parsed)))


async def _serve(_: argparse.Namespace) -> None:
    # What the other commands do not need takes longer to load than they take to run.
    from smarttrade_operator.service import serve

    await serve(Settings.from_environment())


async def _keys(parsed: argparse.Namespace) -> None:
    await keyjob.run(keyjob.from_arguments(parsed))


async def _release(parsed: argparse.Namespace) -> None:
    await release.run(release.from_arguments(parsed))


async def _trail(parsed: argparse.Namespace) -> None:
    await trail.run(trail.from_arguments(parsed))


_COMMANDS = {None: _serve, "run": _serve, "keys": _keys, "release": _release, "trail": _trail}


def _run(work: Coroutine[Any, Any, None]) -> int:
    """The exit code; errors are one line that says what to do, unless nobody foresaw them."""
    log = structlog.get_logger()
    try:
        uvloop.run(work)
    except ConfigurationError as error:
        log.critical(str(error))
        return ConfigurationError.exit_code
    except SmartTradeError as error:
        log.critical(str(error))
        return EXIT_FAILED
    except Exception as error:
        log.critical(f"unexpected {type(error).__name__}: {error}", exc_info=error)
        return EXIT_FAILED
    return 0


if __name__ == "__main__":
    main()
