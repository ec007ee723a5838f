"""One of a crowd: connects, says so, asks once when it may, and leaves: ADDRESS."""

import sys

import zmq

server = zmq.Context().socket(zmq.REQ)
server.connect(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
server.send(b"12345678")
server.recv()
