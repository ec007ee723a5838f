"""Whether the kernel says of a process that it is stopped."""

import os
import signal
import subprocess
import sys

import pytest

from orchestrator.engines.stopped import is_stopped, stopped

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
