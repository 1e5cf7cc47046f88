"""What the demonstration shows, in order, each part waiting for its proof."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from cluster import binaries, clusters
from cluster.kubectl import Kubectl
from cluster.target import target
from demo import accounts, ground_truth, platform
from demo.accounts import Seen
from demo.environment import build_images, place_recording, ready_cluster
from demo.progress import Progress

FIRST_FILL_TIMEOUT_S = 300
FAIL_OVER_TIMEOUT_S = 120
LAST_FILLS = 5


def up(data: Path | None) -> None:
    """From nothing (or from wherever an earlier run stopped) to two accounts that trade and one fail-over."""
    progress = Progress()
    progress.step("cluster: a real Kubernetes on this machine")
    where = ready_cluster()
    kubectl = Kubectl(where)
    progress.step("images: operator, runtime, nats, gateway")
    images = build_images(where, data)
    progress.step(
        "platform: helm upgrade --install smarttrade" + (f", replaying {data.name}" if data else "")
    )
    keys = platform.make_exchange_keys(list(accounts.NAMES))
    recording = platform.describe_recording(data, place_recording(where, data)) if data else None
    before = platform.installed_recording(kubectl)
    if before is not None and before != (recording.file if recording else ""):
        progress.step("accounts: settle and remove, since their market becomes another one")
        accounts.delete(kubectl)
    platform.install(kubectl, platform.build_values(images, keys, recording))
    if stopped := [name for name in accounts.NAMES if accounts.look(kubectl, name).breach]:
        progress.step(f"accounts: {' and '.join(stopped)} lost what may be lost and stopped: start anew")
        accounts.delete(kubectl, stopped)
    progress.step("accounts: alice with two replicas, bob with one, each in a namespace of its own")
    accounts.apply(kubectl, keys)
    for name in accounts.NAMES:
        _show_first_fill(kubectl, progress, name)
    _show_fail_over(kubectl, progress)
    _summarise(kubectl, progress)


def down() -> None:
    """Remove the accounts and the platform; the cluster stays."""
    progress = Progress()
    if not clusters.is_there(target()):
        progress.step("nothing to remove: the cluster does not run, and it keeps nothing when it ends")
        return
    kubectl = Kubectl(ready_cluster())
    progress.step("accounts: settle and remove")
    accounts.delete(kubectl)
    progress.step("platform: helm uninstall")
    platform.uninstall(kubectl)
    progress.step("done; `make cluster-down` removes the cluster")


def _show_first_fill(kubectl: Kubectl, progress: Progress, name: str) -> None:
    def look() -> tuple[Seen | None, str]:
        seen = accounts.look(kubectl, name)
        trades = seen.fills and seen.leader and ground_truth.trades(kubectl, name)
        return (seen if trades else None), f"{name}: {seen}"

    seen = progress.wait(look, timeout_s=FIRST_FILL_TIMEOUT_S)
    progress.step(f"{name} trades: {seen}")


def _show_fail_over(kubectl: Kubectl, progress: Progress) -> None:
    before = accounts.look(kubectl, "alice")
    progress.step(f"fail-over: kill alice's leader {before.leader}")
    kubectl("delete", "pod", before.leader, "-n", "alice", "--grace-period=0", "--force", "--wait=false")

    taken_over: list[int] = []  # fills when the standby was first seen in the lead: later ones are its own

    def look() -> tuple[Seen | None, str]:
        seen = accounts.look(kubectl, "alice")
        if seen.leader not in ("", before.leader):
            taken_over.append(seen.fills)
        moved = taken_over and seen.fills > taken_over[0] and seen.ready
        return (seen if moved else None), f"alice: {seen}"

    after = progress.wait(look, timeout_s=FAIL_OVER_TIMEOUT_S)
    progress.step(f"the standby trades on: {after}")


def _summarise(kubectl: Kubectl, progress: Progress) -> None:
    progress.step("done; the cluster stays up\n")
    print(kubectl("get", "ta", "-A"))
    for name in accounts.NAMES:
        print(f"last fills of {name}, from the exchange's own journal")
        for trade in ground_truth.trades(kubectl, name)[-LAST_FILLS:]:
            print(f"  {describe_trade(trade)}")
        print(f"  {describe_result(accounts.look(kubectl, name))}\n")
    print(
        "The strategies act on seconds, so that something happens soon; their fees eat what they earn.\n"
        "Try next:\n"
        f"  export KUBECONFIG={kubectl.target.kubeconfig} PATH={binaries.ensure('kubectl').parent}:$PATH\n"
        "  kubectl get ta -A -w\n"
        '  kubectl patch ta alice -n alice --type merge -p \'{"spec":{"state":"Paused"}}\'\n'
        "  kubectl describe ta bob -n bob\n"
        "  make demo-down    # remove the accounts and the platform\n"
        "  make cluster-down # remove the cluster without a trace"
    )
    sys.stdout.flush()


def describe_trade(trade: Mapping[str, Any]) -> str:
    """One line for an execution as the journal keeps it; times are UTC."""
    time = datetime.fromtimestamp(trade["time_ms"] / 1000, UTC).strftime("%H:%M:%S")
    quantity, price = (f"{Decimal(trade[name]).normalize():f}" for name in ("last_quantity", "last_price"))
    return f"{time} {trade['side']:4} {quantity} {trade['symbol']} at {price}"


def describe_result(seen: Seen) -> str:
    """What the account's status says of its money, in the account's currency and to the hundredth."""
    parts = f"realised {seen.realized_pnl:+.2f}, unrealised {seen.unrealized_pnl:+.2f}"
    return f"{seen.fills} fills; equity {seen.equity:.2f}; PnL {parts}"
