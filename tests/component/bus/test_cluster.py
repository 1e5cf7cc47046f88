"""Three servers: what a push, the assets and the log do while one of them is away."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from smarttrade.bus import subjects
from smarttrade.bus.accounts import AccountLimits, AccountPair, build_accounts
from smarttrade.bus.connection import Connection, connect
from smarttrade.bus.control import ControlReader
from smarttrade.bus.jetstream import BusTimeoutError
from smarttrade.bus.keys import OperatorKeys
from smarttrade.bus.log import AccountLog
from smarttrade.bus.provision import Provisioner
from smarttrade.bus.rotation import Rotation
from smarttrade.bus.server import LocalServer
from smarttrade.bus.trail import Trail
from smarttrade.errors import BusError
from smarttrade.messages import AccountControl
from tests.component.bus.servers import clustered, know_each_other
from tests.component.bus.tenants import Ear, eventually, identity, keep_trail, trail_has


@pytest_asyncio.fixture
async def servers(
    keys: OperatorKeys, nats_server_binary: Path, tmp_path: Path
) -> AsyncIterator[list[LocalServer]]:
    async with clustered(3, keys, nats_server_binary, tmp_path) as servers:
        yield servers


@pytest_asyncio.fixture
async def provisioner(servers: list[LocalServer], keys: OperatorKeys) -> AsyncIterator[Provisioner]:
    provisioner = Provisioner(",".join(server.url for server in servers), keys)
    await provisioner.connect()
    await know_each_other(provisioner, 3)
    yield provisioner
    await provisioner.close()


async def ignore() -> None:
    return None


async def join(servers: list[LocalServer], pair: AccountPair) -> Connection:
    url = ",".join(server.url for server in servers)
    text = pair.credentials["execution"]
    return await connect(url, name="test", role="execution", credentials=text, on_closed=ignore)


async def test_containers_reach_one_another_on_different_servers(
    servers: list[LocalServer], provisioner: Provisioner, keys: OperatorKeys
):
    pair = await provision(provisioner, keys)
    on = dict(zip(("monitoring", "evaluation", "execution"), servers, strict=True))
    ncs = {
        role: await connect(
            server.url, name=role, role=role, credentials=pair.credentials[role], on_closed=ignore
        )
        for role, server in on.items()
    }
    ears = [await Ear().listen(ncs[role], "market.*.*") for role in ("evaluation", "execution")]

    async def answer(message: Msg) -> None:
        await message.respond(b"answer")

    await ncs["monitoring"].subscribe(subjects.history("p"), cb=answer)
    await ncs["execution"].subscribe(subjects.decide("p"), cb=answer)
    control = AccountControl(generation=1, spec={"state": "Active"})
    await provisioner.write_control(pair.identity, control)
    assert await ControlReader(ncs["monitoring"]).current() == control

    async def answered() -> bool:  # routes tell one another of subscriptions within milliseconds
        try:
            for subject in (subjects.history("p"), subjects.decide("p")):
                await ncs["evaluation"].request(subject, b"", timeout=1)
        except NatsError:
            return False
        return True

    async def priced() -> bool:
        await ncs["monitoring"].publish(subjects.market("p", "quote"), b"price")
        return all(ear.heard for ear in ears)

    await eventually(answered, "evaluation is answered")
    await eventually(priced, "the price is heard")
    for nc in ncs.values():
        await nc.close()


async def provision(provisioner: Provisioner, keys: OperatorKeys) -> AccountPair:
    pair = build_accounts(keys, identity("alice"), AccountLimits(copies=3))

    async def assets_are_there() -> bool:
        try:
            await provisioner.ensure_assets(identity("alice"), replicas=3)
        except BusError:
            return False  # the servers are still electing who places streams
        return True

    await provisioner.push(pair)
    await eventually(assets_are_there, "the cluster gives three replicas")
    return pair


async def append(log: AccountLog, after: int, number: int) -> int:
    """As execution does: the same append again until its fate is certain."""
    async with asyncio.timeout(30):
        while True:
            try:
                return await log.append(b"%d" % number, after=after, message_id=str(number))
            except BusTimeoutError:
                await asyncio.sleep(0.05)


async def test_every_server_answers_a_push_and_a_delete(provisioner: Provisioner, keys: OperatorKeys):
    pair = await provision(provisioner, keys)
    answers = await provisioner._gather("$SYS.REQ.CLAIMS.UPDATE", pair.core_jwt.encode())
    assert {answer["server"]["name"] for answer in answers} == {"nats-0", "nats-1", "nats-2"}
    await provisioner.delete(identity("alice"))
    assert await provisioner.lookup(pair.core_public) is None


async def test_a_server_that_was_away_soon_refuses_what_was_revoked_meanwhile(
    servers: list[LocalServer], provisioner: Provisioner, keys: OperatorKeys
):
    """Whatever else of the accounts was changed comes the same way."""
    pair = await provision(provisioner, keys)
    await servers[2].stop(kill=True)
    revoked_s = int(time.time())
    cut = build_accounts(
        keys, identity("alice"), AccountLimits(copies=3), rotation=Rotation.carried_out(revoked_s)
    )

    async def is_pushed() -> bool:
        try:
            await provisioner.push(cut)
        except BusError:
            return False  # it still counts the server that is away
        return True

    await eventually(is_pushed, "the two others have it")
    await servers[2].start()

    async def is_refused() -> bool:
        try:
            nc = await join(servers[2:], pair)
        except BusError:
            return True
        await nc.close()
        return False

    await eventually(is_refused, "the old credentials end there too")
    nc = await join(servers[2:], cut)
    await nc.close()


async def test_the_log_survives_any_one_server(
    servers: list[LocalServer], provisioner: Provisioner, keys: OperatorKeys
):
    pair = await provision(provisioner, keys)
    nc = await join(servers, pair)
    log, after = AccountLog(nc), 0
    for victim in range(3):
        for number in range(victim * 10, victim * 10 + 10):
            after = await append(log, after, number)
        await servers[victim].stop(kill=True)
        for number in range(victim * 10 + 1000, victim * 10 + 1003):
            after = await append(log, after, number)
        await servers[victim].start()
    assert await log.last_sequence() == after
    records = [payload async for _, payload, _ in log.read()]
    assert len(records) == len(set(records)) == 39
    keeper = await keep_trail(servers[0].url, keys, pair)
    # The servers look for a lost source again in their own time.
    await eventually(trail_has(keeper, 39), "the trail has them all", 180)
    await log.purge(after)
    assert [payload async for _, payload, _ in Trail(nc).read()] == records
    await keeper.close()
    await nc.close()
