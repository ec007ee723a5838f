import pytest

from prover.catalogue import CatalogueError, chosen, read_catalogue

ONE = """
- number: 7
  claim: All arrives
  file: 07-all.yaml
  measured: "{plain.tasks.lost} lost"
"""


def test_an_entry_has_its_defaults():
    (claim,) = read_catalogue(ONE)
    assert (claim.name, claim.runs, claim.wants, claim.checks) == ("07-all", 1, {}, {})


def test_the_claims_stand_in_the_order_of_their_numbers():
    earlier = ONE.replace("number: 7", "number: 3").replace("07-", "03-")
    assert [claim.number for claim in read_catalogue(ONE + earlier)] == [3, 7]


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        pytest.param(ONE + ONE, "number 7 stands there twice", id="twice"),
        pytest.param(
            ONE.replace("07-all", "08-all"), "name it 07-SOMETHING.yaml", id="file of another number"
        ),
        pytest.param(ONE + "  repeat: 3\n", "unknown field `repeat`", id="unknown key"),
        pytest.param(ONE.replace("number: 7", "number: [7"), "cannot read the catalogue", id="no YAML"),
        pytest.param(
            ONE.replace("plain.tasks.lost", "lost"), "measured: cannot read 'lost'", id="no measure"
        ),
        pytest.param(
            ONE.replace("plain.tasks.lost", "checks.a"), "a check that is not there: a", id="no such check"
        ),
        pytest.param(ONE + "  runs: 0\n", "`int` >= 1", id="no runs"),
        pytest.param(
            ONE + '  checks: {a: {measure: plain.tasks.lost, condition: "> 0", at_least: 2}}\n',
            "a cannot hold in 2 of 1 runs",
            id="more often than it runs",
        ),
        pytest.param(
            ONE + '  checks: {a: {measure: plain.tasks.lost, condition: "> 0", at_least: 0}}\n',
            "a cannot hold in 0 of 1 runs",
            id="never asked for",
        ),
        pytest.param(
            ONE + '  checks: {a: {measure: plain.tasks.lost, condition: ">"}}\n',
            "compares with nothing",
            id="no condition",
        ),
        pytest.param(
            ONE + "  checks: {a: {measure: x.a / x.b / x.c, condition: 1}}\n",
            "a ratio is of two",
            id="three measures",
        ),
    ],
)
def test_what_cannot_be_read_is_told(changed, told):
    with pytest.raises(CatalogueError, match=told.replace("(", r"\(").replace(".", r"\.")):
        read_catalogue(changed)


def test_a_few_are_chosen_by_their_numbers():
    claims = read_catalogue(ONE + ONE.replace("number: 7", "number: 12").replace("07-", "12-"))
    assert [claim.number for claim in chosen(claims, "12")] == [12]
    assert [claim.number for claim in chosen(claims, "12, 07")] == [7, 12]
    with pytest.raises(CatalogueError, match=r"cannot find claim '8' \(there are 7, 12\)"):
        chosen(claims, "7,8")
