"""What a user's code can do wrong: it is told under the process's name, with the item, and the run fails."""

from __future__ import annotations

import textwrap

import pytest
from harness import Outcome, Project
from trouble import books_agree, line_of

TOPOLOGY = """
    p:
      settle: 100ms
      endpoints: {{tasks: ipc, results: ipc}}
      nodes:
        ventilator: {{role: ventilator, bind: tasks, params: {{count: 20}}}}
        worker: {{role: worker, connect: [tasks, results], params: {{{worker}}}}}
        sink: {{role: sink, bind: results, params: {{{sink}}}}}
"""


def run(
    project: Project, code: str, *, worker: str = "call: 'roles.functions:echo'", sink: str = ""
) -> Outcome:
    project.write("mine.py", code)
    project.topology(TOPOLOGY.format(worker=worker, sink=sink))
    return project.run()


def failed(
    outcome: Outcome, process: str, exit_code: int | None, kind: str, signal: str | None = None
) -> str:
    """The text of the one failure that is told, checked against the process's line."""
    assert (outcome.exit_code, outcome.summary["verdict"]) == (1, "failed"), outcome.stderr
    told = outcome.processes[process]
    assert (told["exit_code"], told["signal"]) == (exit_code, signal), outcome.stderr
    assert told["outcome"] == ("killed" if signal else "failed")
    own = [problem for problem in outcome.problems if problem["kind"] != "lost"]
    assert [(problem["kind"], problem["process"]) for problem in own] == [(kind, process)], outcome.problems
    rows = [
        line for line in outcome.stderr.splitlines() if line.startswith(f"{process} ") and " | " not in line
    ]
    row = rows[0]
    assert (signal or f" {exit_code} ") in row, row
    books_agree(outcome)
    return own[0]["text"]


def lost_after(outcome: Outcome, handled: int) -> None:
    """So many tasks were handled, and all others lost; how many were sent before the failure was known varies."""
    link = outcome.links["tasks"]
    assert link["received"] == handled
    assert link["lost"] == link["sent"] - handled > 0


def under_its_name(outcome: Outcome, process: str) -> str:
    """What the process printed, as it is shown: each line with the process's name before it."""
    lines = [line for line in outcome.stderr.splitlines() if line.startswith(process) and " | " in line]
    return "\n".join(line.partition(" | ")[2] for line in lines)


def test_a_role_that_raises(project: Project) -> None:
    """Not before all that it has done has arrived: after a failure nobody is waited for for long."""
    outcome = run(
        project,
        """
        import time
        from pathlib import Path

        def work(task):
            if task == 7:
                while not Path("arrived").exists():
                    time.sleep(0.005)
                raise ValueError("seven is unlucky")
            return task

        def note(result):
            if result == 6:
                Path("arrived").touch()
        """,
        worker="call: 'mine:work'",
        sink="call: 'mine:note'",
    )
    text = failed(outcome, "worker-1", 1, "failed")
    assert text == "worker-1 failed: ValueError: seven is unlucky while handling 7"
    printed = under_its_name(outcome, "worker-1")
    assert "Traceback (most recent call last)" in printed
    assert 'raise ValueError("seven is unlucky")' in printed
    assert printed.rstrip().endswith("while handling 7")
    lost_after(outcome, 6)
    assert outcome.received("sink-1", "results") == 6


@pytest.mark.parametrize(
    ("statement", "exit_code", "kind", "said"),
    [
        ("sys.exit(3)", 3, "exit", "worker-1 failed: called sys.exit(3)"),
        ("sys.exit('no more')", 1, "exit", "worker-1 failed: called sys.exit('no more')"),
        ("os._exit(5)", 5, "failed", "worker-1 exited with code 5"),
        ("os._exit(0)", 0, "failed", "worker-1 left before its part was done (exit code 0)"),
    ],
)
def test_a_role_that_leaves(project: Project, statement: str, exit_code: int, kind: str, said: str) -> None:
    code = f"""
        import os, sys

        def work(task):
            if task == 5:
                {statement}
            return task
        """
    outcome = run(project, code, worker="call: 'mine:work'")
    assert failed(outcome, "worker-1", exit_code, kind).startswith(said)
    lost_after(outcome, 4)


def test_a_fault_of_segmentation(project: Project) -> None:
    """Of a broken extension, say: the signal is named."""
    code = """
        import ctypes, resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

        def work(task):
            if task == 5:
                ctypes.string_at(0)
            return task
        """
    outcome = run(project, code, worker="call: 'mine:work'")
    assert "killed by SIGSEGV" in failed(outcome, "worker-1", None, "killed", "SIGSEGV")
    lost_after(outcome, 4)


def test_fold_raises(project: Project) -> None:
    code = """
        def add(total, item):
            return total + item
        """
    outcome = run(project, code, sink="fold: 'mine:add'")
    text = failed(outcome, "sink-1", 1, "failed")
    assert text.startswith("sink-1 failed: TypeError: ")
    assert text.endswith("while handling 1")
    assert outcome.links["results"]["received"] == 0


def test_report_raises(project: Project) -> None:
    """All has been received by then: nothing is lost, and the run fails all the same."""
    code = """
        def tell(total):
            return {}["missing"]
        """
    outcome = run(project, code, sink="report: 'mine:tell'")
    assert failed(outcome, "sink-1", 1, "failed") == "sink-1 failed: KeyError: 'missing'"
    assert "Traceback" in under_its_name(outcome, "sink-1")
    assert {link["lost"] for link in outcome.summary["links"]} == {0}


def test_a_source_that_raises(project: Project) -> None:
    """Not before all that it has sent has arrived: after a failure nobody is waited for for long."""
    project.write(
        "mine.py",
        """
        import time
        from pathlib import Path

        def tasks():
            yield from range(10)
            while not Path("arrived").exists():
                time.sleep(0.005)
            raise RuntimeError("no more input")

        def note(task):
            if task == 9:
                Path("arrived").touch()
            return task
        """,
    )
    project.topology("""
        p:
          settle: 100ms
          endpoints: {tasks: ipc}
          nodes:
            ventilator: {role: ventilator, bind: tasks, params: {call: "mine:tasks"}}
            sink: {role: sink, connect: tasks, params: {call: "mine:note", into: results.jsonl}}
    """)
    outcome = project.run()
    assert failed(outcome, "ventilator-1", 1, "failed") == "ventilator-1 failed: RuntimeError: no more input"
    assert (outcome.links["tasks"]["sent"], outcome.links["tasks"]["received"]) == (10, 10)
    assert (project.folder / "results.jsonl").read_text().split() == [str(number) for number in range(10)]


def test_what_cannot_be_encoded(project: Project) -> None:
    code = """
        def work(task):
            return object()
        """
    outcome = run(project, code, worker="call: 'mine:work'")
    text = failed(outcome, "worker-1", 1, "failed")
    assert "object" in text
    assert text.endswith("while handling 1")


@pytest.mark.parametrize(
    ("params", "code", "said"),
    [
        ("call: 'mine:wrok'", "def work(task): return task", "'wrok'"),
        ("call: 'absent:work'", "", "'absent'"),
        ("call: 'mine:late.wrok'", "class late:\n    pass", "wrok"),
        ("call: 'mine:number'", "number = 5", "number"),
        ("call: 'mine:work'", "import absent\ndef work(task): return task", "absent"),
        ("call: 'mine:work'", "raise OSError('at import')\ndef work(task): return task", "at import"),
        ("call: 'mine:work'", "def work(task:\n    return task", "mine"),
    ],
    ids=["function", "module", "attribute", "no function", "its import", "its top level", "syntax"],
)
def test_what_is_not_there(project: Project, params: str, code: str, said: str) -> None:
    """Exit 2 at its line, before any work; what can be seen without importing is told before anything starts."""
    outcome = run(project, code, worker=params)
    assert outcome.exit_code == 2, outcome.stderr
    line = line_of(project.folder / "topology.yaml", "worker:")
    problems = outcome.document["problems"] or outcome.problems
    assert [problem["line"] for problem in problems] == [line], problems
    assert said in problems[0]["text"], problems
    for summary in outcome.document["runs"]:
        assert all(link["sent"] == 0 for link in summary["links"])


@pytest.mark.parametrize(
    ("role", "said"),
    [("absent:Mine", "absent"), ("mine:Absent", "Absent"), ("mine:Plain", "Plain")],
    ids=["module", "class", "no role"],
)
def test_a_role_that_is_not_there(project: Project, role: str, said: str) -> None:
    project.write("mine.py", "class Plain:\n    pass\n")
    project.topology(f"""
        p:
          endpoints: {{tasks: ipc}}
          nodes:
            ventilator: {{role: ventilator, bind: tasks, params: {{count: 3}}}}
            mine: {{role: "{role}", connect: tasks}}
    """)
    outcome = project.run()
    assert outcome.exit_code == 2, outcome.stderr
    line = line_of(project.folder / "topology.yaml", "mine:")
    assert [problem["line"] for problem in outcome.document["problems"]] == [line], outcome.stderr
    assert said in outcome.document["problems"][0]["text"]
    assert "Traceback" not in outcome.stderr


def test_a_class_that_is_gone_at_run_time(project: Project) -> None:
    """Its source has the class, so only the role process finds out that the name is something else: exit 2 too."""
    project.write(
        "mine.py",
        """
        from roles.kit import Pull, Role

        class Late(Role):
            tasks = Pull()

        globals()["Late"] = 5
        """,
    )
    project.topology("""
        p:
          endpoints: {tasks: ipc}
          nodes:
            ventilator: {role: ventilator, bind: tasks, params: {count: 3}}
            mine: {role: "mine:Late", connect: tasks}
    """)
    outcome = project.run()
    assert outcome.exit_code == 2, outcome.stderr
    assert outcome.problems[0]["text"].startswith("mine-1: cannot use 'mine:Late' as a role")
    assert outcome.problems[0]["line"] == line_of(project.folder / "topology.yaml", "mine:")
    assert outcome.links["tasks"]["sent"] == 0


def test_setup_that_raises(project: Project) -> None:
    """A role's own preparation fails: its traceback, and nothing is sent."""
    project.write(
        "mine.py",
        textwrap.dedent("""
        from roles.kit import Pull, Role

        class Mine(Role):
            tasks = Pull()

            def setup(self):
                raise ConnectionError("no database")

            def run(self):
                pass
        """),
    )
    project.topology("""
        p:
          endpoints: {tasks: ipc}
          nodes:
            ventilator: {role: ventilator, bind: tasks, params: {count: 3}}
            mine: {role: "mine:Mine", connect: tasks}
    """)
    outcome = project.run()
    assert failed(outcome, "mine-1", 1, "failed") == "mine-1 failed: ConnectionError: no database"
    assert "Traceback" in under_its_name(outcome, "mine-1")
    assert outcome.links["tasks"]["sent"] == 0
