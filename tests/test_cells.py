import pytest

from orchestrator.cells import (
    Cell,
    ansi,
    count,
    memory,
    pad,
    percent,
    printable,
    rate,
    seconds,
    table,
    uptime,
    width,
)


@pytest.mark.parametrize(
    ("text", "columns"), [("worker-1", 8), ("×3", 2), ("日本", 4), ("e\u0301", 1), ("", 0)]
)
def test_width_is_what_a_terminal_shows(text, columns):
    assert width(text) == columns
    assert width(pad(text, 10)) == 10


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain – ü", "plain – ü"),
        ("a\tb", "a\tb"),
        ("\x1b[2J", "\\x1b[2J"),
        ("\r\n\0", "\\x0d\\x0a\\x00"),
        ("\x9b1m\x7f", "\\x9b1m\\x7f"),
        ("\u202egpj.exe", "\\u202egpj.exe"),
    ],
)
def test_control_characters_are_escaped(text, shown):
    assert printable(text) == shown


def test_units():
    assert [count(1234567), count(None)] == ["1,234,567", "–"]
    assert [seconds(1.74), seconds(119.9), seconds(125.0), seconds(3725.0), seconds(None)] == [
        "1.7 s",
        "119.9 s",
        "2 min 05 s",
        "1 h 02 min",
        "–",
    ]
    assert [rate(2.25), rate(12345.6)] == ["2.2/s", "12,346/s"]
    assert [percent(0.335), memory(21_400_000), memory(12_300_000_000)] == ["34 %", "21 MB", "12.3 GB"]


@pytest.mark.parametrize(
    ("value_s", "told"),
    [
        (None, "–"), (0.0, "0.0s"), (4.29, "4.2s"), (59.99, "59.9s"), (60.0, "1m00s"), (192.9, "3m12s"),
        (3599.9, "59m59s"), (7380.0, "2h03m"), (86399.0, "23h59m"), (446400.0, "5d04h"),
    ],
)  # fmt: skip
def test_for_how_long_something_runs(value_s, told):
    assert uptime(value_s) == told


def test_a_table_stands_in_columns_whatever_its_colours():
    rows = [[Cell("日本", "bold"), Cell("1")], [Cell("a"), Cell("2,000")]]
    assert table(("NAME", "COUNT"), rows) == ["NAME  COUNT", "日本  1", "a     2,000"]
    assert table(("N",), [[Cell("x", "good")]], style=ansi) == ["\x1b[2mN\x1b[0m", "\x1b[32mx\x1b[0m"]
