"""Hands one command to the execution that runs in this container, and prints its answer.

`python -m smarttrade.execution.commands_client '{"command":"orders"}'` is what `smarttrade orders` runs by
way of `kubectl exec`. It imports nothing but the standard library, because a person in a hurry waits for it.
Exit codes: 0 answered (whatever the answer), 2 called wrongly, 3 nobody listens or answers.
"""

from __future__ import annotations

import os
import socket
import struct
import sys

DEFAULT_SOCKET = "/tmp/execution.sock"  # noqa: S108 - the container's own emptyDir
SOCKET_VARIABLE = "SMARTTRADE_COMMAND_SOCKET"
_TIMEOUT_S = 30.0


def main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        print("usage: python -m smarttrade.execution.commands_client JSON", file=sys.stderr)
        return 2
    path = os.environ.get(SOCKET_VARIABLE) or DEFAULT_SOCKET
    try:
        answer = ask(path, arguments[0])
    except OSError as error:
        print(f"execution does not answer on {path}: {error}; is it still starting?", file=sys.stderr)
        return 3
    print(answer)
    return 0


def ask(path: str, command: str) -> str:
    """One line there, one line back; OSError where nobody listens, or somebody else does."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(_TIMEOUT_S)
        connection.connect(path)
        credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        if struct.unpack("3i", credentials)[1] != os.geteuid():
            raise PermissionError("the socket is served by another user")
        connection.sendall(command.replace("\n", " ").encode() + b"\n")
        with connection.makefile("r", encoding="utf-8") as lines:
            answer = lines.readline().strip()
    if not answer:
        raise ConnectionError("the connection was closed without an answer")
    return answer


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
