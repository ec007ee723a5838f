import msgspec
import pytest
from scenes import failing, not_ready, passing, request_reply, retrying, scaled

from orchestrator.outcome.measures import Measures, jain
from orchestrator.outcome.summary import summarise
from orchestrator.run.events import BookClosed, ProcessEnded, ProcessFinished
from orchestrator.run.outlines import ProcessOutline
from roles.kit.slot import Count


def measures(events):
    return Measures(summarise(events))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("elapsed_s", 1.9),
        ("ready_s", 0.12),
        ("work_s", 1.78),
        ("speedup", 2.809),
        ("sink.received", 100),
        ("sink-1.received", 100),
        ("worker.received", 100),
        ("worker.sent", 100),
        ("worker-2.received", 33),
        ("worker.received.min", 33),
        ("worker.received.max", 34),
        ("worker.received.mean", 100 / 3),
        ("worker.received.jain", 100**2 / (3 * (34**2 + 33**2 + 33**2))),
        ("worker.rate.min", 19.08),
        ("worker.busy_s", 5.0),
        ("worker.busy_s.max", 1.7),
        ("worker.cpu_s", 0.12),
        ("worker.max_rss_bytes", 21_000_000),
        ("worker.ready_s", 0.11),
        ("worker.restarts", 0),
        ("worker.exit_code", 0),
        ("sink.elapsed_s", 1.78),
        ("ventilator.elapsed_s", 0.88),
        ("worker.elapsed_s", 1.73),
        ("sink.result.tasks", 100),
        ("sink-1.result.elapsed_s", 1.78),
        ("tasks.sent", 100),
        ("tasks.lost", 0),
        ("tasks.unread", 0),
        ("tasks.foreign", 0),
    ],
)
def test_what_a_run_has_come_to(path, value):
    assert measures(passing()).value(path) == pytest.approx(value)


@pytest.mark.parametrize(
    "path",
    [
        "sink.sent",
        "ventilator.received",
        "worker.missed",
        "worker.retried",
        "worker.p99_ms",
        "worker-1.p50_ms",
        "sink.result.nothing",
        "worker.result.tasks",
        "worker.received.median",
        "worker.nothing",
        "tasks.duplicates",
        "tasks.replies.lost",
        "tasks.nothing",
        "nobody.received",
        "nothing",
    ],
)
def test_what_is_not_known_is_none(path):
    assert measures(passing()).value(path) is None
    assert measures(passing()).values(path) == ()


def test_what_never_began_has_no_measures():
    found = measures(not_ready())
    paths = ("ready_s", "work_s", "speedup", "worker.received", "worker.elapsed_s", "tasks.lost")
    assert [found.value(path) for path in paths] == [None] * 6


def test_exit_codes_are_each_process_s_own_and_signals_have_names():
    found = measures(failing())
    assert found.values("worker.exit_code") == (0, "SIGKILL", 1)
    assert found.value("worker.exit_code") is None
    assert found.value("worker-2.exit_code") == "SIGKILL"


def test_who_was_stopped_ended_well_whatever_it_said():
    def sour(event):
        stopped = isinstance(event, ProcessEnded) and event.outcome == "stopped"
        return msgspec.structs.replace(event, exit_code=143) if stopped else event

    assert measures(map(sour, failing())).value("ventilator.exit_code") == 0


def test_who_was_never_started_has_no_exit_code():
    assert measures(not_ready()).values("ventilator.exit_code") == ()


def results(*told):
    names = iter(told)

    def telling(event):
        if isinstance(event, ProcessEnded) and event.process.startswith("worker"):
            result = next(names)
            return [
                ProcessFinished(at_s=1.8, process=event.process, pid=event.pid, result=result),
                event,
            ]
        return [event]

    return [one for event in passing() for one in telling(event)]


def test_results_are_those_of_the_processes_that_have_one():
    found = measures(results({"n": 1}, None, {"n": 2}))
    assert found.values("worker.result.n") == (1, 2)
    assert measures(results({"n": 1}, None, {"n": 1})).value("worker.result.n") == 1


def test_a_result_without_the_key_counts_as_not_known():
    assert measures(results({"n": 1}, {"m": 1}, None)).values("worker.result.n") == (1, None)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("a.b", 1),
        ("a.c", 2),
        ("d.e.f", 3),
        ("g.0", 4),
        ("h", None),
        ("i", None),
        ("a", None),
        ("a.b.c", None),
    ],
)
def test_keys_of_results_may_have_dots_and_lead_on(path, value):
    result = {"a.b": 1, "a": {"c": 2, "b": 5}, "d": {"e.f": 3}, "g": {0: 4}, "h": None, "i": float("nan")}
    assert measures(results(result, None, None)).value(f"worker-1.result.{path}") == value


def test_results_are_what_the_journal_keeps_of_them():
    result = {"bytes": b"ab", "set": {1}, "many": {1: "x"}}
    summary = summarise(results(result, None, None))
    told = next(process.result for process in summary.processes if process.name == "worker-1")
    assert told == {"bytes": "YWI=", "set": [1], "many": {"1": "x"}}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("hello.sent", 30),
        ("hello.replies.sent", 30),
        ("hello.replies.received", 30),
        ("hello.replies.lost", 0),
    ],
)
def test_replies_are_a_book_of_their_own(path, value):
    assert measures(request_reply()).value(path) == value


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("server.received", 11),
        ("server.sent", 10),
        ("server.restarts", 1),
        ("server.busy_s", 0.2),
        ("server.max_rss_bytes", 21_000_000),
        ("server.ready_s", 0.55),
        ("server.elapsed_s", 0.9),
        ("server.exit_code", 0),
        ("client.retried", 1),
        ("client.answered", 10),
        ("client.late", 0),
        ("client.duplicates", 0),
        ("client.p50_ms", 0.064),
        ("client-1.p99_ms", 16.64),
        ("client.max_ms", 16.64),
    ],
)
def test_incarnations_add_up(path, value):
    assert measures(retrying()).value(path) == pytest.approx(value, rel=0.03)


def test_who_joins_later_is_one_of_its_node():
    found = measures(scaled())
    assert found.value("worker.received") == 100
    assert found.value("worker.received.min") == found.value("worker-4.received") == 10
    assert found.value("worker-4.elapsed_s") == pytest.approx(0.84)
    assert found.value("worker-4.rate") == pytest.approx(10 / 0.84, abs=0.01)


def test_round_trips_are_merged_over_replicas():
    def timed(event):
        if isinstance(event, ProcessEnded) and event.process.startswith("client"):
            fast = 10 if event.process == "client-1" else 500
            heard = ProcessFinished(at_s=0.5, process=event.process, pid=1, latencies={fast: 10})
            return [heard, event]
        return [event]

    found = measures([one for event in request_reply() for one in timed(event)])
    assert found.value("client-1.max_ms") < 0.02 < found.value("client.p50_ms")
    node = summarise([one for event in request_reply() for one in timed(event)]).nodes[1]
    assert (node.name, node.processes, node.latency.count) == ("client", 3, 30)


def test_numbered_updates_tell_what_was_missed():
    numbered = ProcessOutline(
        name="watch-1", node="watch", role="subscriber", family="subscriber", receives=True,
        ports={"updates": "SUB"}, sequenced=("updates",),
    )  # fmt: skip
    plain = msgspec.structs.replace(numbered, name="view-1", node="view", sequenced=())
    start = msgspec.structs.replace(passing()[0], processes=(numbered, plain))
    counts = {"updates": Count(received=9, missed=3, gaps=2, duplicates=1)}

    def end(process):
        return ProcessEnded(
            at_s=1.0, process=process, pid=1, incarnation=0, outcome="finished", exit_code=0, signal=None,
            busy_s=0.1, cpu_s=0.1, max_rss_bytes=1, ports=counts,
        )  # fmt: skip

    book = BookClosed(
        at_s=1.0, book="tasks", replies=False, sent=12, received=9, lost=3, unread=None, duplicates=1
    )
    found = measures([start, end("watch-1"), end("view-1"), book])
    assert [found.value(f"watch.{name}") for name in ("missed", "gaps", "duplicates", "late")] == [
        3,
        2,
        1,
        None,
    ]
    assert found.value("view.missed") is None
    assert (found.value("tasks.lost"), found.value("tasks.duplicates")) == (3, 1)


@pytest.mark.parametrize(
    ("numbers", "index"), [([5, 5, 5], 1.0), ([9, 0, 0], 1 / 3), ([0, 0], 1.0), ([1, 3], 0.8), ([7], 1.0)]
)
def test_jain_tells_how_even_it_is(numbers, index):
    assert jain(numbers) == pytest.approx(index)
