"""A connection that is lost for good is noticed; new credentials are taken up; nothing stale is sent."""

import asyncio
from pathlib import Path

import pytest
from nats.errors import Error as NatsError

from smarttrade.bus import connection, subjects
from smarttrade.bus.accounts import RENEWAL_S, build_accounts
from smarttrade.bus.connection import connect
from tests.component.bus.tenants import Ear, Tenants, eventually, identity


async def test_an_account_deleted_under_a_client_ends_it_loudly(tenants: Tenants):
    nc = await tenants.connect(await tenants.create("alice"), "monitoring")
    await tenants.provisioner.delete(identity("alice"))
    await eventually(lambda: tenants.closed == ["alice/monitoring"], "on_closed is called")
    assert nc.is_closed


async def test_an_end_is_loud_also_when_the_socket_breaks_under_what_was_to_be_sent(tenants: Tenants):
    nc = await tenants.connect(await tenants.create("alice"), "monitoring")
    nc._pending, nc._pending_data_size = [b"PING\r\n"], 6
    nc._transport._io_writer.transport.abort()
    await nc._process_err("'authentication timeout'")
    await eventually(lambda: tenants.closed == ["alice/monitoring"], "on_closed is called")
    assert nc.is_closed


async def test_a_flush_waits_for_the_subscription_before_it(
    tenants: Tenants, monkeypatch: pytest.MonkeyPatch
):
    nc = await tenants.connect(await tenants.create("alice"), "execution")
    transport, sent = nc._transport, []
    write, write_lines = transport.write, transport.writelines
    monkeypatch.setattr(transport, "write", lambda line: (sent.append(line), write(line)))
    monkeypatch.setattr(transport, "writelines", lambda lines: (sent.extend(lines), write_lines(lines)))
    await nc.subscribe("decide.a")
    await nc.flush()
    written = b"".join(sent)
    assert written.index(b"SUB decide.a") < written.rindex(b"PING")


async def test_closing_on_purpose_is_not_a_failure(tenants: Tenants):
    nc = await tenants.connect(await tenants.create("alice"), "monitoring")
    await nc.close()
    assert tenants.closed == []


async def test_closing_ends_a_reconnection_that_lost_the_first_cancellation(
    tenants: Tenants, monkeypatch: pytest.MonkeyPatch
):
    nc = await tenants.connect(await tenants.create("alice"), "monitoring")
    attempts: list[int] = []
    swallowed = []

    async def select(*_: object) -> None:
        attempts.append(1)
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:  # as it happens where an attempt ends at that moment
            swallowed.append(1)
            if len(swallowed) > 1:
                raise
            raise OSError from None

    monkeypatch.setattr(nc, "_select_next_server", select)
    await tenants.server.stop(kill=True)
    await eventually(lambda: bool(attempts), "an attempt to connect again runs")
    await nc.close()
    assert nc._reconnection_task is not None
    assert nc._reconnection_task.done()
    assert len(swallowed) == 2


async def test_nothing_is_buffered_while_the_server_is_away(tenants: Tenants):
    pair = await tenants.create("alice")
    nc = await tenants.connect(pair, "monitoring")
    await tenants.server.stop(kill=True)
    await eventually(lambda: not nc.is_connected, "the loss is noticed")
    with pytest.raises(NatsError):
        await nc.publish(subjects.market("p", "trade"), b"stale")
    await tenants.server.start()
    ear = await Ear().listen(await tenants.connect(pair, "execution"), "market.*.*")
    await eventually(lambda: nc.is_connected, "connected again")
    await nc.publish(subjects.market("p", "trade"), b"fresh")
    await eventually(lambda: bool(ear.heard), "the next message arrives")
    assert [payload for _, payload in ear.heard] == [b"fresh"]


async def test_changed_credentials_are_taken_up_without_a_restart(
    tenants: Tenants, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(connection, "_CREDENTIALS_CHECK_S", 0.05)
    pair = await tenants.create("alice")
    path = tmp_path / "monitoring.creds"
    previous = build_accounts(tenants.keys, identity("alice"), now=pair.renew_at - RENEWAL_S - 1)
    path.write_text(previous.credentials["monitoring"])
    reconnected = []

    async def on_closed() -> None:
        raise AssertionError("closed")

    async def count() -> None:
        reconnected.append(True)

    nc = await connect(tenants.server.url, name="m", role="monitoring", credentials=path, on_closed=on_closed)
    nc.on_reconnect.append(count)
    path.write_text(pair.credentials["monitoring"])
    await eventually(lambda: bool(reconnected), "reconnected with the new credentials")
    assert nc.is_connected
    await nc.close()
