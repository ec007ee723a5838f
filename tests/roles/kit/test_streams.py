"""What a role prints where its log cannot take it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import os, sys
from roles.kit import streams

streams.write_to(sys.argv[1])
for number in range(1000):
    print("a line", number)
print("an error \\udcff", file=sys.stderr)
sys.stdout.write("no end")
sys.stdout.flush()
os.write(int(sys.argv[2]), b"%d" % streams.Spillway.dropped_bytes)
"""
WHOLE = "".join(f"a line {number}\n" for number in range(1000)) + "an error \\udcff\nno end"


def dropped(path: str | Path) -> int:
    """So many bytes were printed in vain by a process with that log; it ends well."""
    reader, writer = os.pipe()
    with os.fdopen(reader) as told:
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT, str(path), str(writer)],
            pass_fds=[writer],
            capture_output=True,
            check=False,
            cwd=Path(__file__).parents[3],
        )
        os.close(writer)
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
        return int(told.read())


def test_a_log_takes_all(tmp_path):
    assert dropped(tmp_path / "log") == 0
    assert (tmp_path / "log").read_text() == WHOLE


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux alone has a disk that is always full")
def test_a_full_disk_takes_nothing():
    assert dropped("/dev/full") == len(WHOLE)


def test_a_folder_that_is_gone_takes_nothing(tmp_path):
    assert dropped(tmp_path / "gone" / "log") == len(WHOLE)
