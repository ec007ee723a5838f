"""What supervisord is told: its groups of processes, and the text of its configuration.

Pure. The text holds nothing of the user's: no path, no environment, no command of a topology. supervisord reads `%`,
quotes, ` ;` and ` #` in its own way, expands log files twice, and cannot be told every value. So all names in it are
relative to the private directory in which it runs, and what a process is to do it finds in a file there.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterable, Iterator, Sequence

from roles.kit.spec import ProcessSpec, Spec

CONFIG = "supervisord.conf"
SOCKET = "supervisor.sock"
PID_FILE = "supervisord.pid"
LOG = "supervisord.log"
LOGS = "logs"
LAUNCHER = "role"
"""Names in the private directory, in which supervisord runs."""

COORDINATOR = "run-coordinator"
"""What a service's coordinator is called in supervisord and in the logs; no node has such a name."""

_HEAD = f"""\
; Written by the orchestrator, and anew when processes join.
; To look on: supervisorctl -c {CONFIG} status
"""
_LOG_SIZE = "10MB"
_LOG_BACKUPS = 3
_NODES_PRIORITY, _EXTRA_PRIORITY = 100, 999
_EXPECTED_OF_EXTRA = "0,1,2,3,70,130,143"


class Group(Spec, frozen=True, kw_only=True):
    """Processes of one node with consecutive numbers: a program of supervisord's with `numprocs`, and so a group.

    Few groups, since supervisord stops them one after another. One that runs is never changed, since that restarts it.
    """

    name: str
    node: str
    first: int
    count: int
    stop_wait_s: int

    @property
    def processes(self) -> tuple[str, ...]:
        """The names of its processes."""
        return tuple(f"{self.node}-{number}" for number in range(self.first, self.first + self.count))


class Extra(Spec, frozen=True, kw_only=True):
    """A program beside the processes of the run: started with supervisord, stopped before all others.

    Where it dies of a signal it is started again, at once and as often as it takes; all exit codes of the orchestrator
    are its wish to be gone. Its standard output and error go to the log of its name.
    """

    name: str
    command: str
    stop_wait_s: int


class Configuration(Spec, frozen=True, kw_only=True):
    """All that a supervisord is told. `files` is how many open files it makes sure of; `user` is empty but for root."""

    groups: tuple[Group, ...]
    files: int
    user: str = ""
    extra: Extra | None = None

    @property
    def names(self) -> dict[str, str]:
        """Each process by its name, and what it is called in calls: `group:process`."""
        return {process: f"{group.name}:{process}" for group in self.groups for process in group.processes}


def grouped(specs: Iterable[ProcessSpec], known: Sequence[Group] = ()) -> tuple[Group, ...]:
    """Groups for these processes, beside those that are known already; who is `external` is in none."""
    numbers: dict[str, dict[int, ProcessSpec]] = {}
    for spec in specs:
        if not spec.external:
            numbers.setdefault(spec.node, {})[spec.replica] = spec
    groups = list(known)
    for node, of_node in numbers.items():
        for first, count in _runs(sorted(of_node)):
            place = 1 + sum(group.node == node for group in groups)
            groups.append(
                Group(
                    # No node's name has a dot.
                    name=node if place == 1 else f"{node}.{place}",
                    node=node,
                    first=first,
                    count=count,
                    stop_wait_s=math.ceil(of_node[first].stop_grace_s) + 1,
                )
            )
    return tuple(groups[len(known) :])


def _runs(numbers: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Runs of consecutive numbers: where each begins, and how many it has."""
    first = count = 0
    for number in numbers:
        if count and number == first + count:
            count += 1
            continue
        if count:
            yield first, count
        first, count = number, 1
    if count:
        yield first, count


def text(configuration: Configuration) -> str:
    """The text of supervisord.conf."""
    sections = [
        _HEAD,
        _section("unix_http_server", {"file": SOCKET, "chmod": "0700"}),
        _section("supervisord", _daemon(configuration)),
        _section(
            "rpcinterface:supervisor",
            {"supervisor.rpcinterface_factory": "supervisor.rpcinterface:make_main_rpcinterface"},
        ),
        # supervisorctl may be called from anywhere; this value is expanded once only, whatever `here` holds.
        _section("supervisorctl", {"serverurl": f"unix://%(here)s/{SOCKET}"}),
        *(_section(f"program:{group.name}", _program(group)) for group in configuration.groups),
    ]
    if configuration.extra is not None:
        sections.append(_section(f"program:{configuration.extra.name}", _extra(configuration.extra)))
    return "\n".join(sections)


def _section(name: str, values: dict[str, str | int]) -> str:
    return f"[{name}]\n" + "".join(f"{key}={value}\n" for key, value in values.items())


def _daemon(configuration: Configuration) -> dict[str, str | int]:
    values: dict[str, str | int] = {
        "nodaemon": "true",
        "silent": "true",
        "logfile": LOG,
        "logfile_maxbytes": _LOG_SIZE,
        "logfile_backups": _LOG_BACKUPS,
        "loglevel": "info",
        "pidfile": PID_FILE,
        "childlogdir": ".",
        "nocleanup": "true",
        "identifier": "zmq-topology",
        # Each child closes as many descriptors one by one before it begins.
        "minfds": configuration.files,
        # The limit of processes is the user's, and stays as it is.
        "minprocs": 1,
    }
    return values | ({"user": configuration.user} if configuration.user else {})


def _program(group: Group) -> dict[str, str | int]:
    """One that is started by us alone, in the order of the run, and whose every end is taken for an end."""
    process = f"{group.node}-%(process_num)d"
    return {
        # By a shell, so that it works where nothing in the directory may be executed.
        "command": f"/bin/sh ./{LAUNCHER} {process}",
        "process_name": process,
        "numprocs": group.count,
        "numprocs_start": group.first,
        "priority": _NODES_PRIORITY,
        "autostart": "false",
        "autorestart": "false",
        # With more, the exit code of a process that ends sooner is lost.
        "startsecs": 0,
        "startretries": 0,
        "exitcodes": 0,
        "stopwaitsecs": group.stop_wait_s,
        "stopasgroup": "true",
        "killasgroup": "true",
        **_output(process),
    }


def _extra(extra: Extra) -> dict[str, str | int]:
    return {
        "command": extra.command,
        "priority": _EXTRA_PRIORITY,
        "autostart": "true",
        "autorestart": "unexpected",
        "startsecs": 0,
        "exitcodes": _EXPECTED_OF_EXTRA,
        "stopsignal": "TERM",
        "stopwaitsecs": extra.stop_wait_s,
        "stopasgroup": "false",
        "killasgroup": "false",
        **_output(extra.name),
    }


def _output(name: str) -> dict[str, str | int]:
    return {
        "redirect_stderr": "true",
        "stdout_logfile": f"{LOGS}/{name}.log",
        "stdout_logfile_maxbytes": _LOG_SIZE,
        "stdout_logfile_backups": _LOG_BACKUPS,
    }


def launcher(*, python: str, root: str) -> str:
    """The script that becomes the process named by its argument; `root` is the folder of the package `roles`."""
    # Where `root` is on the path already, it stays in its place: before the standard library it could hide some of it.
    code = (
        f"import sys; root = {root!a}; root in sys.path or sys.path.insert(0, root); "
        "from roles.kit.supervised import main; main(sys.argv[1])"
    )
    return f'#!/bin/sh\nexec {shlex.quote(python)} -P -c {shlex.quote(code)} "$1"\n'
