"""Plain pyzmq: the guide's task sink. Waits for the start of the batch, takes a hundred results and leaves."""

# ruff: noqa: T201 - what it prints is its output

import os
import sys
import time

import zmq

address = sys.argv[1] if len(sys.argv) > 1 else os.environ["TOPOLOGY_RESULTS"]
with zmq.Context() as context, context.socket(zmq.PULL) as receiver:
    receiver.bind(address)
    receiver.recv()
    started_s = time.monotonic()
    for _ in range(100):
        receiver.recv()
print(f"100 results in {(time.monotonic() - started_s) * 1000:.0f} ms")
