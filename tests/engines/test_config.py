"""What supervisord is told, as text and as groups."""

import ast
import re
import shlex

import pytest

from orchestrator.engines.supervisord.config import Configuration, Extra, Group, grouped, launcher, text
from roles.kit.spec import ProcessSpec

TEXT = """\
; Written by the orchestrator, and anew when processes join.
; To look on: supervisorctl -c supervisord.conf status

[unix_http_server]
file=supervisor.sock
chmod=0700

[supervisord]
nodaemon=true
silent=true
logfile=supervisord.log
logfile_maxbytes=10MB
logfile_backups=3
loglevel=info
pidfile=supervisord.pid
childlogdir=.
nocleanup=true
identifier=zmq-topology
minfds=79
minprocs=1
user=root

[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface

[supervisorctl]
serverurl=unix://%(here)s/supervisor.sock

[program:worker]
command=/bin/sh ./role worker-%(process_num)d
process_name=worker-%(process_num)d
numprocs=3
numprocs_start=1
priority=100
autostart=false
autorestart=false
startsecs=0
startretries=0
exitcodes=0
stopwaitsecs=6
stopasgroup=true
killasgroup=true
redirect_stderr=true
stdout_logfile=logs/worker-%(process_num)d.log
stdout_logfile_maxbytes=10MB
stdout_logfile_backups=3

[program:run-coordinator]
command=/bin/sh ./coordinator
priority=999
autostart=true
autorestart=unexpected
startsecs=0
exitcodes=0,1,2,3,70,130,143
stopsignal=TERM
stopwaitsecs=60
stopasgroup=false
killasgroup=false
redirect_stderr=true
stdout_logfile=logs/run-coordinator.log
stdout_logfile_maxbytes=10MB
stdout_logfile_backups=3
"""
EXTRA = Extra(name="run-coordinator", command="/bin/sh ./coordinator", stop_wait_s=60)


def specs(node, *numbers, **fields):
    return [ProcessSpec(name=f"{node}-{number}", node=node, replica=number, **fields) for number in numbers]


def ranges(groups):
    return [(group.name, group.first, group.count) for group in groups]


def test_the_text_is_this_and_no_other():
    configuration = Configuration(
        groups=grouped(specs("worker", 1, 2, 3)), files=79, user="root", extra=EXTRA
    )
    assert text(configuration) == TEXT


def test_only_root_is_named():
    assert "user=" not in text(Configuration(groups=(), files=64))


def test_a_node_is_a_group_and_an_external_one_is_none():
    groups = grouped([*specs("worker", 1, 2, 3), *specs("guest", 1, external=True), *specs("sink", 1)])
    assert ranges(groups) == [("worker", 1, 3), ("sink", 1, 1)]


def test_grace_is_rounded_up_and_has_a_second_more():
    assert [group.stop_wait_s for group in grouped(specs("worker", 1, stop_grace_s=2.5))] == [4]


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        ([4], [("worker.2", 4, 1)]),
        ([6, 5, 4], [("worker.2", 4, 3)]),
        ([4, 5, 7, 9, 10], [("worker.2", 4, 2), ("worker.3", 7, 1), ("worker.4", 9, 2)]),
    ],
)
def test_who_joins_comes_into_further_groups(numbers, expected):
    known = grouped(specs("worker", 1, 2, 3))
    assert ranges(grouped(specs("worker", *numbers), known=known)) == expected


def test_further_groups_are_counted_by_node():
    known = (*grouped(specs("worker", 1)), *grouped(specs("sink", 1)))
    known = (*known, *grouped(specs("worker", 2), known=known))
    assert ranges(grouped([*specs("worker", 3), *specs("sink", 2)], known=known)) == [
        ("worker.3", 3, 1),
        ("sink.2", 2, 1),
    ]


def test_what_was_told_is_told_again_word_for_word():
    known = grouped([*specs("worker", 1, 2), *specs("sink", 1)])
    before = text(Configuration(groups=known, files=99, extra=EXTRA))
    more = (*known, *grouped(specs("worker", 3), known=known))
    after = text(Configuration(groups=more, files=99, extra=EXTRA))
    sections = before.split("\n\n")
    assert [section for section in after.split("\n\n") if section in sections] == sections


def test_calls_name_a_process_by_its_group():
    known = grouped(specs("worker", 1, 2))
    configuration = Configuration(groups=(*known, *grouped(specs("worker", 3), known=known)), files=64)
    assert configuration.names == {
        "worker-1": "worker:worker-1",
        "worker-2": "worker:worker-2",
        "worker-3": "worker.2:worker-3",
    }


def test_the_text_needs_no_care():
    """Nothing in it that supervisord would read in a way of its own, but for what is meant."""
    configuration = Configuration(
        groups=(Group(name="a_1", node="a_1", first=1, count=2, stop_wait_s=1),), files=64, extra=EXTRA
    )
    for line in text(configuration).splitlines():
        if not line.startswith(";"):
            assert re.fullmatch(r"[\w\[\]:=./,() %-]*", line, re.ASCII), line
            assert "%" not in re.sub(r"%\((here|process_num)\)[sd]", "", line)


@pytest.mark.parametrize("path", ["/plain", "/a b/ü'\"%s;#\\$HOME`x`", "/not\udcff-text"])
def test_the_script_names_any_path_whole(path):
    script = launcher(python=f"{path}/python", root=path)
    words = shlex.split(script.splitlines()[1])
    assert words == ["exec", f"{path}/python", "-P", "-c", words[4], "$1"]
    assert words[4].isascii()
    assigned = next(node for node in ast.walk(ast.parse(words[4])) if isinstance(node, ast.Assign))
    assert ast.literal_eval(assigned.value) == path
