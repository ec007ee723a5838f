"""Runs as their events tell them: what tests of summaries, reports and observers look at."""

import msgspec

from orchestrator.run.events import (
    AddressesKnown,
    BookClosed,
    FaultFired,
    Known,
    ProblemFound,
    ProcessAdded,
    ProcessEnded,
    ProcessFailed,
    ProcessFinished,
    ProcessLaunched,
    ProcessReady,
    Progress,
    RunEnded,
    RunReady,
    RunStarted,
)
from orchestrator.run.outlines import (
    ExpectationOutline,
    FaultOutline,
    LinkOutline,
    ProcessOutline,
    StageOutline,
)
from roles.kit.slot import Count, Reading

MB = 1_000_000

PIPELINE = RunStarted(
    at_s=0.0,
    run_id="20260101-000000-abcdef",
    topology="topology.yaml",
    pattern="pipeline",
    description="a batch of tasks, worked in parallel",
    engine="local",
    seed=1,
    started_at="2026-01-01T00:00:00Z",
    stages=(
        StageOutline(nodes=(("sink", 1, "binds results"),)),
        StageOutline(nodes=(("worker", 3, "connects tasks, results"),)),
        StageOutline(nodes=(("ventilator", 1, "binds tasks"),), why="who receives came first"),
    ),
    processes=(
        ProcessOutline(
            name="ventilator-1", node="ventilator", role="ventilator", family="ventilator", stage=3,
            sends=True, ports={"tasks": "PUSH"},
        ),
        *(
            ProcessOutline(
                name=f"worker-{n}", node="worker", role="worker", family="worker", replica=n, stage=2,
                receives=True, sends=True, ports={"tasks": "PULL", "results": "PUSH"},
            )
            for n in (1, 2, 3)
        ),
        ProcessOutline(
            name="sink-1", node="sink", role="sink", family="sink", stage=1,
            receives=True, ports={"results": "PULL"},
        ),
    ),
    links=(
        LinkOutline(endpoint="tasks", kind="pipeline", senders=("ventilator",), receivers=("worker",), book="tasks"),
        LinkOutline(endpoint="results", kind="pipeline", senders=("worker",), receivers=("sink",), book="results"),
    ),
)  # fmt: skip

LAUNCHED = ("sink-1", "worker-1", "worker-2", "worker-3", "ventilator-1")


def launch() -> list[Known]:
    """From the start to Go at 0.12 s."""
    pids = {name: 4710 + index for index, name in enumerate(LAUNCHED)}
    return [
        PIPELINE,
        *(ProcessLaunched(at_s=0.03, process=name, pid=pid) for name, pid in pids.items()),
        AddressesKnown(at_s=0.05, endpoint="tasks", addresses=("tcp://127.0.0.1:5557",)),
        AddressesKnown(at_s=0.05, endpoint="results", addresses=("ipc:///run/results",)),
        *(ProcessReady(at_s=0.11, process=name, pid=pid) for name, pid in pids.items()),
        RunReady(at_s=0.12, connections=6),
    ]


def ended(process: str, counts: dict[str, Count], **more: object) -> ProcessEnded:
    """A process that ended well at 1.85 s, but for what `more` says."""
    fields: dict[str, object] = {
        "at_s": 1.85, "process": process, "pid": 4710 + LAUNCHED.index(process), "incarnation": 0,
        "outcome": "finished", "exit_code": 0, "signal": None, "busy_s": 0.01, "cpu_s": 0.04,
        "max_rss_bytes": 21 * MB, "ports": counts,
    }  # fmt: skip
    return ProcessEnded(**fields | more)  # type: ignore[arg-type]


def worker(number: int, handled: int, **more: object) -> ProcessEnded:
    """A worker that passed on all that it took."""
    tasks = Count(received=handled, bytes_received=2 * handled)
    return ended(f"worker-{number}", {"tasks": tasks, "results": Count(sent=handled)}, **more)


def passing() -> list[Known]:
    """The pipeline, all well: 100 tasks, 5.0 s of work in 1.8 s."""
    return [
        *launch(),
        Progress(at_s=1.0, readings={"sink-1": Reading(ports={"results": Count(received=57)})}),
        ProcessFinished(at_s=1.0, process="ventilator-1", pid=4714),
        BookClosed(at_s=1.9, book="tasks", replies=False, sent=100, received=100, lost=0, unread=0),
        BookClosed(at_s=1.9, book="results", replies=False, sent=100, received=100, lost=0, unread=0),
        ProcessFinished(at_s=1.9, process="sink-1", pid=4710, result={"elapsed_s": 1.78, "tasks": 100}),
        ended("sink-1", {"results": Count(received=100)}),
        worker(1, 34, busy_s=1.7),
        worker(2, 33, busy_s=1.6),
        worker(3, 33, busy_s=1.7),
        ended("ventilator-1", {"tasks": Count(sent=100, bytes_sent=192)}),
        RunEnded(at_s=1.9, verdict="passed", exit_code=0, work_s=1.78),
    ]


TRACEBACK = 'Traceback (most recent call last):\n  File "work.py", line 3, in work\nValueError: no number\n'


def failing() -> list[Known]:
    """The pipeline; worker-2 is killed at 0.84 s, worker-3 raises, tasks are lost."""
    return [
        *launch(),
        ProcessFailed(
            at_s=0.5, process="worker-3", pid=4713, text="ValueError: no number", traceback=TRACEBACK, item="'x'"
        ),
        ProblemFound(at_s=0.5, kind="failed", process="worker-3", text="worker-3 failed: ValueError: no number", line=31),
        worker(2, 20, at_s=0.84, outcome="killed", exit_code=None, signal="SIGKILL", busy_s=0.7),
        ProblemFound(
            at_s=0.84, kind="killed", process="worker-2", text="worker-2 killed by SIGKILL at 0.84 s (restart: no)", line=31
        ),
        BookClosed(at_s=2.0, book="tasks", replies=False, sent=100, received=88, lost=12, unread=0),
        BookClosed(at_s=2.0, book="results", replies=False, sent=88, received=88, lost=0, unread=0),
        ProblemFound(
            at_s=2.0, kind="lost", endpoint="tasks",
            text="tasks lost 12 of 100: worker-2 held 1 unfinished, 11 were on their way to it", code="lost",
        ),
        ended("sink-1", {"results": Count(received=88)}),
        worker(1, 50, busy_s=1.7),
        worker(3, 18, outcome="failed", exit_code=1, busy_s=0.3),
        ended("ventilator-1", {"tasks": Count(sent=100)}, outcome="stopped"),
        RunEnded(at_s=2.1, verdict="failed", exit_code=1, work_s=1.88),
    ]  # fmt: skip


def not_ready() -> list[Known]:
    """A start that does not come about: worker-3 never shakes hands."""
    return [
        PIPELINE,
        *(ProcessLaunched(at_s=0.03, process=name, pid=1) for name in LAUNCHED[:4]),
        ProblemFound(
            at_s=10.0, kind="not_ready", process="worker-3", endpoint="results", line=29,
            text="not ready after 10 s: worker-3 has not finished its handshake with results",
        ),
        *(ended(name, {}, at_s=10.2, outcome="stopped") for name in LAUNCHED[:4]),
        ended("ventilator-1", {}, at_s=10.2, outcome="not_started", exit_code=None, pid=None, busy_s=None, cpu_s=None,
              max_rss_bytes=None),
        RunEnded(at_s=10.2, verdict="failed", exit_code=1, work_s=None),
    ]  # fmt: skip


def request_reply(clients: int = 3) -> list[Known]:
    """Clients that ask ten times each, and their server."""
    names = [f"client-{n}" for n in range(1, clients + 1)]
    asked = 10 * clients
    start = RunStarted(
        at_s=0.0, run_id="r", topology="topology.yaml", pattern="request_reply", description="", engine="local", seed=2,
        started_at="2026-01-01T00:00:00Z",
        stages=(
            StageOutline(nodes=(("server", 1, "binds hello"),)),
            StageOutline(nodes=(("client", clients, "connects hello"),)),
        ),
        processes=(
            ProcessOutline(
                name="server-1", node="server", role="server", family="server", receives=True, sends=True,
                ports={"clients": "REP"},
            ),
            *(
                ProcessOutline(
                    name=name, node="client", role="client", family="client", replica=n, stage=2,
                    receives=True, sends=True, ports={"server": "REQ"},
                )
                for n, name in enumerate(names, start=1)
            ),
        ),
        links=(
            LinkOutline(endpoint="hello", kind="request_reply", senders=("client",), receivers=("server",), book="hello"),
        ),
    )  # fmt: skip

    def end(process: str, port: str, number: int) -> ProcessEnded:
        return ProcessEnded(
            at_s=0.5, process=process, pid=1, incarnation=0, outcome="finished", exit_code=0, signal=None, busy_s=0.1,
            cpu_s=0.01, max_rss_bytes=20 * MB, ports={port: Count(sent=number, received=number)},
        )  # fmt: skip

    return [
        start,
        *(ProcessLaunched(at_s=0.01, process=name, pid=1) for name in ["server-1", *names]),
        RunReady(at_s=0.1, connections=clients),
        BookClosed(at_s=0.5, book="hello", replies=False, sent=asked, received=asked, lost=0, unread=0),
        BookClosed(at_s=0.5, book="hello", replies=True, sent=asked, received=asked, lost=0, unread=0),
        *(end(name, "server", 10) for name in names),
        end("server-1", "clients", asked),
        RunEnded(at_s=0.6, verdict="passed", exit_code=0, work_s=0.4),
    ]


def expecting(events: list[Known], *expectations: ExpectationOutline) -> list[Known]:
    """The same run, of which something is expected."""
    return [
        msgspec.structs.replace(event, expectations=expectations) if isinstance(event, RunStarted) else event
        for event in events
    ]


def line(path: str, condition: str, number: int = 40) -> ExpectationOutline:
    """An expectation that the file writes."""
    return ExpectationOutline(path=path, condition=condition, line=number)


def always(path: str, condition: str = "== 0") -> ExpectationOutline:
    """An expectation that nobody has written."""
    return ExpectationOutline(path=path, condition=condition, default=True)


def retrying() -> list[Known]:
    """A client that asks ten times and asks again; its server is killed at 0.3 s and started again at 0.5 s."""
    start = RunStarted(
        at_s=0.0, run_id="r", topology="topology.yaml", pattern="pirate", description="", engine="local", seed=2,
        started_at="2026-01-01T00:00:00Z",
        stages=(
            StageOutline(nodes=(("server", 1, "binds hello"),)),
            StageOutline(nodes=(("client", 1, "connects hello"),)),
        ),
        processes=(
            ProcessOutline(
                name="server-1", node="server", role="server", family="server", receives=True, sends=True,
                ports={"clients": "REP"},
            ),
            ProcessOutline(
                name="client-1", node="client", role="client", family="client", stage=2,
                receives=True, sends=True, ports={"server": "REQ"}, retries=True,
            ),
        ),
        links=(
            LinkOutline(endpoint="hello", kind="request_reply", senders=("client",), receivers=("server",), book="hello"),
        ),
        faults=(
            FaultOutline(text="restart server-1 at 200 ms", line=20),
            FaultOutline(text="kill client-1 once server-1.received is 1000", line=21),
        ),
    )  # fmt: skip

    def end(at_s: float, process: str, incarnation: int, **more: object) -> ProcessEnded:
        fields: dict[str, object] = {
            "at_s": at_s, "process": process, "pid": 10 + incarnation, "incarnation": incarnation,
            "outcome": "finished", "exit_code": 0, "signal": None, "busy_s": 0.1, "cpu_s": 0.02,
            "max_rss_bytes": (20 + incarnation) * MB,
        }  # fmt: skip
        return ProcessEnded(**fields | more)  # type: ignore[arg-type]

    return [
        start,
        *(ProcessLaunched(at_s=0.01, process=name, pid=10) for name in ("server-1", "client-1")),
        *(ProcessReady(at_s=0.09, process=name, pid=10) for name in ("server-1", "client-1")),
        RunReady(at_s=0.1, connections=1),
        FaultFired(at_s=0.3, fault=0, text="restart server-1 at 200 ms", processes=("server-1",), line=20),
        end(0.31, "server-1", 0, outcome="killed", exit_code=None, signal="SIGKILL",
            ports={"clients": Count(received=4, sent=3)}),
        ProblemFound(
            at_s=0.31, kind="killed", process="server-1", text="server-1 killed by SIGKILL at 0.31 s", line=9,
            expected=True,
        ),
        ProcessLaunched(at_s=0.5, process="server-1", pid=11, incarnation=1),
        ProcessReady(at_s=0.55, process="server-1", pid=11),
        Progress(at_s=0.6, readings={"server-1": Reading(ports={"clients": Count(received=2, sent=2)})}),
        ProcessFinished(at_s=0.9, process="client-1", pid=10, latencies={64: 9, 320: 1}),
        BookClosed(at_s=0.9, book="hello", replies=False, sent=11, received=11, lost=0, unread=0),
        BookClosed(at_s=0.9, book="hello", replies=True, sent=10, received=10, lost=0, unread=0),
        end(1.0, "client-1", 0, ports={"server": Count(sent=11, received=10, retried=1)}),
        end(1.0, "server-1", 1, ports={"clients": Count(received=7, sent=7)}, outcome="stopped"),
        RunEnded(at_s=1.1, verdict="passed", exit_code=0, work_s=0.8),
    ]  # fmt: skip


def scaled() -> list[Known]:
    """The pipeline; a fourth worker joins it at 1.0 s, and passes on 10 of what would have been worker-1's."""
    fourth = msgspec.structs.replace(PIPELINE.processes[3], name="worker-4", replica=4)
    outline = FaultOutline(text="scale worker to 4 at 880 ms", line=19)
    events = [
        event for event in passing() if not (isinstance(event, ProcessEnded) and event.process == "worker-1")
    ]
    return [
        msgspec.structs.replace(PIPELINE, faults=(outline,)),
        *events[1:14],
        ProcessAdded(at_s=1.0, outline=fourth),
        FaultFired(at_s=1.0, fault=0, text=outline.text, processes=("worker-4",), line=19),
        ProcessLaunched(at_s=1.01, process="worker-4", pid=4720),
        ProcessReady(at_s=1.1, process="worker-4", pid=4720),
        *events[14:-1],
        worker(1, 24, busy_s=1.2),
        msgspec.structs.replace(worker(1, 10, busy_s=0.5), process="worker-4", pid=4720),
        events[-1],
    ]
