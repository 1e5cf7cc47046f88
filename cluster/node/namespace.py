"""Mounts and network inside the cluster's namespaces. Runs as process 1, before anything else."""

import os
from pathlib import Path

from cluster.commands import run, succeeds
from cluster.components import SERVICE_NETWORK
from cluster.node.layout import INSIDE, NODE_ADDRESS

# The kubelet sets these for the whole machine. It writes nothing where it finds them set already, so
# inside it finds them set.
KERNEL_SETTINGS = {
    "vm/overcommit_memory": "1",
    "kernel/panic": "10",
    "kernel/panic_on_oops": "1",
    "kernel/keys/root_maxkeys": "1000000",
    "kernel/keys/root_maxbytes": "25000000",
}


def prepare_mounts(folder: Path) -> None:
    """Own /run and /var/log, and the cluster's folder at its short place."""
    run(["mount", "--make-rshared", "/"])
    shown = Path(f"/proc/self/fd/{os.open(folder, os.O_PATH)}").resolve()
    for place in (Path("/run"), Path("/var/log")):
        run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", place])
    INSIDE.mkdir()
    run(["mount", "--bind", shown, INSIDE])
    state = INSIDE / "state"
    state.mkdir(exist_ok=True)
    run(["mount", "-t", "tmpfs", "-o", "mode=711", "tmpfs", state])
    _pretend_kernel_settings(state / "kernel")


def prepare_network() -> None:
    """The node's address, forwarding, and a dead end for service addresses that have no rule."""
    run(["ip", "link", "set", "lo", "up"])
    run(["ip", "link", "add", "node0", "type", "bridge"])
    run(["ip", "address", "add", f"{NODE_ADDRESS}/32", "dev", "node0"])
    run(["ip", "link", "set", "node0", "up"])
    run(["ip", "route", "add", SERVICE_NETWORK, "dev", "node0", "src", NODE_ADDRESS])
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")


def best_snapshotter(folder: Path) -> str:
    """`overlayfs` where the folder's file system can carry it, otherwise `native` (copies, slower)."""
    trial = folder / "overlay-trial"
    layers = [trial / name for name in ("lower", "upper", "work", "merged")]
    for layer in layers:
        layer.mkdir(parents=True, exist_ok=True)
    lower, upper, work, merged = layers
    options = f"lowerdir={lower},upperdir={upper},workdir={work}"
    if not succeeds(["mount", "-t", "overlay", "-o", options, "overlay", merged]):
        return "native"
    run(["umount", merged])
    return "overlayfs"


def _pretend_kernel_settings(folder: Path) -> None:
    folder.mkdir()
    for name, value in KERNEL_SETTINGS.items():
        place = Path("/proc/sys") / name
        if place.exists():
            pretended = folder / name.replace("/", ".")
            pretended.write_text(f"{value}\n")
            run(["mount", "--bind", pretended, place])
