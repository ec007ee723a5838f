"""Other ways to have tiny tasks done by two workers: Python's pools, Ray, Dask, and C on the same libzmq."""

from __future__ import annotations

import ctypes.util
import importlib.util
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.measure import FailedError, Figures, SkippedError
from benchmarks.peers import plain, venv

_FOREIGN = Path(__file__).resolve().parents[1] / "foreign"


def pool(kind: str, chunksize: int, count: int) -> Figures:
    """`pool` is multiprocessing.Pool(2).imap_unordered, `executor` is ProcessPoolExecutor(2).map."""
    return _rate([*plain.python("pool.py"), kind, str(chunksize), str(count)])


def ray(count: int) -> Figures:
    """Ray tasks on two processors; raises SkippedError where Ray is not installed."""
    return _foreign("ray", "ray_tasks.py", count)


def dask(count: int) -> Figures:
    """Dask tasks on two workers of one thread; raises SkippedError where Dask is not installed."""
    return _foreign("distributed", "dask_tasks.py", count)


def ceiling(workers: int, count: int) -> Figures:
    """The pipeline in C; raises SkippedError where there is no compiler, or no libzmq to open."""
    with tempfile.TemporaryDirectory() as folder, plain.sockets() as place:
        program = _compiled(Path(folder, "ceiling"))
        library, tasks, results = _library(), f"{place}/tasks", f"{place}/results"
        sink, ventilator = plain.together(
            [[program, library, "worker", tasks, results]] * workers,
            [
                [program, library, "sink", results, str(count)],
                [program, library, "ventilator", tasks, str(count)],
            ],
        )
    return {"tasks_per_s": count / (sink["ended_s"] - ventilator["began_s"])}


def _compiled(path: Path) -> str:
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise SkippedError("there is no C compiler")
    command = [compiler, "-O2", "-o", str(path), str(_FOREIGN / "ceiling.c"), "-ldl"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SkippedError(f"the C program cannot be built: {done.stderr.strip()[-300:]}")
    return str(path)


def _library() -> str:
    """The libzmq that pyzmq brings, or the system's."""
    spec = importlib.util.find_spec("zmq")
    if spec is not None and spec.origin is not None:
        for path in sorted(Path(spec.origin).parents[1].glob("pyzmq.libs/libzmq*")):
            return str(path)
    found = ctypes.util.find_library("zmq")
    if found is None:
        raise SkippedError("there is no libzmq to open")
    return found


def _foreign(package: str, script: str, count: int) -> Figures:
    if venv.version(package) is None:
        raise SkippedError(f"{package} is not installed")
    return _rate([venv.program("python"), str(_FOREIGN / script), str(count)])


def _rate(command: Sequence[str]) -> Figures:
    """The rate that a script tells on its last line."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    if done.returncode or not done.stdout.strip():
        raise FailedError(f"exit {done.returncode}: {done.stderr[-500:]}")
    return {"tasks_per_s": float(done.stdout.split()[-1])}
