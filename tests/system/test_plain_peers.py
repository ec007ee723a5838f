"""Plain pyzmq scripts take each side of each pattern in place of our role, started by us or by somebody else."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from harness import SCRIPTS, Outcome, Project, wait_until

REQUEST_REPLY = """\
    p:
      codec: text
      endpoints: {hello: {address: 'tcp://127.0.0.1:%(first)d'%(idle)s}}
      nodes:
        server: %(server)s
        client: %(client)s
    """
PUBLISH_SUBSCRIBE = """\
    p:
      codec: text
      endpoints: {weather: {address: 'tcp://127.0.0.1:%(first)d'%(idle)s}}
      nodes:
        publisher: %(publisher)s
        subscriber: %(subscriber)s
    """
PIPELINE = """\
    p:
      codec: text
      endpoints:
        tasks: {address: 'tcp://127.0.0.1:%(first)d'%(idle)s}
        results: {address: 'tcp://127.0.0.1:%(second)d'%(idle)s}
      nodes:
        ventilator: %(ventilator)s
        worker: %(worker)s
        sink: %(sink)s
    """

OURS = {
    "server": "{role: server, bind: hello}",
    "client": "{role: client, connect: hello, replicas: 2, params: {requests: 10}}",
    "publisher": "{role: publisher, bind: weather, params: {rate: 20000, count: 20000, call: null}}",
    "subscriber": "{role: subscriber, connect: weather, replicas: 2, params: {topics: ['10001 '], updates: 20}}",
    "ventilator": (
        "{role: ventilator, bind: tasks, connect: {start: results}, params: {count: 100, workload_ms: [1, 3]}}"
    ),
    "worker": "{role: worker, connect: [tasks, results], replicas: 3}",
    "sink": "{role: sink, bind: results, params: {start: true, into: results.jsonl}}",
}


@dataclass(frozen=True)
class Side:
    """One script in place of one role: where it stands in its pattern, what it binds and connects."""

    pattern: str
    wiring: str
    ends_by_itself: bool
    says: str = ""


SIDES = {
    "server": Side(REQUEST_REPLY, "bind: hello", False),
    "client": Side(REQUEST_REPLY, "connect: hello", True, "10 replies"),
    "publisher": Side(PUBLISH_SUBSCRIBE, "bind: weather", False),
    "subscriber": Side(PUBLISH_SUBSCRIBE, "connect: weather", True, "average temperature of 20 updates"),
    "ventilator": Side(PIPELINE, "bind: tasks, connect: results", True),
    "worker": Side(PIPELINE, "connect: [tasks, results]", False),
    "sink": Side(PIPELINE, "bind: results", True, "100 results in"),
}
