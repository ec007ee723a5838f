"""Calls over the socket: nobody there, nobody who answers, somebody else, and a connection that was dropped."""

import socket
import threading
import time
import xmlrpc.client

import pytest

from orchestrator.engines.base import EngineError
from orchestrator.engines.supervisord.rpc import Fault, Rpc, UnreachableError


@pytest.fixture
def path(short_temp):
    return short_temp / "supervisor.sock"


@pytest.fixture
def listener(path):
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()
        yield listening


def serve(listener, *connections):
    """Answer requests as a supervisord would: for each connection the bodies of its answers, then hang up."""

    def run():
        for answers in connections:
            connection, _ = listener.accept()
            with connection, connection.makefile("rb") as requests:
                for body in answers:
                    length = 0
                    while (head := requests.readline()) not in (b"\r\n", b""):
                        if head.lower().startswith(b"content-length:"):
                            length = int(head.split(b":")[1])
                    requests.read(length)
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


def answer(value):
    return xmlrpc.client.dumps((value,), methodresponse=True).encode()


def test_nobody_is_there(path):
    with pytest.raises(
        UnreachableError, match=rf"cannot reach supervisord at {path}: No such file .*\(has somebody"
    ):
        Rpc(path).call("supervisor.getPID")


def test_nobody_listens(path, listener):
    listener.close()
    with pytest.raises(UnreachableError, match=r"Connection refused \(has somebody ended it\?\)"):
        Rpc(path).call("supervisor.getPID")


def test_nobody_answers(path, listener):
    rpc = Rpc(path, timeout_s=0.2)
    started_s = time.monotonic()
    with pytest.raises(EngineError, match=r"supervisord has not answered for 0\.2 s at .*\(is it stopped"):
        rpc.call("supervisor.getPID")
    assert 0.2 <= time.monotonic() - started_s < 25


def test_somebody_else_answers(path, listener):
    thread = serve(listener, [b"hello"])
    rpc = Rpc(path)
    with pytest.raises(EngineError, match=r"cannot understand who answers .*\(is it a supervisord\?\)"):
        rpc.call("supervisor.getPID")
    thread.join(5)


def test_somebody_hangs_up_in_the_middle(path, listener):
    thread = serve(listener, [], [])
    with pytest.raises(UnreachableError, match="cannot reach supervisord"):
        Rpc(path).call("supervisor.getPID")
    thread.join(5)


def test_one_connection_serves_many_calls_and_is_renewed_where_it_was_dropped(path, listener):
    thread = serve(listener, [answer(1), answer(2)], [answer(3)])
    rpc = Rpc(path)
    assert [rpc.call("supervisor.getPID") for _ in range(3)] == [1, 2, 3]
    rpc.close()
    thread.join(5)


def test_of_many_calls_each_has_its_own_fault(path, listener):
    fault = {"faultCode": 10, "faultString": "BAD_NAME: x"}
    thread = serve(listener, [answer([True, fault, {"pid": 7}])])
    rpc = Rpc(path)
    first, second, third = rpc.multicall([("a.b", 1, False), ("a.b", 2, False), ("a.c",)])
    assert (first, third) == (True, {"pid": 7})
    assert isinstance(second, Fault)
    assert (second.faultCode, second.faultString) == (10, "BAD_NAME: x")
    rpc.close()
    thread.join(5)
