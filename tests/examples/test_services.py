"""The demo of services, as `make demo-supervised` calls it."""

import os
import subprocess
import sys
import uuid
from pathlib import Path

import pytest
from harness import MARKER, processes_with, wait_until

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.system
@pytest.mark.slow
def test_services_come_up_are_scaled_and_hurt_and_go_down_with_balanced_books(tmp_path):
    marker = uuid.uuid4().hex
    orchestrator = tmp_path / "orchestrator"
    orchestrator.write_text(f'#!/bin/sh\nexec {sys.executable} -m orchestrator "$@"\n')
    orchestrator.chmod(0o755)
    environment = os.environ | {
        "ORCHESTRATOR": str(orchestrator), "PYTHON": sys.executable, MARKER: marker, "TMPDIR": str(tmp_path),
    }  # fmt: skip
    shown = subprocess.run(
        [ROOT / "examples" / "supervised.sh"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert shown.returncode == 0, shown.stdout + shown.stderr
    lines = shown.stdout.splitlines()
    assert "worker: 3 → 6 processes: worker-4, worker-5, worker-6 come" in lines
    assert [line.split(":")[0] for line in lines if ": PASSED in" in line] == [
        "pipeline", "request_reply", "publish_subscribe",
    ]  # fmt: skip
    books = {
        words[0]: words[1:] for words in map(str.split, lines) if words and words[0] in ("tasks", "results")
    }
    assert len(books) == 2
    assert all(sent == received and lost == "0" for sent, received, lost in books.values())
    assert any("server-1 killed by SIGKILL" in line and "started again" in line for line in lines)
    wait_until(lambda: not processes_with(marker), "nobody left", 5)
