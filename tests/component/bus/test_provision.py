"""Accounts appear, heal and vanish on a real nats-server."""

import asyncio
import shutil
from dataclasses import replace

import pytest

from smarttrade import messages
from smarttrade.bus import jetstream, subjects
from smarttrade.bus.accounts import AccountLimits, build_accounts
from smarttrade.bus.control import ControlReader
from smarttrade.bus.keys import OperatorKeys
from smarttrade.bus.log import AccountLog
from smarttrade.bus.provision import Provisioner
from smarttrade.bus.server import LocalServer
from smarttrade.errors import BusError
from tests.component.bus.tenants import Tenants, eventually, identity


async def test_pushing_again_changes_nothing(tenants: Tenants):
    assert await tenants.provisioner.push(build_accounts(tenants.keys, identity("alice"))) is True
    before = await tenants.provisioner.lookup(build_accounts(tenants.keys, identity("alice")).core_public)
    assert await tenants.provisioner.push(build_accounts(tenants.keys, identity("alice"))) is False
    assert (
        await tenants.provisioner.lookup(build_accounts(tenants.keys, identity("alice")).core_public)
        == before
    )


async def test_changed_limits_are_pushed(tenants: Tenants):
    await tenants.create("alice")
    more = build_accounts(tenants.keys, identity("alice"), AccountLimits(pods=5))
    assert await tenants.provisioner.push(more) is True
    assert await tenants.provisioner.lookup(more.core_public) == more.core_jwt


async def test_assets_are_made_once_and_kept(tenants: Tenants):
    pair = await tenants.create("alice")
    log = AccountLog(await tenants.connect(pair, "execution"))
    await log.append(b"one", after=0, message_id="1")
    await tenants.provisioner.ensure_assets(identity("alice"))
    assert [payload async for _, payload, _ in log.read()] == [b"one"]


async def test_an_unknown_account_has_no_jwt(provisioner: Provisioner, keys: OperatorKeys):
    assert await provisioner.lookup(build_accounts(keys, identity("nobody")).core_public) is None


async def test_a_wiped_resolver_is_healed_by_the_next_push(tenants: Tenants):
    pair = await tenants.create("alice")
    log = AccountLog(await tenants.connect(pair, "execution"))
    await log.append(b"one", after=0, message_id="1")
    await tenants.server.stop()
    shutil.rmtree(tenants.server.store_dir / "jwt")
    await tenants.server.start()
    await eventually(lambda: tenants.provisioner.connected, "the operator is connected again")
    assert await tenants.provisioner.lookup(pair.core_public) is None
    assert await tenants.provisioner.push(pair) is True
    await tenants.provisioner.ensure_assets(identity("alice"))
    again = AccountLog(await tenants.connect(pair, "execution"))
    assert [payload async for _, payload, _ in again.read()] == [b"one"]


async def test_delete_removes_accounts_streams_and_connections(tenants: Tenants):
    pair = await tenants.create("alice")
    bob = await tenants.create("bob")
    nc = await tenants.connect(pair, "execution")
    await AccountLog(nc).append(b"one", after=0, message_id="1")
    stored = tenants.server.store_dir / "jetstream" / pair.core_public
    assert stored.exists()

    await tenants.provisioner.delete(identity("alice"))

    await eventually(lambda: not nc.is_connected, "the connection drops")
    remaining = await tenants.provisioner.stored_accounts()
    assert not remaining.intersection(pair.jwts)
    assert bob.core_public in remaining
    assert not list(stored.rglob("*.blk")) if stored.exists() else True
    # The same identity begins with nothing.
    fresh = await tenants.create("alice")
    assert await AccountLog(await tenants.connect(fresh, "execution")).last_sequence() == 0


async def test_deleting_what_is_not_there_is_no_error(provisioner: Provisioner):
    await provisioner.delete(identity("nobody"))
    await provisioner.delete(identity("nobody"))


async def test_a_refused_account_is_an_error(tenants: Tenants):
    pair = build_accounts(tenants.keys, identity("alice"))
    damaged = replace(pair, core_jwt=f"{pair.core_jwt}damage")
    with pytest.raises(BusError, match="refuses"):
        await tenants.provisioner.push(damaged)


async def test_an_account_signed_by_another_key_is_replaced(tenants: Tenants):
    """The servers store it without a word and then refuse everybody."""
    foreign = replace(tenants.keys, signing=OperatorKeys.generate().signing)
    await tenants.provisioner.push(build_accounts(foreign, identity("alice")))
    assert await tenants.provisioner.push(build_accounts(tenants.keys, identity("alice"))) is True
    await tenants.provisioner.ensure_assets(identity("alice"))


async def test_control_arrives_stored_and_live(tenants: Tenants):
    pair = await tenants.create("alice")
    first = messages.AccountControl(generation=1, spec={"state": "Active"})
    second = messages.AccountControl(generation=2, spec={"state": "Halted"})
    await tenants.provisioner.write_control(identity("alice"), first)
    reader = ControlReader(await tenants.connect(pair, "monitoring"))
    seen: list[messages.AccountControl] = []

    async def changed(control: messages.AccountControl) -> None:
        seen.append(control)

    await reader.subscribe(changed)
    assert seen == [first]
    await tenants.provisioner.write_control(identity("alice"), second)
    await eventually(lambda: seen == [first, second], "the change arrives")
    assert await reader.current() == second


async def test_control_written_while_a_reader_was_cut_off_arrives_after_the_reconnect(tenants: Tenants):
    pair = await tenants.create("alice")
    nc = await tenants.connect(pair, "monitoring")
    seen: list[int] = []

    async def changed(control: messages.AccountControl) -> None:
        seen.append(control.generation)

    await ControlReader(nc).subscribe(changed)
    await tenants.server.stop(kill=True)
    await eventually(lambda: not nc.is_connected, "the reader notices")
    nc.options["reconnect_time_wait"] = 1.5
    await tenants.server.start()
    await eventually(lambda: tenants.provisioner.connected, "the operator is back")
    await tenants.provisioner.write_control(identity("alice"), messages.AccountControl(generation=7, spec={}))
    await eventually(lambda: seen == [7], "the reader reads it again")


async def test_only_the_last_control_is_kept(tenants: Tenants):
    pair = await tenants.create("alice")
    for generation in range(1, 6):
        await tenants.provisioner.write_control(
            identity("alice"), messages.AccountControl(generation=generation, spec={})
        )
    nc = await tenants.connect(pair, "execution")
    answer = await jetstream.api(nc, "STREAM.PURGE.ACCOUNT", {"filter": subjects.CONTROL})
    assert answer["purged"] == 1


async def test_missing_server_is_one_clear_error(keys: OperatorKeys, server: LocalServer):
    url = server.url
    await server.stop()
    with pytest.raises(BusError, match="cannot connect to NATS at"):
        await Provisioner(url, keys).connect()


async def test_losing_the_server_is_an_error_of_the_bus_whatever_is_asked(tenants: Tenants):
    pair = build_accounts(tenants.keys, identity("alice"))
    provisioner = tenants.provisioner
    await tenants.server.stop(kill=True)
    for asked in (
        provisioner.lookup(pair.core_public),
        provisioner.push(pair),
        provisioner.stored_accounts(),
        provisioner.delete(identity("alice")),
        provisioner.ensure_assets(identity("alice")),
    ):
        with pytest.raises(BusError):
            await asked
    await provisioner.close()
    with pytest.raises(BusError):
        await provisioner.lookup(pair.core_public)
    await tenants.server.start()


async def test_a_wrong_binary_is_one_clear_error(keys: OperatorKeys, tmp_path):
    with pytest.raises(BusError, match="Give the path of nats-server"):
        await LocalServer(keys, tmp_path, binary="/no/nats-server").start()


async def test_a_server_that_is_too_old_to_keep_accounts_apart_is_refused(keys: OperatorKeys):
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(
            b'INFO {"version": "2.10.26", "nonce": "abc", "headers": true, "max_payload": 1048576}\r\n'
        )
        while line := await reader.readline():
            if line.startswith(b"PING"):
                writer.write(b"PONG\r\n")

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as old:
        port = old.sockets[0].getsockname()[1]
        provisioner = Provisioner(f"nats://127.0.0.1:{port}", keys)
        with pytest.raises(BusError, match=r"nats-server 2\.10\.26 cannot keep accounts apart: use 2\.14"):
            await provisioner.connect()
        await provisioner.close()
