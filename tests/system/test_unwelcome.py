"""What comes from outside, through a whole run: foreign frames, messages too large, and text that steers a terminal."""

from __future__ import annotations

from collections.abc import Callable
from xml.etree import ElementTree

import pytest
import zmq
from harness import Project, Run, wait_until

from orchestrator.run.requests import Look

SMALL = """
    p:
      codec: text
      endpoints: {tasks: {address: ipc, max_message: 1KiB}, results: {address: ipc, max_message: 1KiB}}
      nodes:
        ventilator: {role: ventilator, bind: tasks, params: {call: "items:items"}}
        worker: {role: worker, connect: [tasks, results], params: {call: "roles.functions:echo"}}
        sink: {role: sink, bind: results}
"""


def received(run: Run, process: str) -> int | None:
    """What a process has received up to now."""
    return next(one.received for one in run.ask(Look).processes if one.name == process)


@pytest.mark.parametrize("batch", [1, 10])
def test_a_message_too_large_fails_its_sender(project: Project, batch: int) -> None:
    """What was sent before it arrives, and the books balance; the error names item, size and key."""
    project.write(
        "items.py",
        """
        import time
        from pathlib import Path


        def items():
            yield from ['a', 'b', 'x' * 1024]
            while not Path("enough").exists():
                time.sleep(0.005)
            yield 'y' * 2000
        """,
    )
    project.topology(SMALL.replace("1KiB}", f"1KiB, batch: {batch}}}"))
    run = project.start()
    if batch == 1:  # else those before wait in one batch with it
        wait_until(lambda: received(run, "worker-1") == 3, "all that is not too large received")
    (project.folder / "enough").touch()
    outcome = run.outcome()
    assert outcome.exit_code == 1
    (problem,) = [one for one in outcome.problems if one["process"] == "ventilator-1"]
    assert "TooLarge: cannot send " in problem["text"]
    assert (
        "bytes, and 'tasks' allows 1,024 (send less at a time, or write a larger max_message"
        in problem["text"]
    )
    assert outcome.links["tasks"]["lost"] in (0, None)
    if batch == 1:
        assert (outcome.links["tasks"]["sent"], outcome.links["tasks"]["received"]) == (3, 3)
        assert "'" + "y" * 59 in problem["text"]


def test_a_larger_limit_lets_it_through(project: Project) -> None:
    project.write("items.py", "def items():\n    yield from ['a', 'b', 'x' * 1024, 'y' * 2000]\n")
    project.topology(SMALL.replace("1KiB", "2kB"))
    outcome = project.run().balanced()
    assert outcome.received("sink-1", "results") == 4


def test_foreign_frames_are_told(project: Project, free_port: Callable[[], int]) -> None:
    """A stranger comes to the sink: its frames are counted, and what is ours all arrives."""
    address = f"tcp://127.0.0.1:{free_port()}"
    project.write(
        "items.py",
        """
        import time
        from pathlib import Path


        def items():
            yield from range(100)
            while not Path("enough").exists():
                time.sleep(0.005)
            yield from range(100, 200)
        """,
    )
    project.topology(f"""
        p:
          endpoints: {{results: "{address}"}}
          nodes:
            ventilator: {{role: ventilator, connect: results, params: {{call: "items:items"}}}}
            sink: {{role: sink, bind: results, params: {{into: all.jsonl}}}}
          expect: {{results.foreign: 8}}
    """)
    run = project.start()
    run.wait_for("RunReady")
    with zmq.Context() as context, context.socket(zmq.PUSH) as stranger:
        stranger.connect(address)
        for frames in (
            [b""],
            [b"{"],
            [b"[" * 100_000],
            [b"\xff"],
            [b"", b"1", b"2"],
            [b"nul"],
            [b"\0end/x"],
            [b"9" * 9999],
        ):
            stranger.send_multipart(frames)
        monitor = stranger.get_monitor_socket(zmq.EVENT_DISCONNECTED)
        with context.socket(zmq.PUSH) as rude:
            rude.connect(address)
            rude.send(b"[" + b"1," * (40 * 1024 * 1024) + b"1]")  # 80 MiB
            wait_until(lambda: run.process.poll() is None and _foreign(run) == 8, "8 foreign frames")
            rude.close(linger=0)
        stranger.disable_monitor()
        monitor.close()
    (project.folder / "enough").touch()
    outcome = run.outcome()
    assert outcome.exit_code == 0, outcome.stderr
    link = outcome.links["results"]
    assert (link["sent"], link["received"], link["lost"], link["foreign"]) == (200, 200, 0, 8)
    assert [int(line) for line in (project.folder / "all.jsonl").read_text().split()] == list(range(200))


def _foreign(run) -> int:
    from orchestrator.run.live import LIVE, read_live
    from roles.kit.slot import SlotFile

    live = read_live(run.run_dir / LIVE)
    slots = SlotFile(f"{live.sockets}/slots")
    return max(slots.read(slot, ["results"]).ports["results"].foreign for slot in (0, 1))


STEERS = "\x1b[2J\x1b]0;owned\x07\x9b31m\u202e\x00"


def test_text_that_steers_a_terminal(project: Project) -> None:
    """A role's output, its exception, its item and its name for things: escaped wherever they are shown."""
    project.write(
        "steering.py",
        f"""
        import os


        def items():
            yield "first"
            yield {STEERS!r}


        def work(task):
            print({STEERS!r}, task)
            os.write(1, b"\\xff\\xfe\\x1b[31mraw\\n")
            if task != "first":
                raise RuntimeError({STEERS!r} + task)
            return task
        """,
    )
    project.topology("""
        p:
          codec: json
          endpoints: {tasks: ipc, results: ipc}
          nodes:
            ventilator: {role: ventilator, bind: tasks, params: {call: "steering:items"}}
            worker: {role: worker, connect: [tasks, results], params: {call: "steering:work"}}
            sink: {role: sink, bind: results}
    """)
    documents = {name: project.folder / name for name in ("junit.xml", "page.md", "out.json")}
    asked = ["--junit", str(documents["junit.xml"]), "--markdown", str(documents["page.md"])]
    outcome = project.start(*asked, json_target="out.json", environment={"GITHUB_ACTIONS": "true"}).outcome()
    assert outcome.exit_code == 1
    shown = {name: path.read_text() for name, path in documents.items()}
    shown |= {"stdout": outcome.stdout, "stderr": outcome.stderr}
    shown["logs"] = project.call("logs", "worker", "--run-dir", str(outcome.run_dir)).stdout
    shown["report"] = project.call("report", str(outcome.run_dir)).stdout
    for name, text in shown.items():
        # A JSON document is for machines, and escapes what JSON wants to be escaped.
        steering = {char for char in text if not char.isprintable() and char not in "\n\t"}
        steering -= {"\x9b", "\u202e"} if name == "out.json" else set()
        assert not steering, f"{name}: {steering}"
    for name in ("stdout", "stderr", "logs", "page.md", "junit.xml", "report"):
        assert "owned" in shown[name], name
    assert "\\xff\\xfe\\x1b[31mraw" in shown["stderr"]
    ElementTree.fromstring(shown["junit.xml"])  # noqa: S314 - our own document
