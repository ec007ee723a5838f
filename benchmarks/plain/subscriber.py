"""Takes so many updates of one topic, without a high-water mark: ADDRESS TOPIC COUNT."""

from __future__ import annotations

import sys
import time

import zmq

from benchmarks.plain.gate import stay, tell, wait_for_go

address, topic, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
updates = zmq.Context().socket(zmq.SUB)
updates.rcvhwm = 0
updates.connect(address)
updates.subscribe(topic)

wait_for_go()
for _ in range(count):
    updates.recv()
tell(ended_s=time.monotonic(), received=count)
stay()
