"""Plain pyzmq: the guide's server. Binds and answers World, without an end."""

import os
import sys

import zmq

address = sys.argv[1] if len(sys.argv) > 1 else os.environ["TOPOLOGY_HELLO"]
with zmq.Context() as context, context.socket(zmq.REP) as socket:
    socket.bind(address)
    while True:
        assert socket.recv() == b"Hello"
        socket.send(b"World")
