"""Connects and passes tasks on: TASKS RESULTS."""

from __future__ import annotations

import sys

import zmq

from benchmarks.plain.gate import wait_for_go

context = zmq.Context()
tasks = context.socket(zmq.PULL)
tasks.connect(sys.argv[1])
results = context.socket(zmq.PUSH)
results.connect(sys.argv[2])

wait_for_go()
while True:
    results.send(tasks.recv())
