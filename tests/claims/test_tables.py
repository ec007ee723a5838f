from prover.judge import Row
from prover.tables import Conditions, line, markdown, sums, table

SHOWN = Row(3, "The client may start before the server", "03-client-first.yaml", 1, "0 of 100 requests lost")
MISSED = Row(
    12, "A | B", "12-more-workers.yaml", 20, "1.1 times", ("faster: it was 1.1", "run 2, scaled: failed")
)
CONDITIONS = Conditions(seed=5, python="3.11.7", pyzmq="27.3.0", libzmq="4.3.5", cores=2)


def test_a_line_has_the_reasons_below_it():
    assert line(SHOWN, 1.23) == " 3  shown      03-client-first.yaml: 0 of 100 requests lost (1.2 s)"
    assert line(MISSED, 1.0).splitlines()[1:] == ["      faster: it was 1.1", "      run 2, scaled: failed"]


def test_the_table_wraps_long_claims_in_their_columns():
    long = Row(4, "word " * 20, "04-x.yaml", 1, "much " * 20)
    head, *lines = table([long, SHOWN]).splitlines()
    assert head.split() == ["#", "CLAIM", "MEASURED", "VERDICT"]
    assert " ".join(lines[:-1]).split().count("word") == 20
    assert all(len(one) <= 120 for one in lines)
    assert lines[0].endswith("shown")
    assert lines[-1].split() == [
        "3",
        *[
            "The",
            "client",
            "may",
            "start",
            "before",
            "the",
            "server",
            "0",
            "of",
            "100",
            "requests",
            "lost",
            "shown",
        ],
    ]


def test_the_sums_name_what_is_not_shown():
    assert sums([SHOWN, MISSED], 61.4) == "1 of 2 claims shown in 61 s; not shown: 12"
    assert sums([SHOWN], 1.0) == "1 of 1 claims shown in 1 s"


def test_the_page_links_the_files_and_tells_the_conditions():
    page = markdown([SHOWN, MISSED], CONDITIONS)
    assert (
        "| [3](03-client-first.yaml) | The client may start before the server | 0 of 100 requests lost | shown |"
        in page
    )
    assert (
        r"| [12](12-more-workers.yaml) | A \| B | 1.1 times | not shown: faster: it was 1.1; run 2, scaled: failed |"
        in page
    )
    assert "With seed 5, Python 3.11.7, pyzmq 27.3.0, libzmq 4.3.5, 2 cores." in page
    assert page.endswith(".\n")
    assert "1 core." in markdown([SHOWN], Conditions(seed=5, python="3", pyzmq="2", libzmq="4", cores=1))
