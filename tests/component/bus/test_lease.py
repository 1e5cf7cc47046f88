"""The lease on a real nats-server; each candidate has a clock of its own that the test turns."""

import asyncio

from smarttrade.bus.connection import Connection
from smarttrade.bus.lease import Lease, LeaseValue
from tests.component.bus.tenants import Tenants, eventually


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


async def candidates(tenants: Tenants, ttl_s: float = 1.0) -> tuple[Lease, Lease, Clock, Clock]:
    pair = await tenants.create("alice")
    a, b = Clock(), Clock()
    return (
        Lease(await tenants.connect(pair, "execution"), "a", ttl_s, clock=a),
        Lease(await tenants.connect(pair, "execution"), "b", ttl_s, clock=b),
        a,
        b,
    )


async def test_one_of_two_holds(tenants: Tenants):
    a, b, _, _ = await candidates(tenants)
    assert sorted(await asyncio.gather(a.acquire(), b.acquire())) == [False, True]
    assert (a.held, b.held).count(True) == 1


async def test_a_holder_fences_itself_before_others_may_take_over(tenants: Tenants):
    a, _, clock, _ = await candidates(tenants)
    assert await a.acquire()
    clock.now += 0.69
    assert a.held
    clock.now += 0.02
    assert not a.held
    assert await a.renew()
    assert a.held


async def test_a_standby_takes_over_after_seeing_no_renewal_for_the_validity(tenants: Tenants):
    a, b, _, clock = await candidates(tenants)
    assert await a.acquire()
    assert not await b.acquire()
    clock.now += 0.9
    assert await a.renew()
    clock.now += 0.2
    assert not await b.acquire(), "the renewal was seen just now"
    clock.now += 1.0
    assert await b.acquire()
    assert not await a.renew()
    assert not a.held
    assert b.revision > a.revision


async def test_the_holders_validity_counts_not_the_standbys(tenants: Tenants):
    pair = await tenants.create("alice")
    clock = Clock()
    slow = Lease(await tenants.connect(pair, "execution"), "slow", 5.0)
    quick = Lease(await tenants.connect(pair, "execution"), "quick", 1.0, clock=clock)
    assert await slow.acquire()
    assert not await quick.acquire()
    clock.now += 4.9
    assert not await quick.acquire()
    clock.now += 0.2
    assert await quick.acquire()


async def test_release_is_told_and_lets_the_standby_in_at_once(tenants: Tenants):
    a, b, _, _ = await candidates(tenants)
    told: list[LeaseValue | None] = []

    async def changed(value: LeaseValue | None) -> None:
        told.append(value)

    await b.watch(changed)
    assert await a.acquire()
    assert not await b.acquire()
    await a.release()
    assert not a.held
    await eventually(lambda: told[-1:] == [None], "the release is told")
    assert await b.acquire()
    assert await b.current() == LeaseValue(holder="b", ttl_s=1.0)


async def test_releasing_what_another_holds_by_now_takes_nothing_away(tenants: Tenants):
    a, b, _, clock = await candidates(tenants)
    assert await a.acquire()
    assert not await b.acquire()
    clock.now += 1.1
    assert await b.acquire()
    await a.release()
    assert await b.renew()


async def test_a_restarted_process_takes_up_its_own_lease(tenants: Tenants):
    pair = await tenants.create("alice")
    before = Lease(await tenants.connect(pair, "execution"), "alice-0")
    assert await before.acquire()
    after = Lease(await tenants.connect(pair, "execution"), "alice-0")
    assert await after.acquire()
    assert not await before.renew()


async def test_the_lease_is_to_be_had_after_the_server_forgot_its_memory(tenants: Tenants):
    pair = await tenants.create("alice")
    nc: Connection = await tenants.connect(pair, "execution")
    lease = Lease(nc, "a")
    assert await lease.acquire()
    await tenants.server.stop(kill=True)
    await tenants.server.start()
    await eventually(lambda: nc.is_connected, "connected again")
    assert await lease.acquire()
    assert await lease.renew()


async def test_no_revision_of_a_forgotten_lease_is_that_of_the_one_that_came_after(tenants: Tenants):
    pair = await tenants.create("alice")
    connections = [await tenants.connect(pair, "execution") for _ in range(2)]
    before, after = Lease(connections[0], "a"), Lease(connections[1], "b")
    assert await before.acquire()
    await tenants.server.stop(kill=True)
    await tenants.server.start()
    await eventually(lambda: all(nc.is_connected for nc in connections), "connected again")
    assert await after.acquire()
    assert not await before.renew()
    await before.release()
    assert await after.renew()
    assert after.revision > before.revision
