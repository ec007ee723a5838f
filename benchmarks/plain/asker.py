"""Asks once and stays until it is ended: ADDRESS. It imports nothing but what it needs, so that it starts soon."""

import signal
import sys

import zmq

signal.alarm(600)  # whatever becomes of who started it
server = zmq.Context().socket(zmq.REQ)
server.connect(sys.argv[1])
server.send(b"12345678")
server.recv()
signal.pause()
