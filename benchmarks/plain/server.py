"""Binds and answers with what it was asked: ADDRESS."""

from __future__ import annotations

import sys

import zmq

from benchmarks.plain.gate import wait_for_go

clients = zmq.Context().socket(zmq.REP)
clients.bind(sys.argv[1])

wait_for_go()
while True:
    clients.send(clients.recv())
