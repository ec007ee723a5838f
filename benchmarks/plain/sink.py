"""Takes so many results: bind|connect ADDRESS COUNT."""

from __future__ import annotations

import sys
import time

import zmq

from benchmarks.plain.gate import stay, tell, wait_for_go

how, address, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
results = zmq.Context().socket(zmq.PULL)
if how == "bind":
    results.bind(address)
else:
    results.connect(address)

wait_for_go()
for _ in range(count):
    results.recv()
tell(ended_s=time.monotonic(), received=count)
stay()
