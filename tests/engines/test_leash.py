"""supervisord's leash: nobody learns a child's number before the child is tied to supervisord."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = """
import os, time
from orchestrator.engines.supervisord import leash

reader, writer = os.pipe()


def slowly(number):
    time.sleep(0.1)
    os.write(writer, b"tied")


leash._set_death_signal, leash._LONGEST_WAIT_MS = slowly, 60_000
leash.Forks().tie()
for _ in range(3):
    child = os.fork()
    if not child:
        os._exit(0)
    os.set_blocking(reader, False)
    print(os.read(reader, 100).decode(), flush=True)  # raises BlockingIOError where nothing is there yet
    os.waitpid(child, 0)
print(len(os.listdir("/dev/fd")) if os.path.exists("/dev/fd") else 0)
"""


def test_a_fork_returns_when_the_child_has_its_leash():
    before = "import os; print(len(os.listdir('/dev/fd')))"
    done, plain = (
        subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=False)
        for script in (SCRIPT, before)
    )
    assert done.stderr == ""
    *tied, files = done.stdout.split()
    assert tied == ["tied"] * 3
    assert int(files) == int(plain.stdout) + 2, "its pipes are closed again"
