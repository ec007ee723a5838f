"""supervisord itself: whether it can be had, how it is started and found, and how it is made to leave."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import re
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

from orchestrator.engines.base import EngineError
from orchestrator.engines.handles import Handle, signal_name
from orchestrator.engines.supervisord import leash
from orchestrator.engines.supervisord.config import CONFIG, LOG, PID_FILE, SOCKET
from orchestrator.engines.supervisord.rpc import Fault, Rpc, UnreachableError

STARTS_WITHIN_S = 30.0
_OLDEST = (4, 3)
_OUTPUT = "supervisord.out"
_LOOK_EVERY_S = 0.005
_NUDGE_EVERY_S = 0.02
_LEAST_FILES_PER_PROCESS = 3
_FILES_PER_PROCESS = 5
_SPARE_FILES = 64


class Daemon:
    """A supervisord that runs. `child` is given by whoever has started it as a child."""

    def __init__(self, directory: Path, pid: int, child: subprocess.Popen[bytes] | None = None) -> None:
        self.directory = directory
        self.pid = pid
        self._child = child
        try:
            self._handle = Handle(pid)
        except ProcessLookupError:
            raise EngineError(f"cannot use supervisord {pid}: it is gone (start it anew)") from None

    @property
    def fd(self) -> int | None:
        """A descriptor that can be read when it has ended; None where there are no such descriptors."""
        return self._handle.fd

    def gone(self, within_s: float = 0.0) -> bool:
        """Whether it has ended, or does so in time."""
        if self._child is None or self.fd is not None:
            return self._handle.ended(within_s)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._child.wait(within_s)  # its number stays until its parent, who is this process, has asked
        return self._child.returncode is not None

    def why_gone(self) -> str:
        """How it has ended, as far as that is known."""
        code = self._child.poll() if self._child is not None else None
        if code is not None and code < 0:
            return f"{signal_name(-code)} has ended it"
        return "somebody has ended it" if code is None else f"it has left with exit code {code}"

    def leave(self, *, within_s: float) -> None:
        """Have it end all its processes and leave. After that time it is killed, and what it has started goes too."""
        until_s = time.monotonic() + within_s
        rpc = Rpc(self.directory / SOCKET, timeout_s=within_s)
        call = "supervisor.shutdown"
        while not self.gone() and time.monotonic() < until_s:
            # It is in no hurry unless somebody calls; where that cannot be, a signal says the same.
            try:
                rpc.call(call)
            except Fault:
                pass
            except EngineError:
                self._handle.signal(signal.SIGTERM)
            call = "supervisor.getState"
            self.gone(_NUDGE_EVERY_S)
        rpc.close()
        if not self.gone():
            self._handle.signal(signal.SIGKILL)
            self.gone(within_s=5.0)
        if self._child is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._child.wait(5.0)
        for name in (SOCKET, PID_FILE):
            (self.directory / name).unlink(missing_ok=True)

    def close(self) -> None:
        """Forget it."""
        self._handle.close()


def check_version() -> None:
    """Raise EngineError where there is no supervisor, or one that is too old."""
    wanted = f"pip install 'supervisor>={'.'.join(map(str, _OLDEST))}'"
    try:
        version = importlib.metadata.version("supervisor")
    except importlib.metadata.PackageNotFoundError:
        raise EngineError(
            f"cannot use the engine 'supervisor': the package supervisor is not installed ({wanted})"
        ) from None
    if tuple(int(number) for number in re.findall(r"\d+", version)[:2]) < _OLDEST:
        raise EngineError(f"cannot use the engine 'supervisor': supervisor {version} is too old ({wanted})")


def make_room(processes: int, *, each: int = 0) -> int:
    """Raise the limit of open files as far as it goes; how many supervisord shall make sure of for as many processes.

    `each` is what the hungriest of them needs, which has its limit from supervisord.

    Raises EngineError where too few are allowed. supervisord's own message would not tell the limit.
    """
    need = processes * _LEAST_FILES_PER_PROCESS + _SPARE_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and need > hard:
        raise EngineError(
            f"cannot start {processes} processes: they need {need} open files, and the limit is {hard} "
            f"(raise it: ulimit -n {need})"
        )
    comfortable = max(processes * _FILES_PER_PROCESS + _SPARE_FILES, each)
    wanted = comfortable if hard == resource.RLIM_INFINITY else hard
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return min(comfortable, wanted)


def start_daemon(directory: Path, *, owned: bool) -> Daemon:
    """Start a supervisord on the files in `directory`, and wait until it answers.

    One that is owned is a child of this process and dies with it; another outlives it. A terminal's signals reach
    neither. Raises EngineError where it does not start, with what it has said.
    """
    command = [sys.executable, "-P", leash.__file__, str(os.getpid() if owned else 0), CONFIG]
    with (directory / _OUTPUT).open("wb") as output:
        try:
            child = subprocess.Popen(  # noqa: S603 - it is this Python
                command,
                cwd=directory,
                stdin=subprocess.DEVNULL,
                stdout=output if owned else subprocess.PIPE,
                stderr=output,
                start_new_session=True,
            )
        except OSError as error:
            raise EngineError(f"cannot start supervisord: {error.strerror}") from None
    if owned:
        daemon = Daemon(directory, child.pid, child)
    else:
        told, _ = child.communicate()
        try:
            daemon = Daemon(directory, int(told))
        except (ValueError, EngineError):
            raise _not_started(directory) from None
    try:
        _await_answer(daemon)
    except BaseException:
        daemon.leave(within_s=0.0)
        daemon.close()
        raise
    return daemon


def _await_answer(daemon: Daemon) -> None:
    until_s = time.monotonic() + STARTS_WITHIN_S
    while answering(daemon.directory) != daemon.pid:
        if daemon.gone(_LOOK_EVERY_S):
            raise _not_started(daemon.directory)
        if time.monotonic() > until_s:
            raise EngineError(
                f"cannot start supervisord: it has not answered within {STARTS_WITHIN_S:g} s "
                "(is the machine overloaded?)"
            )


def answering(directory: Path) -> int | None:
    """The process number of the supervisord that answers in `directory`, None where nobody does.

    Raises EngineError where somebody is there and does not answer.
    """
    rpc = Rpc(directory / SOCKET)
    try:
        pid: int = rpc.call("supervisor.getPID")
    except UnreachableError:
        return None
    except Fault:
        return _leaving(directory)
    finally:
        rpc.close()
    return pid


def _leaving(directory: Path) -> int | None:
    """Who is about to leave and therefore answers no more than that."""
    try:
        return int((directory / PID_FILE).read_text())
    except (OSError, ValueError):
        return None


def _not_started(directory: Path) -> EngineError:
    said = _last_lines(directory / _OUTPUT) or _last_lines(directory / LOG) or "it has said nothing"
    return EngineError(f"cannot start supervisord: {said}")


def _last_lines(path: Path) -> str:
    try:
        lines = path.read_text(errors="replace").splitlines()
    except OSError:
        return ""
    return " / ".join(line for line in lines[-3:] if not line.startswith("For help, use"))
