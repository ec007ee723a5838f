"""Plain pyzmq: the guide's task ventilator. Binds the tasks, connects to the sink, sends a batch and leaves."""

import os
import random
import sys

import zmq

tasks, results = (
    sys.argv[1:] if len(sys.argv) > 1 else map(os.environ.get, ("TOPOLOGY_TASKS", "TOPOLOGY_RESULTS"))
)
with zmq.Context() as context, context.socket(zmq.PUSH) as sender, context.socket(zmq.PUSH) as sink:
    sender.bind(tasks)
    sink.connect(results)
    sys.stdin.readline()  # as the guide has it: press Enter when the workers are ready (a command reads an end)
    sink.send(b"0")
    for _ in range(100):
        sender.send_string(str(random.randint(1, 3)))
