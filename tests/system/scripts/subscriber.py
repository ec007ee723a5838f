"""Plain pyzmq: the guide's weather client. Averages the temperature of so many updates and leaves."""

# ruff: noqa: T201 - what it prints is its output

import os
import sys

import zmq

address = sys.argv[1] if len(sys.argv) > 1 else os.environ["TOPOLOGY_WEATHER"]
UPDATES = 20
total = 0
with zmq.Context() as context, context.socket(zmq.SUB) as socket:
    socket.connect(address)
    socket.setsockopt_string(zmq.SUBSCRIBE, "10001 ")
    for _ in range(UPDATES):
        zip_code, temperature, humidity = socket.recv_string().split()
        assert zip_code == "10001"
        total += int(temperature)
print(f"average temperature of {UPDATES} updates: {total / UPDATES:.1f}")
