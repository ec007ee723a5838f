"""Problems: the faults of a topology, each with its place, and how they are told."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, order=True)
class Mark:
    """A place in the file: line and column count from 1, `width` is how many characters a caret line covers."""

    line: int
    column: int
    width: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One fault in a topology. `path` names the key, as `pipeline.nodes.worker.replicas`."""

    code: str
    text: str
    mark: Mark
    path: str = ""
    hint: str = ""
    severity: Literal["error", "warning"] = "error"


class TopologyError(Exception):
    """The topology cannot be run; `problems` holds every fault, in file order."""

    exit_code = 2

    def __init__(self, problems: Iterable[Problem]) -> None:
        """Keep the problems in file order."""
        self.problems = tuple(sorted(problems, key=lambda problem: problem.mark))
        super().__init__("; ".join(problem.text for problem in self.problems))
