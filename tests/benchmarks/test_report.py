"""Figures as the reader sees them, by value."""

import pytest

from benchmarks.measure import Compare, Line, Measure, Pair
from benchmarks.report import BEGIN, END, entry, figure, merged, number, page, replaced, table


def line(**values):
    measure = Measure(key="rate", unit="tasks/s", compare=Compare.RATE, goal=0.9)
    given = {"name": "a", "title": "pipeline", "against": "plain", "measures": (measure,)} | values
    return Line(ours=dict, theirs=dict, **given)


PAIRS = [
    Pair(ours={"rate": 500_000.0}, theirs={"rate": 1_000_000.0}, ours_first=True),
    Pair(ours={"rate": 950_000.0}, theirs={"rate": 1_000_000.0}, ours_first=False),
    Pair(ours={"rate": 1_100_000.0}, theirs={"rate": 1_000_000.0}, ours_first=True),
]


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (0.954, "0.95"), (9.999, "10.00"), (12.34, "12.3"), (99.96, "100.0"), (100, "100"), (447_321, "447,000"),
        (1_234_567, "1,230,000"), (0, "0.00"),
    ],
)  # fmt: skip
def test_numbers_have_three_digits_that_matter(value, told):
    assert number(value) == told


@pytest.mark.parametrize(
    ("value", "unit", "told"),
    [
        (1_163_369_115, "bytes/s", "1.16 GB/s"),
        (5_990_000, "bytes", "5.99 MB"),
        (12_345, "bytes", "12.3 kB"),
        (512, "bytes", "512 bytes"),
        (0.5312, "s", "0.53 s"),
        (447_321, "tasks/s", "447,000 tasks/s"),
    ],
)
def test_figures_have_their_unit(value, unit, told):
    assert figure(value, unit) == told


def test_a_row_has_both_sides_the_spread_and_the_goal():
    assert table([entry(line(), PAIRS)]).splitlines()[2:] == [
        "| pipeline | 950,000 tasks/s | plain, 1,000,000 tasks/s | 0.95 × (0.50 to 1.10) | at least 0.90: held |"
    ]


def test_a_line_alone_has_no_ratio():
    measure = Measure(key="s", unit="s", compare=Compare.ALONE, goal=0.6)
    pairs = [Pair(ours={"s": value}, theirs=None, ours_first=True) for value in (0.5, 0.8, 0.7)]
    one = entry(line(measures=(measure,), against=""), pairs)
    assert table([one]).splitlines()[2] == "| pipeline | 0.70 s | – | 0.50 to 0.80 | at most 0.60: missed |"


def test_every_measure_of_a_line_has_a_row():
    sent = Measure(key="rate", unit="updates/s", compare=Compare.RATE, what="sent")
    told = Measure(key="rate", unit="updates/s", compare=Compare.RATE, what="delivered")
    rows = table([entry(line(measures=(sent, told)), PAIRS)]).splitlines()[2:]
    assert [row.split(" | ")[0] for row in rows] == ["| pipeline: sent", "| pipeline: delivered"]
    assert all(row.endswith("| – |") for row in rows)


def test_a_line_that_was_skipped_is_told_below_the_table():
    one = entry(line(), [], "skipped, plain is not installed")
    assert one["rows"] == []
    other = entry(line(title="hop", against=""), [], "skipped, plain is not installed")
    told = table([one, other]).splitlines()[2:]
    assert told == ["", "- Skipped, plain is not installed: pipeline against plain; hop."]


def test_a_note_is_made_of_the_medians():
    noted = line(note=lambda ours, theirs: f"{ours['rate']:.0f} of {theirs['rate']:.0f}")
    assert table([entry(noted, PAIRS)]).splitlines()[-1] == "- Pipeline: 950000 of 1000000."


def test_every_pair_is_kept_with_who_went_first():
    kept = entry(line(), PAIRS)["pairs"]
    assert kept[1] == {"ours": {"rate": 950_000.0}, "theirs": {"rate": 1_000_000.0}, "first": "theirs"}
    assert len(kept) == 3


def test_new_entries_take_the_place_of_old_ones():
    old = [{"name": "a", "of": "old"}, {"name": "b", "of": "old"}, {"name": "gone", "of": "old"}]
    new = [{"name": "c", "of": "new"}, {"name": "a", "of": "new"}]
    assert merged(old, new, ["a", "b", "c"]) == [
        {"name": "a", "of": "new"},
        {"name": "b", "of": "old"},
        {"name": "c", "of": "new"},
    ]


def test_the_part_between_the_markers_is_replaced():
    document = f"before\n{BEGIN}\nold\n{END}\nafter\n"
    once = replaced(document, "new\n")
    assert once == f"before\n{BEGIN}\nnew\n{END}\nafter\n"
    assert replaced(once, "new") == once


@pytest.mark.parametrize("document", ["none\n", f"{BEGIN}\nno end\n", f"{END}\nthe wrong way\n{BEGIN}\n"])
def test_a_document_without_both_markers_stays(document):
    assert replaced(document, "new") == document


def test_the_page_names_the_machine_and_the_picture():
    results = {
        "machine": {"processor": "Some", "cores": 2, "memory_bytes": 8e9, "system": "Linux 6.1"},
        "versions": {"python": "3.11.7"},
        "pairs": 5,
        "lines": [],
    }
    text = page(results, "growth.svg")
    assert text.startswith(
        "Some, 2 cores, 8.00 GB of memory, Linux 6.1; python 3.11.7.\n\nEach line is 5 pairs"
    )
    assert text.endswith("\n![How it grows](growth.svg)\n")
    assert "![" not in page(results, "")
