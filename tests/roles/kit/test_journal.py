"""A source's journal, over incarnations."""

from roles.kit.journal import Journal
from roles.kit.positions import Positions


def told(journal):
    return journal.over.runs(), journal.aside, journal.blamed, journal.come_to, journal.refused


def test_a_new_one_knows_nothing(tmp_path):
    assert told(Journal(tmp_path / "j")) == ([], set(), {}, 0, 0)


def test_what_was_noted_is_known_to_the_next_incarnation(tmp_path):
    journal = Journal(tmp_path / "j")
    journal.note_over([1, 3, 7, 1], Positions([1, 3, 7, 1]))
    for _ in range(3):
        journal.note_blamed(5)
    journal.note_blamed(6)
    journal.note_aside(5)
    journal.note_turns(8, 0)
    journal.note_turns(12, 1)
    assert told(Journal(tmp_path / "j")) == ([1, 3, 5, 1, 7, 1], {5}, {5: 3, 6: 1}, 12, 1)


def test_compacted_it_says_the_same_in_less(tmp_path, monkeypatch):
    monkeypatch.setattr("roles.kit.ledger.COMPACT_FROM_BYTES", 2000)
    journal, over = Journal(tmp_path / "j"), Positions()
    journal.note_blamed(3)
    journal.note_aside(1000)
    largest = 0
    for position in range(1, 1000):
        over.add(position)
        journal.note_turns(position, 0)
        journal.note_over([position, 1], over)
        largest = max(largest, (tmp_path / "j").stat().st_size)
    assert largest < 2200
    assert told(Journal(tmp_path / "j")) == ([1, 1000], {1000}, {3: 1}, 999, 0)


def test_more_refusals_than_a_word_can_tell_are_the_most_it_can(tmp_path):
    Journal(tmp_path / "j").note_turns(2**40 - 1, 2**30)
    again = Journal(tmp_path / "j")
    assert (again.come_to, again.refused) == (2**40 - 1, 2**24 - 1)


def test_a_loss_of_power_takes_what_was_not_synced(tmp_path, monkeypatch):
    files = []
    monkeypatch.setattr("roles.kit.failpoints.watch", files.append)
    journal = Journal(tmp_path / "j")
    journal.note_over([1, 3], Positions([1, 3]))
    journal.note_turns(4, 0)
    for file in files:
        file.forget_unsynced()
    assert told(Journal(tmp_path / "j")) == ([], set(), {}, 0, 0)
