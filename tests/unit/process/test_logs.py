import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from smarttrade.process import logs
from smarttrade.process.settings import Settings
from tests.unit.process.test_settings import COMPLETE


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    stream = io.StringIO()
    logs.configure(Settings.from_environment("execution", COMPLETE), "execution", stream)
    structlog.configure(cache_logger_on_first_use=False)
    yield stream
    root.handlers[:] = before
    root.setLevel(level)
    structlog.reset_defaults()


def read(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_says_who_wrote_it_and_what_it_is_about(lines: io.StringIO):
    structlog.get_logger().bind(market="BTC/USDT", decision="d1").info("order sent", quantity="0.1")
    (line,) = read(lines)
    assert line.pop("time")
    assert line == {
        "level": "info",
        "event": "order sent",
        "account": "alice/alice",
        "component": "execution",
        "pod": "alice-0",
        "market": "BTC/USDT",
        "decision": "d1",
        "quantity": "0.1",
    }


def test_lines_of_libraries_look_the_same(lines: io.StringIO):
    logging.getLogger("nats").warning("reconnected to %s", "127.0.0.1")
    (line,) = read(lines)
    assert (line["level"], line["event"], line["component"]) == (
        "warning",
        "reconnected to 127.0.0.1",
        "execution",
    )


def test_an_exception_is_one_line(lines: io.StringIO):
    try:
        raise ValueError("no")
    except ValueError as error:
        structlog.get_logger().critical("unexpected", exc_info=error)
    (line,) = read(lines)
    assert "ValueError: no" in str(line["exception"])


def test_below_the_level_nothing_is_written(lines: io.StringIO):
    structlog.get_logger().debug("detail")
    logging.getLogger("nats").debug("detail")
    assert read(lines) == []


def test_the_end_of_a_connection_with_tls_is_no_news(lines: io.StringIO):
    logger = logging.getLogger("asyncio")
    logger.warning("returning true from eof_received() has no effect when using ssl")
    logger.warning("socket.send() raised exception.")
    assert [json.loads(line)["event"] for line in lines.getvalue().splitlines()] == [
        "socket.send() raised exception."
    ]
