"""JSON lines on standard output, from structlog and from every library that uses `logging`.

Bind what a line is about: `logger = structlog.get_logger().bind(market=..., decision=...)`.
"""

from __future__ import annotations

import logging
import sys
from typing import Any, TextIO, cast

import structlog
from structlog.typing import EventDict, WrappedLogger

from smarttrade.process.output import Bounded
from smarttrade.process.settings import Settings


def configure(settings: Settings, role: str, stream: TextIO | None = None) -> None:
    """Every line from now on: time, level, event, account, component, pod, and what is bound.

    So many a second at most.
    """
    always = describe(settings, role)
    bounded = cast(TextIO, Bounded(stream or sys.stdout, always))
    configure_with(always, settings.log_level, bounded)


def describe(settings: Settings, role: str) -> dict[str, Any]:
    """What every line of a container says."""
    return {
        "account": f"{settings.identity.namespace}/{settings.identity.name}",
        "component": role,
        "pod": settings.pod,
    }


def configure_with(always: dict[str, Any], level: str = "info", stream: TextIO | None = None) -> None:
    """The same with any constant fields; replaces what was configured before."""
    shared = _shared_processors(always)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(stream or sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(default=str),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    logging.getLogger("asyncio").addFilter(_is_news)


def _is_news(record: logging.LogRecord) -> bool:
    """Not what the loop says at the end of every connection that spoke TLS: asyncio's own stream reader
    answers what its own transport then warns of."""
    return "eof_received() has no effect" not in record.getMessage()


def _shared_processors(always: dict[str, Any]) -> list[Any]:
    def add_constants(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
        return {**always, **event}

    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        add_constants,
    ]
