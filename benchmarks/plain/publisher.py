"""Binds and publishes so many updates on four topics in turn, without a high-water mark: ADDRESS COUNT."""

from __future__ import annotations

import sys
import time

import zmq

from benchmarks.plain.gate import stay, tell, wait_for_go

address, count = sys.argv[1], int(sys.argv[2])
updates = zmq.Context().socket(zmq.PUB)
updates.sndhwm = 0
updates.bind(address)
four = (b"a1234567", b"b1234567", b"c1234567", b"d1234567")

began_s = wait_for_go()
for number in range(count):
    updates.send(four[number % 4])
tell(began_s=began_s, ended_s=time.monotonic())
stay()
