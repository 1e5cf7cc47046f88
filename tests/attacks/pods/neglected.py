"""An execution container that neglects its guards: the neighbour of `hostile` in the pod without any.

It stands alone, as that does, and comes there in the same ConfigMap. Metrics are for whoever asks, commands
for whoever connects, an abstract socket is open to the pod; what it leaves in shared memory comes last.
"""

from __future__ import annotations

import asyncio
import os
import socket
from pathlib import Path

from smarttrade.execution import commands_socket
from smarttrade.execution.commands_wire import Answer, Result
from smarttrade.process import http_server
from smarttrade.process.probes import Probes

http_server.is_neighbour = lambda caller, called: False
commands_socket.peer_user = lambda connection: os.geteuid()
COMMANDS, LEFT = Path("/tmp/execution.sock"), Path("/dev/shm/left")


async def obey(command):
    return Answer(pod="unguarded", leading=True, state="Active", result=Result.DONE)


async def serve():
    with socket.socket(socket.AF_UNIX) as abstract:
        abstract.bind("\0execution")
        abstract.listen()
        await Probes(int(os.environ["METRICS_PORT"])).start()
        async with commands_socket.CommandSocket(COMMANDS, obey):
            await asyncio.to_thread(LEFT.write_text, "key")
            await asyncio.Event().wait()


asyncio.run(serve())
