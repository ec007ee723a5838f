"""Binds and sends so many tasks: ADDRESS COUNT SIZE_BYTES."""

from __future__ import annotations

import sys

import zmq

from benchmarks.plain.gate import stay, tell, wait_for_go

address, count, size_bytes = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
tasks = zmq.Context().socket(zmq.PUSH)
tasks.bind(address)
payload = b"x" * size_bytes

began_s = wait_for_go()
for _ in range(count):
    tasks.send(payload)
tell(began_s=began_s)
stay()
