"""The guide's batch signal, on a connection of its own beside those of the results."""

from __future__ import annotations

import json

import pytest
from harness import Project

TOPOLOGY = """
    p:
      codec: {codec}
      endpoints: {{results: {{address: ipc, batch: {batch}}}}}
      nodes:
        sender: {{role: "mixed:Sender", connect: results}}
        sink: {{role: sink, bind: results, params: {{start: true, into: got.jsonl}}}}
"""
SENDER = """
    from roles.kit import Push, Role

    class Sender(Role):
        results = Push()

        def run(self):
            for item in {items!r}:
                self.results.send(item)
"""


@pytest.mark.parametrize(
    ("codec", "batch", "items", "kept"),
    [
        pytest.param("json", 1, ["0", 1, 2, "0"], [1, 2, "0"], id="the signal first, and a result like it"),
        pytest.param("json", 1, [1, 2, "0", 3], [1, 2, 3], id="results that overtook it"),
        pytest.param("json", 1, [False, 0.0, [], 0, 3], [False, 0.0, [], 3], id="a plain program's, as JSON"),
        pytest.param("text", 1, ["1", "0", "00"], ["1", "00"], id="text"),
        pytest.param("bytes", 1, [b"1", b"0", b"00"], ["MQ==", "MDA="], id="bytes"),
        pytest.param("msgpack", 1, [1, "0", 2], [1, 2], id="msgpack"),
        pytest.param("json", 10, [1, "0", 2, "0"], [1, 2, "0"], id="in a batch"),
        pytest.param("json", 1, [1, 2], [1, 2], id="none"),
    ],
)
def test_the_signal_is_no_result_and_no_result_is_the_signal(
    project: Project, codec: str, batch: int, items: list[object], kept: list[object]
) -> None:
    project.write("mixed.py", SENDER.format(items=items))
    project.topology(TOPOLOGY.format(codec=codec, batch=batch))
    outcome = project.run().passed()
    assert [json.loads(line) for line in (project.folder / "got.jsonl").read_text().splitlines()] == kept
    assert outcome.received("sink-1", "results") == len(items)
    assert ("no batch signal came" in outcome.stderr) == (items == kept)
