"""The duplicates that are found are those that a plain comparison of all files finds."""

import os
import random

import pytest


@pytest.fixture
def duplicates(example):
    return example("duplicates")


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "files of mine"
    made.mkdir()
    return made


def write(folder, name, content):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def plain_groups(folder):
    """Groups by whole content, without sizes or digests."""
    groups = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink() and path.stat().st_size:
            groups.setdefault(path.read_bytes(), []).append(path)
    return {content: paths for content, paths in groups.items() if len(paths) > 1}


@pytest.mark.parametrize("seed", [20260101])
def test_it_finds_what_a_plain_comparison_finds(run_example, folder, seed):
    chance = random.Random(seed)
    contents = [chance.randbytes(size) for size in (1, 10, 10, 5_000, 200_000)]
    for number in range(60):
        write(folder, f"{number % 7}/file {number}", chance.choice(contents))
    write(folder, "alone", b"nobody else is as long as this")
    write(folder, "empty", b"")
    write(folder, "empty too", b"")
    expected = plain_groups(folder)
    outcome = run_example("duplicates.yaml", FOLDER=str(folder))
    assert outcome.exit_code == 0, outcome.stderr
    (sink,) = [process for process in outcome.summary["processes"] if process["name"] == "sink-1"]
    assert sink["result"] == {
        "files": 60,
        "groups": len(expected),
        "wasted_bytes": sum(len(content) * (len(paths) - 1) for content, paths in expected.items()),
        "unreadable": 0,
    }
    assert outcome.sent == {"tasks": 60, "results": 60}
    biggest = max(expected, key=len)
    told = outcome.log("sink-1").splitlines()
    assert told[0].endswith(f"{len(expected[biggest])} files of 200.0 KB")
    assert told[1].strip() in map(str, expected[biggest])


def test_a_name_need_not_be_text(run_example, folder):
    name = os.fsdecode(b"caf\xe9")
    try:
        write(folder, name, b"same")
    except OSError:
        pytest.skip("this file system takes no such name")
    write(folder, "cafe", b"same")
    outcome = run_example("duplicates.yaml", FOLDER=str(folder))
    assert outcome.exit_code == 0, outcome.stderr
    assert "4 bytes wasted: 2 files of 4 bytes" in outcome.log("sink-1")
    assert r"caf\udce9" in outcome.log("sink-1")


def test_links_and_further_names_waste_nothing(duplicates, folder):
    path = write(folder, "one", b"same")
    (folder / "linked").symlink_to(path)
    (folder / "further").hardlink_to(path)
    (folder / "loop").symlink_to(folder, target_is_directory=True)
    assert list(duplicates.candidates(str(folder))) == []
    write(folder, "two", b"same")
    assert len(list(duplicates.candidates(str(folder)))) == 2


def test_a_file_that_goes_away_is_told(duplicates, capsys):
    total = duplicates.group(None, duplicates.fingerprint(b"/no/such/file"))
    result = duplicates.report(total)
    assert (result["unreadable"], result["groups"]) == (1, 0)
    assert "not read: /no/such/file (No such file or directory)" in capsys.readouterr().out


def test_a_folder_that_is_not_there_fails_the_run(run_example, tmp_path):
    outcome = run_example("duplicates.yaml", FOLDER=str(tmp_path / "nowhere"))
    assert outcome.exit_code == 1
    assert "it is no folder" in outcome.summary["problems"][0]["text"]


def test_a_folder_without_duplicates(run_example, folder):
    outcome = run_example("duplicates.yaml", FOLDER=str(folder))
    assert outcome.exit_code == 0, outcome.stderr
    assert "0 files compared, 0 groups of the same content, 0 bytes wasted" in outcome.log("sink-1")


@pytest.mark.parametrize(
    ("number", "told"),
    [(0, "0 bytes"), (999, "999 bytes"), (1000, "1.0 KB"), (2.5e9, "2.5 GB"), (3e15, "3000.0 TB")],
)
def test_sizes_are_told_in_units(duplicates, number, told):
    assert duplicates._size(number) == told
