import json

import msgspec
import pytest
from scenes import PIPELINE, failing, not_ready, passing, request_reply, retrying, scaled

from orchestrator.outcome.summary import CUT_SHORT, summarise, to_json
from orchestrator.outcome.values import FaultSummary, Replies
from orchestrator.run.events import BookClosed, ProcessEnded, ProcessLaunched, RunStarted
from orchestrator.run.outlines import LinkOutline, ProcessOutline
from roles.kit.slot import Count

# The contract: fields of summary.json, in their order. More may follow, none may go or move.
FIELDS = [
    "version",
    "run_id",
    "topology",
    "pattern",
    "engine",
    "seed",
    "verdict",
    "started_at",
    "elapsed_s",
    "ready_s",
    "work_s",
    "speedup",
    "stages",
    "processes",
    "links",
    "expectations",
    "problems",
]
PROCESS_FIELDS = [
    "name",
    "node",
    "role",
    "stage",
    "pid",
    "incarnation",
    "restarts",
    "outcome",
    "exit_code",
    "signal",
    "launched_s",
    "ready_s",
    "ended_s",
    "busy_s",
    "cpu_s",
    "max_rss_bytes",
    "ports",
    "result",
]
LINK_FIELDS = [
    "endpoint",
    "addresses",
    "senders",
    "receivers",
    "sent",
    "received",
    "lost",
    "unread",
    "foreign",
    "duplicates",
]
PROBLEM_FIELDS = ["kind", "process", "endpoint", "text", "code", "file", "line"]


def named(items, name):
    return next(item for item in items if item.name == name)


def test_fields_stand_in_the_order_of_the_contract():
    document = json.loads(to_json(summarise(failing())))
    assert list(document)[: len(FIELDS)] == FIELDS
    assert list(document["processes"][0])[: len(PROCESS_FIELDS)] == PROCESS_FIELDS
    assert list(document["links"][0])[: len(LINK_FIELDS)] == LINK_FIELDS
    assert list(document["problems"][0]) == PROBLEM_FIELDS


def test_a_passing_run():
    summary = summarise(passing())
    assert (summary.verdict, summary.exit_code, summary.problems) == ("passed", 0, ())
    assert (summary.elapsed_s, summary.ready_s, summary.work_s) == (1.9, 0.12, 1.78)
    assert summary.speedup == pytest.approx(5.0 / 1.78, abs=0.001)
    assert summary.stages == (("sink",), ("worker",), ("ventilator",))


def test_processes_stand_in_launch_order():
    names = [process.name for process in summarise(passing()).processes]
    assert names == ["sink-1", "worker-1", "worker-2", "worker-3", "ventilator-1"]


def test_a_process_of_a_passing_run():
    document = json.loads(to_json(summarise(passing())))
    worker = document["processes"][1]
    assert worker["ports"] == {"tasks": {"received": 34, "bytes": 68}, "results": {"sent": 34, "bytes": 0}}
    assert (worker["launched_s"], worker["ready_s"], worker["ended_s"]) == (0.03, 0.11, 1.85)
    assert (worker["outcome"], worker["exit_code"], worker["signal"], worker["share"]) == (
        "finished",
        0,
        None,
        0.34,
    )
    assert document["processes"][0]["result"] == {"elapsed_s": 1.78, "tasks": 100}


def test_a_counter_that_stayed_at_zero_is_told():
    events = [
        msgspec.structs.replace(event, ports={"tasks": Count(), "results": Count()})
        if isinstance(event, ProcessEnded) and event.process == "worker-1"
        else event
        for event in passing()
    ]
    ports = json.loads(to_json(summarise(events)))["processes"][1]["ports"]
    assert ports == {"tasks": {"received": 0, "bytes": 0}, "results": {"sent": 0, "bytes": 0}}


def test_the_rate_of_a_killed_process_counts_while_it_lived():
    worker = named(summarise(failing()).processes, "worker-2")
    assert worker.rate_per_s == pytest.approx(20 / 0.72, abs=0.01)
    assert worker.signal == "SIGKILL"


def test_a_failed_role_has_its_traceback_and_item():
    failure = named(summarise(failing()).processes, "worker-3").failure
    assert failure is not None
    assert failure.item == "'x'"
    assert failure.traceback.endswith("ValueError: no number\n")


def test_problems_have_their_places():
    problems = summarise(failing()).problems
    assert [(problem.kind, problem.file, problem.line) for problem in problems] == [
        ("failed", "topology.yaml", 31),
        ("killed", "topology.yaml", 31),
        ("lost", None, None),
    ]
    assert [problem.code for problem in problems] == ["failed", "killed", "lost"]


def test_a_run_that_never_became_ready_knows_no_work():
    summary = summarise(not_ready())
    assert (summary.ready_s, summary.work_s, summary.speedup) == (None, None, None)
    assert (summary.links[0].sent, summary.links[0].lost, summary.links[0].foreign) == (None, None, None)
    assert named(summary.processes, "ventilator-1").outcome == "not_started"


def test_requests_and_replies_are_two_books():
    link = summarise(request_reply()).links[0]
    assert (link.sent, link.received, link.lost) == (30, 30, 0)
    assert link.replies == Replies(sent=30, received=30, lost=0)
    assert "replies" not in json.loads(to_json(summarise(passing())))["links"][0]


def test_without_workers_there_is_no_speedup():
    assert summarise(request_reply()).speedup is None


@pytest.mark.parametrize("kept", range(1, len(passing()) - 1))
def test_a_record_that_ends_early_is_a_failed_run(kept):
    summary = summarise(passing()[:kept])
    assert (summary.verdict, summary.exit_code) == ("failed", 1)
    assert summary.problems[-1].text == CUT_SHORT


def test_of_a_process_that_was_launched_and_never_seen_again_nothing_is_known():
    sink = named(summarise(passing()[:3]).processes, "sink-1")
    assert (sink.outcome, sink.exit_code, sink.ports) == (None, None, {})


def test_without_a_beginning_there_is_no_summary():
    with pytest.raises(ValueError, match="RunStarted"):
        summarise(passing()[1:])


def proxied():
    links = (
        LinkOutline(
            endpoint="front", kind="pipeline", senders=("a",), receivers=("proxy",), book="front+back"
        ),
        LinkOutline(
            endpoint="back", kind="pipeline", senders=("proxy",), receivers=("b",), book="front+back"
        ),
    )
    proxy = ProcessOutline(
        name="proxy-1", node="proxy", role="proxy", family="proxy", receives=True, sends=True
    )
    fields = {name: getattr(PIPELINE, name) for name in RunStarted.__struct_fields__}
    start = RunStarted(**fields | {"links": links, "processes": (proxy,)})
    ended = ProcessEnded(
        at_s=1.0, process="proxy-1", pid=1, incarnation=0, outcome="stopped", exit_code=0, signal=None,
        busy_s=None, cpu_s=None, max_rss_bytes=None, ports={"frontend": Count(), "backend": Count()},
    )  # fmt: skip
    book = BookClosed(at_s=1.0, book="front+back", replies=False, sent=9, received=7, lost=2, unread=0)
    return [start, book, ended]


def test_links_that_share_a_book_show_its_numbers_and_name_it():
    links = summarise(proxied()).links
    assert [(link.endpoint, link.book, link.sent, link.received, link.lost) for link in links] == [
        ("front", "front+back", 9, 7, 2),
        ("back", "front+back", 9, 7, 2),
    ]


def test_a_proxy_keeps_no_counts():
    ports = json.loads(to_json(summarise(proxied())))["processes"][0]["ports"]
    assert ports["frontend"] == {"sent": None, "received": None, "bytes": None}


def test_a_restarted_process_shows_its_last_incarnation():
    again = ProcessLaunched(at_s=1.0, process="worker-1", pid=99, incarnation=1)
    worker = named(summarise([*passing()[:13], again]).processes, "worker-1")
    assert (worker.pid, worker.incarnation, worker.restarts) == (99, 1, 1)


def test_of_several_incarnations_the_counts_add_up_and_the_rest_is_the_last_one_s():
    server = named(summarise(retrying()).processes, "server-1")
    assert (server.pid, server.incarnation, server.restarts) == (11, 1, 1)
    assert (server.outcome, server.exit_code, server.signal) == ("stopped", 0, None)
    assert (server.launched_s, server.ready_s, server.ended_s) == (0.5, 0.55, 1.0)
    assert (server.busy_s, server.cpu_s, server.max_rss_bytes) == (0.2, 0.04, 21_000_000)
    assert (server.ports["clients"].received, server.ports["clients"].sent) == (11, 10)


def test_an_incarnation_that_never_came_is_no_restart():
    never = ProcessEnded(
        at_s=1.0, process="server-1", pid=None, incarnation=1, outcome="not_started", exit_code=None, signal=None,
        busy_s=None, cpu_s=None, max_rss_bytes=None, ports={},
    )  # fmt: skip
    again = {"ProcessLaunched", "ProcessReady", "ProcessEnded"}
    kept = [
        event
        for event in retrying()
        if not (event.at_s >= 0.5 and type(event).__name__ in again and event.process == "server-1")
    ]
    server = named(summarise([*kept[:-1], never, kept[-1]]).processes, "server-1")
    assert (server.outcome, server.incarnation, server.restarts) == ("not_started", 1, 0)
    assert (server.ports["clients"].received, server.elapsed_s) == (4, 0.21)


def test_latencies_are_told_of_a_process_and_of_its_node():
    summary = summarise(retrying())
    assert named(summary.processes, "client-1").latency == summary.nodes[1].latency
    assert summary.nodes[0].latency is None
    assert summary.nodes[1].latency.count == 10
    assert summary.nodes[1].latency.p90_ms == pytest.approx(0.064, rel=0.03)


def test_counters_that_only_some_ports_keep_are_left_out_of_the_others():
    ports = {one["name"]: one["ports"] for one in json.loads(to_json(summarise(retrying())))["processes"]}
    assert ports["server-1"]["clients"] == {"sent": 10, "received": 11, "bytes": 0}
    assert ports["client-1"]["server"] == {
        "sent": 11, "received": 10, "bytes": 0, "duplicates": 0, "retried": 1, "late": 0,
    }  # fmt: skip


def test_every_fault_is_told_whether_it_fired_or_not():
    assert summarise(retrying()).faults == (
        FaultSummary(text="restart server-1 at 200 ms", fired_s=0.3, processes=("server-1",), line=20),
        FaultSummary(text="kill client-1 once server-1.received is 1000", fired_s=None, line=21),
    )


def test_who_joins_stands_with_its_node():
    summary = summarise(scaled())
    assert [process.name for process in summary.processes][1:5] == [f"worker-{n}" for n in (1, 2, 3, 4)]
    assert named(summary.processes, "worker-4").share == 0.1
    assert summary.nodes[1].processes == 4


def test_the_time_of_a_process_ends_when_its_part_is_done():
    ventilator = named(summarise(passing()).processes, "ventilator-1")
    assert (ventilator.finished_s, ventilator.ended_s, ventilator.elapsed_s) == (1.0, 1.85, 0.88)
    worker = named(summarise(failing()).processes, "worker-2")
    assert (worker.finished_s, worker.elapsed_s) == (None, 0.72)
