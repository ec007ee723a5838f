import io
import os

import pytest

from orchestrator.cells import ansi, plain
from orchestrator.terminal import Terminal, terminal


class Tty(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(
    ("stream", "environment", "style", "live"),
    [
        (io.StringIO, {}, plain, False),
        (Tty, {}, ansi, True),
        (Tty, {"TERM": "dumb"}, plain, False),
        (Tty, {"NO_COLOR": "1"}, plain, True),
        (Tty, {"NO_COLOR": ""}, ansi, True),
        (io.StringIO, {"FORCE_COLOR": "1"}, ansi, False),
        (io.StringIO, {"FORCE_COLOR": "1", "NO_COLOR": "1"}, plain, False),
        (Tty, {"FORCE_COLOR": "0"}, plain, True),
    ],
)
def test_colour_and_drawing(monkeypatch, stream, environment, style, live):
    monkeypatch.setattr("sys.stdout", stream())
    monkeypatch.setattr("sys.stderr", stream())
    made = terminal(environment)
    assert (made.out_style, made.err_style, made.live) == (style, style, live)


def test_whoever_writes_learns_that_nobody_reads():
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as out:
        made = Terminal(out=out, err=out)
        assert made.answer("one\n")
        os.close(reading)
        assert not made.answer("two\n")
