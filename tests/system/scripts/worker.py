"""Plain pyzmq: the guide's task worker. Sleeps as long as each task says, without an end."""

import os
import sys
import time

import zmq

tasks, results = (
    sys.argv[1:] if len(sys.argv) > 1 else map(os.environ.get, ("TOPOLOGY_TASKS", "TOPOLOGY_RESULTS"))
)
with zmq.Context() as context, context.socket(zmq.PULL) as receiver, context.socket(zmq.PUSH) as sender:
    receiver.connect(tasks)
    sender.connect(results)
    while True:
        time.sleep(int(receiver.recv()) * 0.001)
        sender.send(b"")
