"""What evaluation gives up before it loads a strategy: other processes, listening, and the ways around both.

A seccomp filter of the process's own, on top of the container runtime's: it needs no privilege, holds for
every thread, and nothing can take it back. The containers of a pod share loopback and the limit of
processes, so a strategy could otherwise take the port of a container that is just starting, answer its
probes, or leave the others no process to start.

What bites: threads must go on working, so `clone` is judged by its flags, and `clone3`, whose flags lie in
memory that a filter cannot read, is said not to exist, which makes the C library take `clone`. Numbers of
system calls differ by architecture; on one that is not listed the process refuses to start.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
import sys
from collections.abc import Iterable

from smarttrade.errors import ConfigurationError

_PR_SET_NO_NEW_PRIVS = 38
_SECCOMP_SET_MODE_FILTER = 1
_SECCOMP_FILTER_FLAG_TSYNC = 1
_ALLOW = 0x7FFF0000
_ERROR = 0x00050000
_CLONE_THREAD = 0x00010000
_X32 = 0x40000000
_SOCK_TYPE = 0xF
_SOCK_RAW = 3

# Offsets in `struct seccomp_data`; of an argument its lower half.
_NUMBER, _ARCHITECTURE, _FIRST, _SECOND = 0, 4, 16, 24
_LOAD, _AND, _RETURN = 0x20, 0x54, 0x06
_EQUAL, _AT_LEAST, _ANY_BIT = 0x15, 0x35, 0x45

# machine -> (audit architecture, number of seccomp, of clone, of clone3, of socket, of what is refused)
_MACHINES: dict[str, tuple[int, int, int, int, int, dict[str, int]]] = {
    "x86_64": (
        0xC000003E,
        317,
        56,
        435,
        41,
        {
            "fork": 57, "vfork": 58, "execve": 59, "execveat": 322,
            "bind": 49, "listen": 50,
            "ptrace": 101, "process_vm_readv": 310, "process_vm_writev": 311, "pidfd_getfd": 438,
            "shmget": 29, "shmat": 30, "msgget": 68, "semget": 64, "mq_open": 240,
            "unshare": 272, "setns": 308, "mount": 165, "keyctl": 250, "add_key": 248, "bpf": 321,
            "perf_event_open": 298, "io_uring_setup": 425, "userfaultfd": 323,
        },
    ),
    "aarch64": (
        0xC00000B7,
        277,
        220,
        435,
        198,
        {
            "execve": 221, "execveat": 281,
            "bind": 200, "listen": 201,
            "ptrace": 117, "process_vm_readv": 270, "process_vm_writev": 271, "pidfd_getfd": 438,
            "shmget": 194, "shmat": 196, "msgget": 186, "semget": 190, "mq_open": 180,
            "unshare": 97, "setns": 268, "mount": 40, "keyctl": 219, "add_key": 217, "bpf": 280,
            "perf_event_open": 241, "io_uring_setup": 425, "userfaultfd": 282,
        },
    ),
}  # fmt: skip


def confine() -> None:
    """Give all of it up for the rest of the process's life. Without effect where there is no Linux.

    ConfigurationError where it cannot be done: a strategy must not run with more than it should have.
    """
    if not sys.platform.startswith("linux"):
        return
    machine = platform.machine()
    if machine not in _MACHINES:
        raise ConfigurationError(f"evaluation cannot confine a strategy on {machine}: use x86_64 or aarch64")
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        raise _cannot()
    code = build_filter(machine)
    buffer = ctypes.create_string_buffer(code, len(code))
    program = struct.pack("HxxxxxxP", len(code) // 8, ctypes.addressof(buffer))
    number = _MACHINES[machine][1]
    if libc.syscall(number, _SECCOMP_SET_MODE_FILTER, _SECCOMP_FILTER_FLAG_TSYNC, program):
        raise _cannot()


def build_filter(machine: str) -> bytes:
    """The filter as classic BPF, eight bytes an instruction."""
    architecture, _, clone, clone3, socket, refused = _MACHINES[machine]
    refuse = _ERROR | errno.EPERM
    instructions = [
        # Another architecture has other numbers: all of it is refused.
        _load(_ARCHITECTURE),
        *_return_unless(_EQUAL, architecture, refuse),
        _load(_NUMBER),
        *_return_if(_AT_LEAST, _X32, refuse),
        *_return_if(_EQUAL, clone3, _ERROR | errno.ENOSYS),
        *(line for number in refused.values() for line in _return_if(_EQUAL, number, refuse)),
        # A new process, as against a thread.
        *_only_for(clone, [_load(_FIRST), *_return_unless(_ANY_BIT, _CLONE_THREAD, refuse), _end(_ALLOW)]),
        *_only_for(
            socket,
            [
                _load(_SECOND),
                _instruction(_AND, 0, 0, _SOCK_TYPE),
                *_return_if(_EQUAL, _SOCK_RAW, refuse),
                _end(_ALLOW),
            ],
        ),
        _end(_ALLOW),
    ]
    return b"".join(instructions)


def _instruction(code: int, if_true: int, if_false: int, value: int) -> bytes:
    return struct.pack("HBBI", code, if_true, if_false, value)


def _load(offset: int) -> bytes:
    return _instruction(_LOAD, 0, 0, offset)


def _end(action: int) -> bytes:
    return _instruction(_RETURN, 0, 0, action)


def _return_if(test: int, value: int, action: int) -> Iterable[bytes]:
    return _instruction(test, 0, 1, value), _end(action)


def _return_unless(test: int, value: int, action: int) -> Iterable[bytes]:
    return _instruction(test, 1, 0, value), _end(action)


def _only_for(number: int, instructions: list[bytes]) -> list[bytes]:
    """Skip them for every other system call."""
    return [_instruction(_EQUAL, 0, len(instructions), number), *instructions]


def _cannot() -> ConfigurationError:
    return ConfigurationError(
        f"evaluation cannot confine a strategy: {os.strerror(ctypes.get_errno())}: seccomp is needed"
    )
