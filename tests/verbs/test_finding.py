import tempfile
from contextlib import ExitStack
from pathlib import Path

import msgspec
import pytest
from fake_run import FakeRun, silent

from orchestrator.run.live import LIVE
from orchestrator.verbs.fault import CommandError
from orchestrator.verbs.finding import Wanted, find, find_one, is_private, running, shown


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "topology.yaml").write_text("")
    return tmp_path


@pytest.fixture
def start(folder):
    with ExitStack() as stack:

        def started(pattern="p", *, file="topology.yaml", run_dir=None, **more):
            place = folder / (run_dir or f".runs/{pattern}")
            run = FakeRun(folder / file, place, silent, pattern=pattern, **more)
            return stack.enter_context(run)

        yield started


def wanted(file="topology.yaml", **more):
    return Wanted(file=file, **more)


def patterns(what):
    return [live.pattern for live in what]


def refused(what, finder=find):
    with pytest.raises(CommandError) as error:
        finder(what)
    return error.value.exit_code, error.value.text


def test_a_run_is_found_by_its_file_however_that_is_called(start, folder):
    run = start()
    start("elsewhere", file="other.yaml")
    for file in ("topology.yaml", str(folder / "topology.yaml"), f"../{folder.name}/topology.yaml"):
        assert find(wanted(file)) == [run.live]
        assert find_one(wanted(file)) == run.live


def test_a_link_to_the_file_finds_it(start, folder):
    run = start()
    (folder / "link.yaml").symlink_to("topology.yaml")
    (folder / "below").mkdir()
    (folder / "below" / "topology.yaml").symlink_to("../topology.yaml")
    assert find(wanted("link.yaml")) == find(wanted("below/topology.yaml")) == [run.live]


def test_runs_come_as_they_began_and_within_a_second_as_they_stand_in_the_file(start, folder):
    for pattern, line, second in (("b", 3, 1), ("a", 30, 1), ("c", 1, 2)):
        run = start(pattern, run_id=f"20260101-00000{second}-abcdef")
        Path(run.live.run_dir, "plan.json").write_text(f'{{"lines": {{"nodes": {line}}}}}')
    assert patterns(find(wanted())) == ["b", "a", "c"]


def test_one_pattern_of_several(start):
    start("a")
    start("b")
    assert patterns(find(wanted(pattern="b"))) == ["b"]
    assert find_one(wanted(pattern="a")).pattern == "a"


def test_which_of_several_must_be_said(start):
    start("a")
    start("b")
    code, text = refused(wanted(), find_one)
    assert code == 2
    assert text == (
        "topology.yaml: error: cannot tell which run is meant: several go on "
        "(say which with --pattern: a, b) [several-runs]"
    )


def test_two_runs_of_one_pattern_are_told_apart_by_their_directories(start):
    one = start(run_dir=".runs/1")
    start(run_dir="out", run_id="20260101-000001-abcdef")
    code, text = refused(wanted(pattern="p"), find_one)
    assert (code, "(say which with --run-dir: .runs/1, out)" in text) == (2, True)
    assert find_one(wanted(run_dir=Path(".runs/1"))) == one.live


def test_a_pattern_that_does_not_run(start):
    start("pipeline")
    start("ask")
    assert refused(wanted(pattern="pipelin")) == (
        1,
        "topology.yaml: error: nothing of pattern 'pipelin' is running (did you mean 'pipeline'?) [not-running]",
    )
    assert refused(wanted(pattern="x"))[1].endswith("(running: ask, pipeline) [not-running]")


def test_nothing_runs(folder):
    (folder / "my own.yaml").write_text("")
    assert refused(wanted()) == (
        1,
        "topology.yaml: error: nothing of it is running (orchestrator up topology.yaml brings it up) [not-running]",
    )
    assert "(orchestrator up 'my own.yaml' brings it up)" in refused(wanted("my own.yaml"))[1]


@pytest.mark.parametrize(
    ("what", "why"),
    [
        (wanted("nothing.yaml"), "nothing.yaml: error: nothing of it is running (there is no such file)"),
        (wanted(run_dir=Path("no")), "no: error: nothing of it is running (there is no such directory)"),
    ],
)
def test_what_is_named_must_be_there(what, why):
    assert refused(what) == (2, f"{why} [not-running]")


def test_a_run_is_found_by_its_directory_whatever_its_file(start):
    run = start(run_dir="out")
    assert find(Wanted(file="nothing.yaml", run_dir=Path("out"))) == [run.live]


def test_the_directory_of_a_run_with_several_patterns_finds_those_that_run(start):
    start("a", run_dir="out/a")
    start("b", run_dir="out/b")
    assert patterns(find(wanted(run_dir=Path("out")))) == ["a", "b"]
    assert patterns(find(wanted(run_dir=Path("out"), pattern="b"))) == ["b"]


def test_a_directory_of_a_run_that_is_over_says_where_its_report_is(folder):
    (folder / "out").mkdir()
    assert refused(wanted(run_dir=Path("out"))) == (
        1, "out: error: nothing of it is running (name the directory of a run that goes on) [not-running]",
    )  # fmt: skip
    (folder / "out" / "events.jsonl").write_text("")
    assert "(orchestrator report out tells how it ended)" in refused(wanted(run_dir=Path("out")))[1]


@pytest.mark.parametrize("service", [False, True])
def test_a_run_that_was_killed_is_none(start, service):
    run = start(service=service)
    assert find(wanted()) == [run.live]
    run.leave()
    assert running(wanted()) == running(wanted(run_dir=Path(run.live.run_dir))) == []


def test_a_record_that_came_with_a_directory_is_not_believed(start, folder):
    """Somebody else's run directory may name any process and any socket; a private directory bears it out, or not."""
    run = start()
    (folder / "forged").mkdir()
    forged = msgspec.structs.replace(run.live, pid=1, run_dir=str(folder / "forged"))
    (folder / "forged" / LIVE).write_bytes(msgspec.json.encode(forged))
    assert running(wanted(run_dir=Path("forged"))) == []
    (run.sockets / LIVE).write_bytes(msgspec.json.encode(forged))
    assert running(wanted(run_dir=Path("forged"))) == [forged]
    run.sockets.chmod(0o755)
    assert running(wanted(run_dir=Path("forged"))) == []


def test_a_private_directory_has_its_name_and_is_ours_alone(start, folder):
    run = start()
    assert is_private(run.sockets)
    (folder / run.sockets.name).symlink_to(run.sockets)
    assert not is_private(folder / run.sockets.name)
    assert not is_private(run.sockets / "requests")
    assert not is_private(folder / "nothing")
    assert not is_private(Path(tempfile.mkdtemp(dir=folder)))


def test_directories_are_told_from_where_the_user_is(start, folder, monkeypatch):
    run = start(run_dir=".runs/1")
    assert shown(run.live.run_dir) == ".runs/1"
    (folder / ".runs" / "latest").symlink_to("1")
    assert shown(run.live.run_dir) == ".runs/latest"
    (folder / "below").mkdir()
    monkeypatch.chdir("below")
    assert shown(run.live.run_dir) == str(folder / ".runs" / "1")


def test_the_folder_of_all_private_directories_is_no_record(start):
    """Who names it by mistake does not mean every run of theirs on this machine."""
    run = start()
    private = Path(run.live.sockets)
    assert (private / LIVE).exists()
    assert running(wanted(run_dir=private.parent)) == []
    assert running(wanted(run_dir=private)) == []
    assert running(wanted(run_dir=Path(run.live.run_dir))) == [run.live]
