"""Under the filter a strategy starts no process and takes no port, while threads and connections go on."""

import subprocess
import sys

import pytest

from smarttrade.evaluation.confinement import build_filter

PRELUDE = """
import ctypes, mmap, os, socket, subprocess, sys, threading
libc = ctypes.CDLL(None, use_errno=True)
def in_a_thread(function):
    told = []
    def run():
        try:
            told.append(function())
        except BaseException as error:
            told.append(error)
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if isinstance(told[0], BaseException):
        raise told[0]
    return told[0]
def asked(*arguments):
    if libc.syscall(*arguments) == -1:
        raise OSError(ctypes.get_errno(), "refused")
def taken():
    held = socket.socket()
    held.bind(("127.0.0.1", 0))
    return held
# From before the filter: a thread that exists, and a socket that listens, as the probes do.
gate = threading.Event()
older = []
def wait():
    gate.wait()
    try:
        os.fork() or os._exit(0)
    except OSError as error:
        older.append(error)
waiting = threading.Thread(target=wait)
waiting.start()
probes = taken()
probes.listen()
if sys.argv[1] == "confined":
    from smarttrade.evaluation.confinement import confine
    confine()
try:
    {attempt}
    print("done")
except OSError as error:
    print(type(error).__name__)
finally:
    gate.set()
    waiting.join()
"""

FORBIDDEN = {
    "fork": "os.fork() or os._exit(0)",
    "fork in a new thread": "in_a_thread(lambda: os.fork() or os._exit(0))",
    "fork in an older thread": "gate.set(); waiting.join(); [exec('raise e', {'e': e}) for e in older]",
    "a process": "subprocess.run(['true'], check=True)",
    "a process by spawn": "os.waitpid(os.posix_spawn('/bin/true', ['true'], {}), 0)",
    "becoming another program": "os.execv('/bin/echo', ['echo', 'done'])",
    "taking a port": "taken()",
    "taking whatever port there is": "socket.socket().listen()",
    "shared memory of System V": "asked(29 if os.uname().machine == 'x86_64' else 194, 0, 4096, 0o1600)",
}
ALLOWED = {
    "threads": "assert in_a_thread(lambda: 5) == 5",
    "connections": "socket.create_connection(probes.getsockname())",
    "names": "socket.getaddrinfo('localhost', 80)",
    "memory": "mmap.mmap(-1, 4096)",
}


def run(attempt: str, *, confined: bool) -> str:
    script = PRELUDE.replace("{attempt}", attempt)
    arguments = [sys.executable, "-c", script, "confined" if confined else "free"]
    return subprocess.run(arguments, capture_output=True, text=True, check=True, timeout=60).stdout.strip()


@pytest.mark.parametrize("attempt", FORBIDDEN.values(), ids=FORBIDDEN)
def test_what_a_strategy_may_not_do(attempt: str) -> None:
    assert run(attempt, confined=True) == "PermissionError"
    assert run(attempt, confined=False) == "done", "without the filter it can be done"


@pytest.mark.parametrize("attempt", ALLOWED.values(), ids=ALLOWED)
def test_what_a_strategy_needs(attempt: str) -> None:
    assert run(attempt, confined=True) == "done"


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_the_filter_is_within_the_kernels_bounds(machine: str) -> None:
    code = build_filter(machine)
    assert len(code) % 8 == 0
    assert len(code) // 8 <= 4096
