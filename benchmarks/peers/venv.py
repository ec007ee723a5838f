"""Where the counterparts are installed: a venv of their own, so that theirs do not weigh on ours."""

from __future__ import annotations

import os
import subprocess

from benchmarks.measure import SkippedError
from benchmarks.ours import ROOT

BIN = ROOT / os.environ.get("BENCH_VENV", ".venv-bench") / "bin"


def program(name: str) -> str:
    """A command of the counterparts' venv; raises SkippedError where it is not installed."""
    path = BIN / name
    if not path.exists():
        raise SkippedError(f"{name} is not installed")
    return str(path)


def version(package: str) -> str | None:
    """The version of a package in that venv; None where it is not installed."""
    if not (BIN / "python").exists():
        return None
    code = "import importlib.metadata, sys; print(importlib.metadata.version(sys.argv[1]))"
    done = subprocess.run(
        [str(BIN / "python"), "-c", code, package], capture_output=True, text=True, check=False
    )
    return done.stdout.strip() if done.returncode == 0 else None
