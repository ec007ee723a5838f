"""Plain pyzmq: the guide's client. Asks ten times and leaves."""

# ruff: noqa: T201 - what it prints is its output

import os
import sys

import zmq

address = sys.argv[1] if len(sys.argv) > 1 else os.environ["TOPOLOGY_HELLO"]
with zmq.Context() as context, context.socket(zmq.REQ) as socket:
    socket.connect(address)
    for _ in range(10):
        socket.send(b"Hello")
        assert socket.recv() == b"World"
print("10 replies")
