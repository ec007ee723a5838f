"""Connects and asks so often, each time waiting for the reply: ADDRESS COUNT."""

from __future__ import annotations

import sys
import time

import zmq

from benchmarks.plain.gate import stay, tell, wait_for_go

address, count = sys.argv[1], int(sys.argv[2])
server = zmq.Context().socket(zmq.REQ)
server.connect(address)

began_s = wait_for_go()
for _ in range(count):
    server.send(b"12345678")
    server.recv()
tell(began_s=began_s, ended_s=time.monotonic())
stay()
