"""Runs the examples as a user does, from a folder of the user's, and gives their functions to be called directly."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
DEADLINE_S = 100


@dataclass(frozen=True)
class Outcome:
    """How a run of an example ended."""

    exit_code: int
    summary: dict[str, Any]
    stderr: str
    run_dir: Path

    def log(self, process: str) -> str:
        """What a process printed."""
        return (self.run_dir / "logs" / f"{process}.log").read_text(encoding="utf-8")

    @property
    def sent(self) -> dict[str, int]:
        """What was sent on each link; fails where one does not balance."""
        for link in self.summary["links"]:
            assert (link["received"], link["lost"]) == (link["sent"], 0), link
        return {link["endpoint"]: link["sent"] for link in self.summary["links"]}


@pytest.fixture
def run_example(tmp_path: Path) -> Callable[..., Outcome]:
    """Runs an example with overrides (`path=value`) and variables, and waits for its end."""

    def run(name: str, *overrides: str, **variables: str) -> Outcome:
        run_dir = tmp_path / "run"
        command = [sys.executable, "-m", "orchestrator", "run", str(EXAMPLES / name)]
        command += ["--run-dir", str(run_dir), "--json", "-"]
        for one in overrides:
            command += ["--set", one]
        done = subprocess.run(
            command,
            cwd=tmp_path,
            env=os.environ | variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=False,
        )
        assert done.stdout, done.stderr
        runs = json.loads(done.stdout)["runs"]
        assert len(runs) == 1, done.stderr
        return Outcome(done.returncode, runs[0], done.stderr, run_dir)

    return run


@pytest.fixture
def example() -> Iterator[Callable[[str], ModuleType]]:
    """Imports the module of an example."""
    sys.path.insert(0, str(EXAMPLES))
    yield importlib.import_module
    sys.path.remove(str(EXAMPLES))
