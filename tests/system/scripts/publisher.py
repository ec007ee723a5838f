"""Plain pyzmq: the guide's weather server. Binds and publishes to whoever is there, without an end."""

import os
import random
import sys

import zmq

address = sys.argv[1] if len(sys.argv) > 1 else os.environ["TOPOLOGY_WEATHER"]
with zmq.Context() as context, context.socket(zmq.PUB) as socket:
    socket.bind(address)
    while True:
        for _ in range(100):
            zip_code, temperature = random.randint(10000, 10009), random.randint(-80, 135)
            socket.send_string(f"{zip_code} {temperature} {random.randint(10, 60)}")
        # Some 50,000 updates a second: it must not take a whole processor from who else is tested.
        socket.poll(2)
