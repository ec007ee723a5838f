"""The rounds, and the table that they write."""

import re
from collections import Counter
from pathlib import Path

import pytest

from chaos.gate import Gate, Tally, rounds
from chaos.gates import FUZZED, GATES
from chaos.page import BEGIN, END, row, written_anew

ROOT = Path(__file__).resolve().parents[2]


def gate(name="g", once=10, full=30, run=lambda _, amount: Tally(tried=amount)):
    return Gate(name=name, title="t", unit="things", must="all", once=once, full=full, run=run)


def tallied(gates, now_s, until_s):
    tallies = {gate.name: Tally() for gate in gates}
    for one, tally in rounds(gates, 7, now_s, until_s):
        tallies[one.name].add(tally)
    return tallies


def test_each_gate_has_its_full_amount_where_there_is_time():
    seeds = []

    def run(seed, amount):
        seeds.append(seed)
        return Tally(tried=amount, faults=["one"] if seed.endswith("/1") else [], note=seed)

    tallies = tallied([gate("a", run=run), gate("b", full=10, run=run)], lambda: 0.0, 1.0)
    assert {name: tally.tried for name, tally in tallies.items()} == {"a": 30, "b": 10}
    assert (tallies["a"].lost, tallies["a"].note) == (1, "7/a/2")
    assert sorted(seeds) == ["7/a/0", "7/a/1", "7/a/2", "7/b/0"]


def test_what_is_counted_adds_up_and_is_told_after_the_note():
    tally = Tally(tried=1, note="old", counts=Counter({"tasks": 600, "lost": 0}))
    tally.add(Tally(tried=1, note="new", counts=Counter({"tasks": 500, "lost": 0})))
    assert tally.told == "new; 1,100 tasks, 0 lost"
    assert "| new; 1,100 tasks, 0 lost |" in row(gate(), tally, 7)
    assert (Tally(note="n").told, Tally(counts=Counter(tasks=1)).told) == ("n", "1 tasks")


def test_each_has_one_round_whatever_the_time():
    tallies = tallied([gate("a"), gate("b")], lambda: 5.0, 1.0)
    assert [tally.tried for tally in tallies.values()] == [10, 10]


def test_a_slow_gate_takes_no_time_from_the_others():
    clock = [0.0]

    def slow(seed, amount):
        clock[0] += 10
        return Tally(tried=amount)

    def quick(seed, amount):
        clock[0] += 1
        return Tally(tried=amount)

    gates = [gate("slow", full=10**6, run=slow), gate("quick", full=10**6, run=quick)]
    tallies = tallied(gates, lambda: clock[0], 100.0)
    assert tallies["quick"].tried > 7 * tallies["slow"].tried


def test_a_row_takes_the_place_of_its_gates_last_one():
    page = f"# Page\n\n{BEGIN}\n| `a` | old |\n| `other` | kept |\n{END}\nrest\n"
    told = row(gate("a"), Tally(tried=1234, faults=["x|y"], note="a|b"), 7)
    assert told == "| `a` | t | 1,234 things | all | 1 | a&#124;b | 7 |"
    written = written_anew(page, {"a": told, "b": row(gate("b"), Tally(), 7)}, ["b", "a"])
    names = re.findall(r"^\| `(\w+)`", written, re.MULTILINE)
    assert names == ["b", "a", "other"]
    assert "| old |" not in written
    assert written.startswith("# Page\n\n<!-- chaos -->\n| gate |")
    assert written.endswith("<!-- /chaos -->\nrest\n")
    assert written_anew(written, {}, ["b", "a"]) == written


def test_a_page_without_a_table_is_refused():
    with pytest.raises(ValueError, match="chaos"):
        written_anew("# Page\n", {}, [])


def test_the_page_tells_of_every_gate():
    page = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
    written_anew(page, {}, [])
    assert [one.name for one in GATES if f"**{one.name}**" not in page] == []
    assert len({one.name for one in GATES}) == len(GATES)
    assert set(FUZZED) <= {one.name for one in GATES}
