"""The local engine by itself: how a process is asked for, and what is told of it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import select, sys
from pathlib import Path

from orchestrator.engines import nursery
from orchestrator.engines.local import LocalEngine
from orchestrator.run.events import Exited
from roles.kit import forked
from roles.kit.spec import Place, ProcessSpec

folder, way = sys.argv[1:]
if way == "pickles":
    forked.takes_orders = lambda: False
    nursery._PRELOADED.remove("roles.kit.warmed")
if way == "early":
    nursery.get_ready(Path(folder))
place = Place(
    run_id="r", pattern="p", folder=folder, control="", slots="", sockets=folder + "/s", logs=folder, seed=1
)
code = "import os, sys; print(os.getpid(), os.getpgid(0), os.getsid(0), os.getcwd()); sys.exit(int(sys.argv[1]))"
specs = [
    ProcessSpec(name=f"own-{number}", node="own", command=(sys.executable, "-c", code, str(number)))
    for number in range(3)
]
engine = LocalEngine(lambda: 0.0)
engine.open(place, specs)
for spec in specs:
    engine.start(spec, incarnation=0)
news = []
while sum(isinstance(event, Exited) for event in news) < len(specs):
    select.select([engine.fileno()], [], [], 20)
    news += engine.poll()
engine.close()
for event in news:
    pid = getattr(event, "pid", "")
    print(type(event).__name__, event.process, pid or event.exit_code)
"""


@pytest.mark.parametrize("way", ["orders", "early", "pickles"])
def test_processes_are_launched_and_their_ends_told(way, tmp_path):
    home = Path(__file__).parents[2]
    ended = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path), way],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=home,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    told = [line.split() for line in ended.stdout.splitlines()]
    sessions = set()
    for number in range(3):
        name = f"own-{number}"
        pid, group, session, folder = (tmp_path / f"{name}.log").read_text().split()
        sessions.add(int(session))
        assert (group, folder) == (pid, str(tmp_path))
        of_it = [[kind, value] for kind, process, value in told if process == name]
        assert of_it == [["Launched", pid], ["Exited", str(number)]]
    assert os.getsid(0) not in sessions, "no terminal of ours is to reach it"
    if sys.platform == "linux":
        assert len(sessions) == 1, "sessions are shares of the processors"
