import pytest

from orchestrator.observers import tail as module
from orchestrator.observers.tail import LogTail, last_lines


def put_away(folder, process="a", *, most=3):
    """What supervisord does with a log that has become too long."""
    log = folder / f"{process}.log"
    for number in range(most - 1, 0, -1):
        old = folder / f"{process}.log.{number}"
        if old.exists():
            old.replace(folder / f"{process}.log.{number + 1}")
    log.replace(folder / f"{process}.log.1")
    log.touch()


def write(folder, data, process="a"):
    with (folder / f"{process}.log").open("ab") as file:
        file.write(data)


def test_lines_come_whole_and_once(tmp_path):
    log = tmp_path / "a.log"
    tail = LogTail(tmp_path)
    assert tail.read("a") == []
    log.write_bytes(b"one\ntwo\nthr")
    assert tail.read("a") == ["one", "two"]
    assert tail.read("a") == []
    with log.open("ab") as file:
        file.write(b"ee\n")
    assert tail.read("a") == ["three"]


def test_the_rest_has_the_line_without_an_end(tmp_path):
    (tmp_path / "a.log").write_bytes(b"one\ntwo")
    tail = LogTail(tmp_path)
    assert tail.read("a") == ["one"]
    assert tail.rest("a") == ["two"]
    assert tail.rest("a") == []


def test_each_process_has_its_own_place(tmp_path):
    (tmp_path / "a.log").write_bytes(b"1\n")
    (tmp_path / "b.log").write_bytes(b"2\n")
    tail = LogTail(tmp_path)
    assert (tail.read("a"), tail.read("b"), tail.rest("c")) == (["1"], ["2"], [])


def test_what_would_steer_a_terminal_is_escaped(tmp_path):
    (tmp_path / "a.log").write_bytes("\x1b[2Jclear\r\n\ttab ü\x9b\n".encode() + b"\xff\n")
    assert LogTail(tmp_path).read("a") == ["\\x1b[2Jclear", "\ttab ü\\x9b", "\\xff"]


def test_a_character_torn_between_two_reads_is_whole(tmp_path):
    log = tmp_path / "a.log"
    tail = LogTail(tmp_path)
    log.write_bytes("ü".encode()[:1])
    assert tail.read("a") == []
    log.write_bytes("ü\n".encode())
    assert tail.read("a") == ["ü"]


def test_a_line_without_end_is_not_kept_for_ever(tmp_path):
    (tmp_path / "a.log").write_bytes(b"x" * 100_000)
    assert LogTail(tmp_path).read("a") == ["x" * 100_000]


def test_of_a_very_long_log_the_rest_is_counted(tmp_path):
    (tmp_path / "a.log").write_bytes(b"0123456789\n" * 200_000)
    lines = LogTail(tmp_path).rest("a")
    assert lines[0] == "0123456789"
    assert lines[-1] == f"… {2_200_000 - 1024 * 1024:,} bytes more in its log"


def test_last_lines(tmp_path):
    log = tmp_path / "a.log"
    assert last_lines(log) == []
    log.write_bytes(b"")
    assert last_lines(log) == []
    log.write_text("".join(f"line {n}\n" for n in range(20)))
    assert last_lines(log, lines=3) == ["line 17", "line 18", "line 19"]


def test_last_lines_reach_back_into_what_was_put_away(tmp_path):
    for number in range(6):
        write(tmp_path, b"line %d\n" % number)
        if number % 2:
            put_away(tmp_path)
    assert last_lines(tmp_path / "a.log", lines=4) == ["line 2", "line 3", "line 4", "line 5"]
    assert last_lines(tmp_path / "a.log", lines=100) == [f"line {number}" for number in range(6)]


def test_long_last_lines_are_whole(tmp_path):
    write(tmp_path, (b"x" * 40_000 + b"\n") * 5)
    assert [len(line) for line in last_lines(tmp_path / "a.log", lines=2)] == [40_000, 40_000]


def test_what_is_put_away_while_it_is_looked_back_on_is_not_told_twice(tmp_path):
    write(tmp_path, b"old\n")
    put_away(tmp_path)
    write(tmp_path, b"new\n")
    blocks = module._backwards(tmp_path / "a.log")
    told = [next(blocks)[2]]
    put_away(tmp_path)
    assert [*told, *(block for _, _, block in blocks)] == [b"new\n", b"old\n"]


def test_many_last_lines(tmp_path):
    (tmp_path / "a.log").write_text("".join(f"line {number:06}\n" for number in range(50_000)))
    lines = last_lines(tmp_path / "a.log", lines=20_000)
    assert (len(lines), lines[0], lines[-1]) == (20_000, "line 030000", "line 049999")


def test_a_log_that_is_put_away_is_read_to_its_end_before_the_next(tmp_path):
    tail = LogTail(tmp_path)
    write(tmp_path, b"one\n")
    assert tail.read("a") == ["one"]
    write(tmp_path, b"two\nthr")
    put_away(tmp_path)
    write(tmp_path, b"ee\nfour\n")
    assert [*tail.read("a"), *tail.read("a")] == ["two", "three", "four"]
    assert tail.read("a") == []


def test_one_that_is_put_away_just_when_all_was_read(tmp_path):
    tail = LogTail(tmp_path)
    write(tmp_path, b"one\n")
    assert tail.read("a") == ["one"]
    put_away(tmp_path)
    assert tail.read("a") == []
    write(tmp_path, b"one\n")
    assert tail.read("a") == ["one"]


def test_a_log_that_is_put_away_more_than_once_between_two_looks(tmp_path):
    tail = LogTail(tmp_path)
    write(tmp_path, b"0\n")
    assert tail.read("a") == ["0"]
    for number in range(1, 4):
        write(tmp_path, b"%d\n" % number)
        put_away(tmp_path)
    assert [line for _ in range(5) for line in tail.read("a")] == ["1", "2", "3"]


def test_while_it_is_being_put_away_nothing_is_lost(tmp_path):
    """There is a moment without a log, and one with a gap among those that were put away."""
    tail = LogTail(tmp_path)
    write(tmp_path, b"one\n")
    put_away(tmp_path)
    write(tmp_path, b"two\n")
    assert tail.last("a", 1) == ["two"]
    write(tmp_path, b"three\n")
    (tmp_path / "a.log.1").rename(tmp_path / "a.log.2")
    (tmp_path / "a.log").rename(tmp_path / "a.log.1")
    assert tail.read("a") == []
    (tmp_path / "a.log.2").rename(tmp_path / "a.log.3")
    (tmp_path / "a.log.1").rename(tmp_path / "a.log.2")
    write(tmp_path, b"four\n")
    assert [*tail.read("a"), *tail.read("a")] == ["three", "four"]


@pytest.mark.parametrize("anew", [True, False])
def test_a_log_that_somebody_has_cleared_begins_anew(tmp_path, anew):
    tail = LogTail(tmp_path)
    write(tmp_path, b"one\nno end")
    assert tail.read("a") == ["one"]
    if anew:
        (tmp_path / "a.log").rename(tmp_path / "away")
    (tmp_path / "a.log").write_bytes(b"new\n")
    assert tail.read("a") == ["no end", "new"]


def test_the_rest_goes_over_what_was_put_away(tmp_path):
    tail = LogTail(tmp_path)
    write(tmp_path, b"one\n")
    assert tail.read("a") == ["one"]
    write(tmp_path, b"0123456789\n" * 200_000)
    put_away(tmp_path)
    write(tmp_path, b"end\n")
    lines = tail.rest("a")
    assert lines[-1] == f"… {2_200_004 - 1024 * 1024:,} bytes more in its log"
    assert tail.rest("a") == []


def test_the_last_lines_and_then_what_follows(tmp_path):
    tail = LogTail(tmp_path)
    write(tmp_path, b"1\n2\n3\n4\nno")
    assert tail.last("a", 2) == ["3", "4"]
    assert tail.read("a") == []
    write(tmp_path, b" end\n")
    assert tail.read("a") == ["no end"]
    assert tail.last("a", 0) == []
    assert tail.read("a") == []
    assert tail.last("a", 100) == ["1", "2", "3", "4", "no end"]


def test_the_last_lines_of_a_log_that_is_not_there_yet(tmp_path):
    tail = LogTail(tmp_path)
    assert tail.last("a", 5) == []
    write(tmp_path, b"one\n")
    assert tail.read("a") == ["one"]
