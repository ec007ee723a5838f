"""The lines on messages: how many a second pass through roles, against plain loops on the same sockets."""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks import ours
from benchmarks.measure import Compare, FailedError, Figures, Line, Measure
from benchmarks.peers import plain

PAYLOAD_BYTES = 8
LARGE_BYTES = 10_000
_SUBSCRIBERS = {"first": "a", "second": "b", "third": "c"}
_TOPICS = 4
_NOT_SAID = "it received {} of {}"


def pipeline(workers: int, count: int, settings: Mapping[str, object] | None = None) -> Figures:
    """Ours: tasks a second through so many workers, from the first task to the last result."""
    record = ours.run(
        "pipeline.yaml",
        {
            "pipeline.nodes.ventilator.params.call.with.count": count,
            "pipeline.nodes.sink.params.expected": count,
            "pipeline.nodes.worker.replicas": workers,
            **(settings or {}),
        },
    )
    _require(record.received("sink"), count)
    return {"tasks_per_s": count / record.span_s(), "work_s": record.summary["work_s"]}


def plain_pipeline(workers: int, count: int) -> Figures:
    """The same with plain scripts."""
    with plain.sockets() as place:
        tasks, results = f"{place}/tasks", f"{place}/results"
        passing = [plain.script("worker", tasks, results)] * workers
        ends = [
            plain.script("sink", "bind", results, count),
            plain.script("ventilator", tasks, count, PAYLOAD_BYTES),
        ]
        sink, ventilator = plain.together(passing, ends)
    return {"tasks_per_s": count / (sink["ended_s"] - ventilator["began_s"])}


def batched(workers: int, count: int) -> Figures:
    """Ours with a hundred tasks to a frame."""
    batch = "{address: ipc, batch: 100}"
    return pipeline(workers, count, {"pipeline.endpoints.tasks": batch, "pipeline.endpoints.results": batch})


def lockstep(clients: int, requests: int) -> Figures:
    """Ours: requests a second of all clients together, each of which makes so many."""
    record = ours.run(
        "lockstep.yaml",
        {"lockstep.nodes.client.replicas": clients, "lockstep.nodes.client.params.requests": requests},
    )
    _require(record.received("server"), clients * requests)
    return {"requests_per_s": clients * requests / record.span_s()}


def plain_lockstep(clients: int, requests: int) -> Figures:
    """The same with plain scripts."""
    with plain.sockets() as place:
        address = f"{place}/questions"
        told = plain.together(
            [plain.script("server", address)], [plain.script("client", address, requests)] * clients
        )
    span_s = max(one["ended_s"] for one in told) - min(one["began_s"] for one in told)
    return {"requests_per_s": clients * requests / span_s}


def updates(count: int) -> Figures:
    """Ours: updates a second at the publisher, and those that three subscribers had a second until the last one.

    Each wants one topic of four, and nobody has a high-water mark, so all that is wanted must arrive.
    """
    settings: dict[str, object] = {"updates.nodes.publisher.params.call.with.count": count}
    for node in _SUBSCRIBERS:
        settings[f"updates.nodes.{node}.params.updates"] = count // _TOPICS
    record = ours.run("updates.yaml", settings)
    delivered = sum(record.received(node) for node in _SUBSCRIBERS)
    _require(delivered, count // _TOPICS * len(_SUBSCRIBERS))
    (publisher,) = [one["result"] for one in record.summary["processes"] if one["node"] == "publisher"]
    return {
        "published_per_s": count / (publisher["ended_s"] - publisher["began_s"]),
        "delivered_per_s": delivered / record.span_s(),
    }


def plain_updates(count: int) -> Figures:
    """The same with plain scripts."""
    with plain.sockets() as place:
        address = f"{place}/updates"
        subscribers = [
            plain.script("subscriber", address, topic, count // _TOPICS) for topic in _SUBSCRIBERS.values()
        ]
        *told, publisher = plain.together([], [*subscribers, plain.script("publisher", address, count)])
    delivered = sum(one["received"] for one in told)
    return {
        "published_per_s": count / (publisher["ended_s"] - publisher["began_s"]),
        "delivered_per_s": delivered / (max(one["ended_s"] for one in told) - publisher["began_s"]),
    }


def hop(count: int, settings: Mapping[str, object] | None = None) -> Figures:
    """Ours: bytes a second from a source to a sink over tcp."""
    record = ours.run(
        "hop.yaml",
        {
            "hop.nodes.source.params.call.with.count": count,
            "hop.nodes.sink.params.expected": count,
            **(settings or {}),
        },
    )
    _require(record.received("sink"), count)
    return {"bytes_per_s": count * LARGE_BYTES / record.span_s()}


def plain_hop(count: int) -> Figures:
    """The same with plain scripts."""
    address = f"tcp://127.0.0.1:{plain.free_port()}"
    source, sink = plain.together(
        [],
        [
            plain.script("ventilator", address, count, LARGE_BYTES),
            plain.script("sink", "connect", address, count),
        ],
    )
    return {"bytes_per_s": count * LARGE_BYTES / (sink["ended_s"] - source["began_s"])}


def lines(*, quick: bool) -> list[Line]:
    """The lines on messages."""
    tasks = 200_000 if quick else 400_000
    several = (1,) if quick else (1, 2, 4)
    return [
        *(_pipeline_line(workers, tasks) for workers in several),
        *(
            _lockstep_line(clients, (6_000 if quick else 10_000) // (1 if clients == 1 else 4))
            for clients in (1, 16)
        ),
        _updates_line(200_000 if quick else 600_000),
        _hop_line(20_000 if quick else 60_000),
        *([] if quick else [_curve_pipeline_line(tasks), _curve_hop_line(20_000)]),
    ]


def _pipeline_line(workers: int, count: int) -> Line:
    return Line(
        name=f"pipeline-{workers}",
        title=f"pipeline, {number_of(workers, 'worker')}, tiny tasks",
        against="plain pyzmq",
        measures=(Measure(key="tasks_per_s", unit="tasks/s", compare=Compare.RATE, goal=0.90),),
        ours=lambda: pipeline(workers, count),
        theirs=lambda: plain_pipeline(workers, count),
    )


def _lockstep_line(clients: int, requests: int) -> Line:
    return Line(
        name=f"request-reply-{clients}",
        title=f"request-reply, {number_of(clients, 'client')}",
        against="plain pyzmq",
        measures=(Measure(key="requests_per_s", unit="requests/s", compare=Compare.RATE, goal=0.90),),
        ours=lambda: lockstep(clients, requests),
        theirs=lambda: plain_lockstep(clients, requests),
    )


def _updates_line(count: int) -> Line:
    return Line(
        name="publish-subscribe",
        title="publish-subscribe, 3 filtered subscribers",
        against="plain pyzmq",
        measures=(
            Measure(key="published_per_s", unit="updates/s", compare=Compare.RATE, goal=0.90, what="sent"),
            Measure(
                key="delivered_per_s", unit="updates/s", compare=Compare.RATE, goal=0.90, what="delivered"
            ),
        ),
        ours=lambda: updates(count),
        theirs=lambda: plain_updates(count),
    )


def _hop_line(count: int) -> Line:
    return Line(
        name="large-payloads",
        title="10 kB payloads, one hop over tcp",
        against="plain pyzmq",
        measures=(Measure(key="bytes_per_s", unit="bytes/s", compare=Compare.RATE, goal=0.95),),
        ours=lambda: hop(count),
        theirs=lambda: plain_hop(count),
    )


def _curve_pipeline_line(count: int) -> Line:
    return Line(
        name="curve-pipeline",
        title="pipeline under curve, 2 workers, tiny tasks",
        against="the same without curve",
        measures=(Measure(key="tasks_per_s", unit="tasks/s", compare=Compare.RATE),),
        ours=lambda: pipeline(2, count, {"pipeline.security": "curve"}),
        theirs=lambda: pipeline(2, count),
        most=3,
    )


def _curve_hop_line(count: int) -> Line:
    return Line(
        name="curve-large-payloads",
        title="10 kB payloads under curve, one hop over tcp",
        against="the same without curve",
        measures=(Measure(key="bytes_per_s", unit="bytes/s", compare=Compare.RATE),),
        ours=lambda: hop(count, {"hop.security": "curve"}),
        theirs=lambda: hop(count),
        most=3,
    )


def number_of(count: int, noun: str) -> str:
    """A number with its noun: `1 worker`, `2 workers`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def _require(received: int, count: int) -> None:
    if received != count:
        raise FailedError(_NOT_SAID.format(received, count))
