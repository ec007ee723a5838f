"""One file, two engines, equal books: what runs here runs under both, and ends in the same way."""

from pathlib import Path

import pytest
from harness import ENGINES

pytestmark = [pytest.mark.system, pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[2]
ANY_PORTS = [argument for endpoint in ("request_reply.endpoints.hello", "publish_subscribe.endpoints.weather",
                                       "pipeline.endpoints.tasks", "pipeline.endpoints.results")
             for argument in ("--set", f"{endpoint}=tcp://127.0.0.1:*")]  # fmt: skip
"""Its own may be taken on the machine that runs the tests."""
SMALL_CENSUS = 'census.nodes.ventilator.params.call={function: "census:modules", with: {below: email}}'
FILES = {
    "topology.yaml": ANY_PORTS,
    "examples/census.yaml": ["--set", SMALL_CENSUS],
    "examples/duplicates.yaml": [],
    "examples/thousand_clients.yaml": [],
}
"""The files that come to an end by themselves, and what makes them small enough."""


def counts(link):
    """What a link carried, as far as it is not a matter of time."""
    if (
        link["kind"] == "publish_subscribe"
    ):  # how far an endless publisher comes before its subscribers have enough
        return {"received": link["received"]}
    known = {key: link[key] for key in ("sent", "received", "lost", "unread", "foreign")}
    return known | {"replies": link.get("replies")}


@pytest.mark.timeout(400)
@pytest.mark.parametrize("file", FILES)
def test_an_example_has_equal_books_under_both_engines(project, tmp_path, file):
    (tmp_path / "some").mkdir()
    for number in range(20):
        (tmp_path / "some" / f"{number}.txt").write_text(f"{number % 7}\n")
    environment = {"FOLDER": str(tmp_path / "some"), "CLIENTS": "60"}
    arguments = [str(ROOT / file), "--seed", "7", *FILES[file]]
    outcomes = {
        engine: project.run(*arguments, "--engine", engine, environment=environment, deadline_s=150)
        for engine in ENGINES
    }
    local, other = (outcomes[engine].document["runs"] for engine in ENGINES)
    assert [run["pattern"] for run in local] == [run["pattern"] for run in other]
    for here, there in zip(local, other, strict=True):
        assert (here["engine"], there["engine"]) == ENGINES
        assert (here["verdict"], here["exit_code"]) == (there["verdict"], there["exit_code"]) == ("passed", 0)
        assert here["stages"] == there["stages"]
        assert [process["name"] for process in here["processes"]] == [p["name"] for p in there["processes"]]
        assert {link["endpoint"]: counts(link) for link in here["links"]} == {
            link["endpoint"]: counts(link) for link in there["links"]
        }
        held = [[one["path"], one["held"]] for one in here["expectations"]]
        assert held == [[one["path"], one["held"]] for one in there["expectations"]]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_deep_folder_for_temporary_files_is_no_hindrance(project, tmp_path, engine):
    """A socket's path has 107 bytes at the most."""
    deep = tmp_path / ("d" * 100)
    deep.mkdir()
    told = project.run(
        str(ROOT / "topology.yaml"),
        "--engine",
        engine,
        "--pattern",
        "pipeline",
        *ANY_PORTS[4:],
        environment={"TMPDIR": str(deep)},
    )
    told.balanced()
