"""Answers, and writes the time in seconds into a file when so many have been answered: ADDRESS COUNT FILE."""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path

import zmq

address, count, stamp = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
signal.alarm(600)  # whatever becomes of who started it
clients = zmq.Context().socket(zmq.REP)
clients.bind(address)

answered = 0
while True:
    clients.send(clients.recv())
    answered += 1
    if answered == count:
        partial = stamp.with_suffix(".partial")
        partial.write_text(str(time.monotonic()))
        partial.rename(stamp)
