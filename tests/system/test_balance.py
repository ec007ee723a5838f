"""Nothing is lost between senders that are fast and a sink that is slow, at any transport, at any time.

`SYSTEM_TEST_RUNS=50` asks for as many runs a transport; a few are enough for every day.
"""

from __future__ import annotations

import os

import pytest
from harness import Project

RUNS = int(os.environ.get("SYSTEM_TEST_RUNS", "5"))
MESSAGES = 100_000

LOAD = """\
    def payloads():
        for number in range(%d):
            yield b"%%08d" %% number


    def slowly(total, payload):
        '''Longer than it takes to send: the senders stand at the high-water mark all the time.'''
        sum(range(400))
        return (total or 0) + int(payload)


    def told(total):
        return {"total": total}
    """

TOPOLOGY = """\
    load:
      codec: bytes
      endpoints: {results: %s}
      nodes:
        ventilator: {role: ventilator, connect: {tasks: results}, replicas: 2, params: {call: 'load:payloads'}}
        sink: {role: sink, bind: results, params: {fold: 'load:slowly', report: 'load:told'}}
    """


@pytest.mark.slow
@pytest.mark.timeout(300 + 10 * RUNS)
@pytest.mark.parametrize("address", ["ipc", "tcp://127.0.0.1:*"], ids=["ipc", "tcp"])
def test_nothing_is_lost_before_a_slow_sink(project: Project, address: str) -> None:
    project.write("load.py", LOAD % MESSAGES)
    project.topology(TOPOLOGY % repr(address))
    for number in range(RUNS):
        outcome = project.run("--quiet").balanced()
        link = outcome.links["results"]
        assert (link["sent"], link["received"]) == (MESSAGES, MESSAGES), f"run {number}: {link}"
        busy_s = {name: process["busy_s"] for name, process in outcome.processes.items()}
        assert busy_s["sink-1"] > busy_s["ventilator-1"], f"the sink was not the slower side: {busy_s}"
        assert outcome.processes["sink-1"]["result"] == {"total": sum(range(MESSAGES))}
