import re
import shutil
import subprocess

import pytest

from orchestrator.graph import dot, edges, mermaid, shown_addresses
from orchestrator.planpage import plan_text
from orchestrator.run.plan import ExpectationPlan, FaultPlan, Link, Plan, Stage
from roles.kit.spec import Attachment, PortSpec, ProcessSpec


def port(name, kind, endpoint, mode, address=""):
    return PortSpec(
        name=name, kind=kind, attachments=(Attachment(endpoint=endpoint, mode=mode, address=address),)
    )


TASKS = "tcp://127.0.0.1:5557"
RESULTS = "ipc://{sockets}/results-1"

PIPELINE = Plan(
    topology="topology.yaml",
    pattern="pipeline",
    description='a "batch" of <tasks> #1',
    processes=(
        ProcessSpec(
            name="sink-1", node="sink", role="sink",
            ports=(port("results", "PULL", "results", "bind", RESULTS),)
        ),
        *(
            ProcessSpec(
                name=f"worker-{n}", node="worker", role="work:Resize", replica=n, replicas=2, stage=2,
                ports=(
                    port("tasks", "PULL", "tasks", "connect"),
                    port("results", "PUSH", "results", "connect"),
                ),
            )
            for n in (1, 2)
        ),
        ProcessSpec(
            name="feeder-1", node="feeder", command=("./feeder", "--fast"), stage=3, sends=True,
            ports=(port("tasks", "", "tasks", "bind", TASKS),),
        ),
    ),
    stages=(
        Stage(nodes=("sink",), processes=("sink-1",)),
        Stage(nodes=("worker",), processes=("worker-1", "worker-2"), why="sends to sink"),
        Stage(nodes=("feeder",), processes=("feeder-1",), why="a command that sends comes last"),
    ),
    links=(
        Link(
            endpoint="tasks", kind="pipeline", addresses=(TASKS,), senders=("feeder",), receivers=("worker",),
            binders=("feeder",), connectors=("worker",), book="tasks",
        ),
        Link(
            endpoint="results", kind="pipeline", addresses=(RESULTS,), senders=("worker",),
            receivers=("sink",), binders=("sink",), connectors=("worker",), book="results",
        ),
    ),
)  # fmt: skip

DIALOGUE = Plan(
    topology="topology.yaml",
    pattern="end",
    processes=(
        ProcessSpec(name="o-1", node="o", role="server", ports=(port("clients", "REP", "x", "bind", TASKS),)),
        ProcessSpec(name="c-1", node="c", role="client", ports=(port("server", "REQ", "x", "connect"),)),
    ),
    stages=(Stage(nodes=("o",), processes=("o-1",)), Stage(nodes=("c",), processes=("c-1",))),
    links=(
        Link(
            endpoint="x", kind="request_reply", addresses=(TASKS,), senders=("c",), receivers=("o",),
            binders=("o",), connectors=("c",), book="x",
        ),
    ),
)  # fmt: skip

MERMAID = """\
flowchart LR
  subgraph pipeline_p["pipeline: a #quot;batch#quot; of #lt;tasks#gt; #35;1"]
    pipeline_n_sink["sink"]
    pipeline_n_worker["worker ×2<br/>work:Resize"]
    pipeline_n_feeder["feeder<br/>./feeder --fast"]
    pipeline_e_tasks(["tasks<br/>tcp://127.0.0.1:5557"])
    pipeline_e_results(["results<br/>ipc"])
    pipeline_n_feeder -->|"binds"| pipeline_e_tasks
    pipeline_e_tasks -->|"PULL connects"| pipeline_n_worker
    pipeline_n_worker -->|"PUSH connects"| pipeline_e_results
    pipeline_e_results -->|"PULL binds"| pipeline_n_sink
  end
"""

DOT = """\
digraph topology {
  rankdir=LR;
  node [shape=box];
  subgraph cluster_end {
    label="end";
    "end/n/o" [label="o\\nserver"];
    "end/n/c" [label="c\\nclient"];
    "end/e/x" [shape=ellipse, label="x\\ntcp://127.0.0.1:5557"];
    "end/n/c" -> "end/e/x" [label="REQ connects", dir=both];
    "end/n/o" -> "end/e/x" [label="REP binds", dir=both];
  }
}
"""


def test_mermaid_of_a_pipeline():
    assert mermaid(PIPELINE) == MERMAID


def test_dot_of_a_dialogue():
    assert dot(DIALOGUE) == DOT


def test_requests_and_replies_go_both_ways():
    assert {edge.direction for edge in edges(DIALOGUE)} == {"both"}
    assert 'end_n_c <-->|"REQ connects"| end_e_x' in mermaid(DIALOGUE)


def test_every_pattern_has_a_box_of_its_own():
    text = mermaid(PIPELINE, DIALOGUE)
    assert text.count("subgraph") == 2
    assert text.count("flowchart") == 1
    assert dot(PIPELINE, DIALOGUE).count("subgraph cluster_") == 2


def test_no_identifier_is_a_word_of_mermaid():
    names = re.findall(r"^ +(\w+)[\[(]", mermaid(DIALOGUE), re.MULTILINE)
    assert names
    assert all(name.startswith("end_") for name in names)


def test_quotes_and_backslashes_are_quoted_in_dot():
    odd = Plan(
        topology="t", pattern="p", processes=(ProcessSpec(name="n-1", node="n", command=('say "a\\b"',)),)
    )
    assert 'label="n\\nsay \\"a\\\\b\\""' in dot(odd)


@pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed")
def test_graphviz_reads_it():
    subprocess.run(["dot", "-Tsvg"], input=dot(PIPELINE, DIALOGUE).encode(), check=True, capture_output=True)


def test_of_many_addresses_the_first_is_shown():
    assert shown_addresses(("tcp://a:1", "tcp://a:2", "tcp://a:3")) == "tcp://a:1 and 2 more"
    assert shown_addresses(("ipc://{sockets}/a-1", "ipc://{sockets}/a-2")) == "ipc"
    assert shown_addresses(()) == ""


PAGE = """\
pipeline: a "batch" of <tasks> #1
  1 sink       binds results
  2 worker ×2  connects tasks, results; sends to sink
  3 feeder     binds tasks; a command that sends comes last

PROCESS   ROLE                      PORT     SOCKET  DOES              ADDRESS
sink-1    sink                      results  PULL    binds results     ipc
worker-1  work:Resize               tasks    PULL    connects tasks    tcp://127.0.0.1:5557
                                    results  PUSH    connects results  ipc
worker-2  work:Resize               tasks    PULL    connects tasks    tcp://127.0.0.1:5557
                                    results  PUSH    connects results  ipc
feeder-1  command: ./feeder --fast  tasks    –       binds tasks       tcp://127.0.0.1:5557

LINK     KIND      FROM    TO      ADDRESSES
tasks    pipeline  feeder  worker  tcp://127.0.0.1:5557
results  pipeline  worker  sink    ipc
"""


def test_a_plan_is_told_with_its_order_and_sockets():
    assert plan_text(PIPELINE) == PAGE


def test_a_node_of_many_processes_is_shown_by_its_first():
    first = PIPELINE.processes[0]
    many = tuple(
        ProcessSpec(name=f"sink-{n}", node="sink", role="sink", replica=n, replicas=41, ports=first.ports)
        for n in range(1, 42)
    )
    text = plan_text(Plan(topology="t", pattern="p", processes=many))
    assert [line.split("  ")[0] for line in text.splitlines() if line.startswith("sink")] == ["sink ×41"]


def test_what_is_expected_and_broken_is_told_with_its_line():
    plan = Plan(
        topology="t.yaml",
        pattern="p",
        expectations=(
            ExpectationPlan(path="sink.received", condition="== 100", line=12),
            ExpectationPlan(path="sink.rate", condition="> 5"),
            ExpectationPlan(path="tasks.lost", condition="== 0", default=True),
        ),
        faults=(FaultPlan(action="kill", text="kill worker-2, 2 s after Go", line=16),),
    )
    told = plan_text(plan).splitlines()
    assert told[-8:] == [
        "",
        "EXPECTED              BY",
        "sink.received == 100  t.yaml:12",
        "sink.rate > 5         --set",
        "tasks.lost == 0       default",
        "",
        "BROKEN ON PURPOSE            BY",
        "kill worker-2, 2 s after Go  t.yaml:16",
    ]
