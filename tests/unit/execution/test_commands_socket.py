"""The door for commands by hand opens to its own user, and a halt outlives its process."""

from __future__ import annotations

import asyncio
import os
import socket
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from smarttrade.execution import commands_client, commands_socket, commands_wire
from smarttrade.execution.commands import row_of
from smarttrade.execution.commands_desk import join, keep_halt, kept_halt
from smarttrade.execution.commands_socket import CommandSocket, peer_user
from smarttrade.execution.commands_wire import (
    Answer,
    AnyCommand,
    CancelOrders,
    ListOrders,
    Result,
    decode_answer,
    encode,
)
from smarttrade.execution.records import HaltOrdered
from tests.unit.execution.desk import BTC, IDS, Desk


@pytest.fixture
def path() -> Iterator[Path]:
    """A path short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="st-") as folder:
        yield Path(folder) / "execution.sock"


async def ask(path: Path, command: str) -> Answer:
    answer = await asyncio.to_thread(commands_client.ask, str(path), command)
    return decode_answer(answer.encode())


def build_answer(command: AnyCommand) -> Answer:
    return Answer(pod="a", leading=True, state="Active", result=Result.DONE, message=type(command).__name__)


async def answer(command: AnyCommand) -> Answer:
    return build_answer(command)


async def test_a_command_of_the_same_user_is_answered(path: Path) -> None:
    async with CommandSocket(path, answer):
        told = await ask(path, encode(CancelOrders(orders=("x",))).decode())
    assert (told.result, told.message) == (Result.DONE, "CancelOrders")
    with pytest.raises(FileNotFoundError):
        os.stat(path)


async def test_nobody_else_may_open_the_socket(path: Path) -> None:
    async with CommandSocket(path, answer):
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600


async def test_another_user_is_refused_even_where_the_file_lets_him_in(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands_socket, "peer_user", lambda connection: os.geteuid() + 1)
    async with CommandSocket(path, answer):
        told = await ask(path, encode(ListOrders()).decode())
    assert told.result is Result.REFUSED
    assert "may not command" in told.message


def test_the_kernel_tells_who_is_at_the_other_end() -> None:
    here, there = socket.socketpair(socket.AF_UNIX)
    with here, there:
        assert peer_user(here) == os.geteuid()


async def test_what_is_no_command_of_this_version_is_refused_and_the_next_is_served(path: Path) -> None:
    async with CommandSocket(path, answer):
        told = await ask(path, '{"command":"sell-everything-tomorrow"}')
        assert told.result is Result.REFUSED
        assert "version" in told.message
        assert (await ask(path, encode(ListOrders()).decode())).result is Result.DONE


async def test_a_socket_that_a_dead_process_left_is_taken_over(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    async with CommandSocket(path, answer):
        assert (await ask(path, encode(ListOrders()).decode())).result is Result.DONE


def test_without_a_listener_the_client_says_so(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert commands_client.main([]) == 2
    os.environ[commands_client.SOCKET_VARIABLE] = str(path)
    try:
        assert commands_client.main(['{"command":"orders"}']) == 3
    finally:
        del os.environ[commands_client.SOCKET_VARIABLE]
    assert "does not answer" in capsys.readouterr().err


def test_a_halt_is_kept_for_the_next_process_until_it_is_lifted(path: Path) -> None:
    halt = HaltOrdered(seen=1, until=2, by="ann", time_ms=7)
    keep_halt(path, halt)
    assert kept_halt(path) == halt
    keep_halt(path, None)
    assert kept_halt(path) is None


def test_the_exchanges_orders_stand_beside_the_logs() -> None:
    desk = Desk().lead()
    desk.decide("1", BTC)
    [send] = desk.sends()
    desk.accept(send.cid)
    known = build_rows(desk)
    listed = desk.report(send.cid)
    other = msgspec.structs.replace(listed, client_order_id="web-1")
    orphan = msgspec.structs.replace(listed, client_order_id=IDS.build("lost", 1, 1))
    rows = {row.order: row for row in join(known, (listed, other, orphan), IDS.is_own)}
    assert rows[send.cid].exchange == "Open"
    assert rows["web-1"].state == "Foreign"
    assert rows[orphan.client_order_id].state == "NotInLog"
    assert [row.exchange for row in join(known, (), IDS.is_own)] == ["NotListed"]


def build_rows(desk: Desk) -> tuple[commands_wire.OrderRow, ...]:
    return tuple(row_of(order) for order in desk.core.ctx.book.unsettled())
