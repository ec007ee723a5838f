"""The guide's worker without its greeting: TASKS RESULTS. It imports nothing but what it needs."""

import sys

import zmq

context = zmq.Context()
tasks = context.socket(zmq.PULL)
tasks.connect(sys.argv[1])
results = context.socket(zmq.PUSH)
results.connect(sys.argv[2])
while True:
    results.send(tasks.recv())
