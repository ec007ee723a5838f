"""How a process under supervisord begins: it takes what it is to do, or says that there is nothing."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from roles.kit import errand
from roles.kit.errand import Errand
from roles.kit.spec import Place, ProcessSpec

ROOT = Path(__file__).resolve().parents[3]
DOES = "open('done', 'w')"


@pytest.fixture
def directory(tmp_path):
    (tmp_path / errand.FOLDER).mkdir()
    return tmp_path


def todo(directory, *, parent=0, code=DOES, incarnation=1):
    return Errand(
        process=ProcessSpec(name="worker-1", node="worker", command=(sys.executable, "-c", code)),
        place=Place(
            run_id="run",
            pattern="ä",
            folder=str(directory),
            control="",
            slots="",
            sockets=str(directory),
            logs=str(directory),
            seed=1,
        ),
        incarnation=incarnation,
        parent=parent,
    )


def begin(directory, name="worker-1", waits_s=0.05):
    """Be started by somebody in that directory."""
    code = f"""
        import sys
        sys.path.insert(0, {str(ROOT)!r})
        from roles.kit import supervised
        supervised.WAITS_S = {waits_s}
        supervised.main({name!r})
    """
    return subprocess.Popen(
        [sys.executable, "-P", "-c", textwrap.dedent(code)],
        cwd=directory,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def ended(process):
    said, _ = process.communicate(timeout=30)
    return process.returncode, said.decode()


def test_what_is_left_is_taken_once(directory):
    errand.leave(directory, todo(directory))
    path = directory / "specs" / "worker-1.json"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(path.parent.iterdir()) == [path]
    assert errand.take(directory, "worker-2") is None
    assert errand.take(directory, "worker-1") == todo(directory)
    assert errand.take(directory, "worker-1") is None


def test_what_is_left_last_counts_whatever_lies_there(directory):
    (directory / "specs" / "worker-1.new").write_text("half of somet")
    for incarnation in (1, 2):
        errand.leave(directory, todo(directory, incarnation=incarnation))
    assert errand.take(directory, "worker-1") == todo(directory, incarnation=2)


def test_what_nobody_has_taken_can_be_taken_back(directory):
    errand.leave(directory, todo(directory))
    errand.withdraw(directory, "worker-1")
    errand.withdraw(directory, "worker-1")
    assert errand.take(directory, "worker-1") is None


def test_it_does_what_was_left_for_it(directory):
    errand.leave(directory, todo(directory, parent=os.getpid()))
    assert ended(begin(directory)) == (0, "")
    assert (directory / "done").exists()


def test_it_waits_for_what_it_is_to_do(directory):
    process = begin(directory, waits_s=30)
    errand.leave(directory, todo(directory, parent=os.getpid()))
    assert ended(process) == (0, "")
    assert (directory / "done").exists()


def test_where_nobody_tells_it_anything_it_says_so(directory):
    exit_code, said = ended(begin(directory))
    assert exit_code == 1
    assert said == (
        "cannot run worker-1: nobody has told it what to do within 0.05 s "
        "(its orchestrator starts it; supervisorctl alone cannot)\n"
    )


def test_it_does_nothing_for_somebody_elses_supervisord(directory):
    """Its own is gone, and it is the child of another process by now."""
    errand.leave(directory, todo(directory, parent=os.getpid() + 1))
    assert ended(begin(directory)) == (1, "")
    assert not (directory / "done").exists()


def test_it_brings_nothing_that_it_has_no_use_for():
    """Two hundred fresh interpreters import it."""
    code = "import sys; import roles.kit.supervised; print([name for name in sys.argv[1:] if name in sys.modules])"
    needless = (
        "multiprocessing",
        "asyncio",
        "subprocess",
        "supervisor",
        "pydantic",
        "click",
        "yaml",
        "ctypes",
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *needless], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
