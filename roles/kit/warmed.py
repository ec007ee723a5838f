"""What each process would do once for itself, done once for all of them; imported last by the fork server.

ZeroMQ is used once and put away: the functions of its library are looked up when they are first called, which takes
each child longer than to call them. No context and no thread of it is left at the first fork.

What lies in memory by then is put out of the garbage collector's sight: a collection in a child would touch, and so
copy, every page that the child shares with the server.
"""

from __future__ import annotations

import contextlib
import gc
import importlib

import zmq

from roles.kit import cradle, forked, messages, runtime, spec
from roles.kit.kennel import in_fork_server
from roles.kit.peers import Watcher

_PATIENCE_MS = 1000


def warm() -> None:
    """Load what all need and make what all need, and keep the collector away from it."""
    for name in ("functions", *runtime.BUILT_IN):
        importlib.import_module(f"roles.{name}")
    spec.make_decoders()
    if forked.takes_orders():
        cradle.take_over()
    with contextlib.suppress(zmq.ZMQError):  # each child will tell better what is wrong
        rehearse()
    gc.collect()
    gc.freeze()


def rehearse() -> None:
    """Do with sockets what a role does, among themselves, and close them."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    try:
        asks, answers, control = map(context.socket, (zmq.REQ, zmq.REP, zmq.DEALER))
        for one in (asks, answers):
            one.set(zmq.RCVTIMEO, _PATIENCE_MS)
        watcher = Watcher(asks)
        control.set(zmq.ROUTING_ID, b"rehearsal")
        control.set_hwm(0)
        control.connect("ipc:///nowhere/at/all")
        control.send(messages.encode(messages.Hello(pid=0)))
        answers.bind("inproc://rehearsal")
        asks.connect("inproc://rehearsal")
        for one, other in ((asks, answers), (answers, asks)):
            one.send_multipart([b"word"])
            other.recv_multipart()
        zmq.zmq_poll([(watcher.monitor, zmq.POLLIN), (control, zmq.POLLIN)], 0)
        asks.get(zmq.EVENTS)
        watcher.count()
        watcher.close()
    finally:
        context.destroy(linger=0)


if in_fork_server():
    warm()
