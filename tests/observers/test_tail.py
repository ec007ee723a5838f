from orchestrator.observers.tail import LogTail, last_lines


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
