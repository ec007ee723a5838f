"""dora: a dataflow of source, worker and sink in Python, as its own tutorial writes them."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from pathlib import Path

from benchmarks.measure import FailedError, Figures
from benchmarks.peers import venv

_FOREIGN = Path(__file__).resolve().parents[1] / "foreign"
_FLOW = """
nodes:
  - id: source
    path: {foreign}/dora_source.py
    outputs: [task]
    env: {{COUNT: "{count}", FOLDER: "{folder}"}}
  - id: worker
    path: {foreign}/dora_worker.py
    inputs: {{task: {{source: source/task, queue_size: {queue}}}}}
    outputs: [result]
  - id: sink
    path: {foreign}/dora_sink.py
    inputs: {{result: {{source: worker/result, queue_size: {queue}}}}}
    env: {{FOLDER: "{folder}"}}
"""
_QUEUE = 100_000


def dora(count: int, within_s: float = 120) -> Figures:
    """Messages a second that came through, from the first one sent to the last one received, and how many were lost.

    Queues hold more than all messages. Raises SkippedError where dora is not installed.
    """
    program = venv.program("dora")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        text = _FLOW.format(foreign=_FOREIGN, folder=folder, count=count, queue=_QUEUE)
        (folder / "flow.yml").write_text(text)
        environment = {**os.environ, "PATH": f"{venv.BIN}{os.pathsep}{os.environ['PATH']}"}
        process = subprocess.Popen(
            [program, "run", "flow.yml"],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            process.wait(timeout=within_s)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        try:
            began_s, sent = (folder / "source").read_text().split()
            ended_s, received = (folder / "sink").read_text().split()
        except OSError:
            raise FailedError(f"dora ended with {process.returncode}, and told nothing") from None
    return {
        "messages_per_s": int(received) / (float(ended_s) - float(began_s)),
        "lost": int(sent) - int(received),
    }
