"""What the kernel says of a process: that it is stopped, that it has work."""

import os
import signal
import subprocess
import sys

import pytest
from harness import wait_until

from orchestrator.engines.proc import awake, is_stopped, stopped

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="it is read from /proc")


def test_who_is_stopped_is_seen_until_it_goes_on_or_ends():
    # Its name is one that must not be taken for its state.
    program = "open('/proc/self/comm', 'w').write(') T ('); print(); input()"
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        both = {"it": process.pid, "we": os.getpid()}
        assert stopped(both) == frozenset()
        process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
        assert stopped(both) == {"it"}
        process.send_signal(signal.SIGCONT)
        os.waitid(os.P_PID, process.pid, os.WCONTINUED | os.WNOWAIT)
        assert stopped(both) == frozenset()
        process.kill()
    assert not is_stopped(process.pid)


def test_who_has_work_is_awake_whichever_thread_has_it():
    program = """
import sys, threading
threading.Thread(target=sys.stdin.readline, daemon=True).start()
print(flush=True)
if sys.argv[1] == "busy":
    threading.Thread(target=lambda: sum(range(10**15)), daemon=True).start()
threading.Event().wait()
"""
    for kind in ("busy", "idle"):
        with subprocess.Popen(
            [sys.executable, "-c", program, kind], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as process:
            assert process.stdout is not None
            process.stdout.readline()
            expected = frozenset({"it"} if kind == "busy" else ())
            wait_until(lambda pid=process.pid, this=expected: awake({"it": pid}) == this, kind)
            process.kill()
        assert awake({"it": process.pid}) == frozenset()
