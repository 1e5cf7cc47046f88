"""What docs/backup.md promises of the bus: keys and the servers' folder bring every account back."""

from __future__ import annotations

import shutil
from pathlib import Path

from smarttrade import messages
from smarttrade.bus.accounts import AccountPair, build_accounts
from smarttrade.bus.connection import connect
from smarttrade.bus.control import ControlReader
from smarttrade.bus.keys import OperatorKeys
from smarttrade.bus.log import AccountLog
from smarttrade.bus.provision import Provisioner
from smarttrade.bus.server import LocalServer
from smarttrade.identity import AccountIdentity

ALICE = AccountIdentity("smarttrade", "alice", "alice")
CONTROL = messages.AccountControl(generation=3, spec={"state": "Active"})


async def _ignore() -> None:
    return None


async def open_log(url: str, pair: AccountPair) -> AccountLog:
    nc = await connect(
        url, name="alice-0", role="execution", credentials=pair.credentials["execution"], on_closed=_ignore
    )
    return AccountLog(nc)


async def trade(url: str, keys: OperatorKeys) -> None:
    provisioner = Provisioner(url, keys)
    await provisioner.connect()
    pair = build_accounts(keys, ALICE)
    await provisioner.push(pair)
    await provisioner.ensure_assets(ALICE)
    await provisioner.write_control(ALICE, CONTROL)
    log, last = await open_log(url, pair), 0
    for number in range(20):
        last = await log.append(b"record %d" % number, after=last, message_id=f"r{number}")
    await provisioner.close()


async def test_keys_and_folder_bring_an_account_back(nats_server_binary: Path, tmp_path: Path) -> None:
    keys = OperatorKeys.generate()
    async with LocalServer(keys, tmp_path / "before", binary=nats_server_binary) as server:
        await trade(server.url, keys)
        # Of the running servers, as a volume's snapshot is.
        shutil.copytree(tmp_path / "before", tmp_path / "after")
    kept = keys.to_files()
    shutil.rmtree(tmp_path / "before")

    restored = OperatorKeys.from_files(kept)
    async with LocalServer(restored, tmp_path / "after", binary=nats_server_binary) as server:
        log = await open_log(server.url, build_accounts(restored, ALICE))
        assert [payload async for _, payload, _ in log.read()] == [b"record %d" % each for each in range(20)]
        last = await log.last_sequence()
        assert await log.append(b"and on", after=last, message_id="next") > last
        reader = await connect(
            server.url,
            name="alice-0",
            role="monitoring",
            credentials=build_accounts(restored, ALICE).credentials["monitoring"],
            on_closed=_ignore,
        )
        assert await ControlReader(reader).current() == CONTROL


async def test_what_the_operator_does_not_know_stays_in_nats(
    nats_server_binary: Path, tmp_path: Path
) -> None:
    """An operator that begins with other accounts, or none, takes nothing away."""
    keys = OperatorKeys.generate()
    async with LocalServer(keys, tmp_path / "nats", binary=nats_server_binary) as server:
        await trade(server.url, keys)
        provisioner = Provisioner(server.url, keys)
        await provisioner.connect()
        before = await provisioner.stored_accounts()
        bob = AccountIdentity("smarttrade", "bob", "bob")
        await provisioner.push(build_accounts(keys, bob))
        await provisioner.ensure_assets(bob)
        await provisioner.delete(bob)
        assert await provisioner.stored_accounts() == before
        await provisioner.close()
        log = await open_log(server.url, build_accounts(keys, ALICE))
        assert len([each async for each in log.read()]) == 20
