"""GitHub Actions: annotations at the topology's lines, and the Markdown on the job's summary page.

The runner reads workflow commands from both streams. They go to stderr, so that stdout holds what was asked for
and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.terminal import Terminal

if TYPE_CHECKING:  # who is no such step need not wait until they are imported
    from orchestrator.outcome.annotations import Annotation
    from orchestrator.outcome.entries import Entry

SUMMARY_BYTES = 800_000
"""How large the step's summary may become with ours. GitHub shows none of one that exceeds 1,048,576 bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Actions:
    """A step of a GitHub Actions job: its workspace, and its summary's file; empty where it has none."""

    workspace: str = ""
    summary: str = ""

    def annotate(self, annotations: Iterable[Annotation], terminal: Terminal) -> None:
        """Make them known to the runner."""
        from orchestrator.outcome.annotations import workflow_commands  # noqa: PLC0415 - see above

        commands = workflow_commands(annotations, shown_file=self.shown_file)
        if commands:
            terminal.tell(commands)

    def shown_file(self, file: str) -> str:
        """The file as GitHub knows it: from the workspace where it is within, else as it is."""
        if not self.workspace:
            return file
        try:
            return Path(file).resolve().relative_to(Path(self.workspace).resolve()).as_posix()
        except (ValueError, OSError):
            return file

    def summarise(self, entries: Iterable[Entry], terminal: Terminal) -> None:
        """Append the Markdown to the step's summary, as much of it as there is room for.

        Nobody has asked for it by name, so where it cannot be written this is told, and changes no exit code.
        """
        if not self.summary:
            return
        from orchestrator.outcome.markdown import markdown_text  # noqa: PLC0415 - see above

        path = Path(self.summary)
        try:
            taken = path.stat().st_size if path.exists() else 0
            text = markdown_text(entries, limit_bytes=max(0, SUMMARY_BYTES - taken))
            data = (("\n" if taken else "") + text).encode(errors="backslashreplace")
            if taken + len(data) > SUMMARY_BYTES:
                terminal.tell(f"cannot add to the step's summary: it holds {taken:,} bytes already\n")
                return
            with path.open("ab") as file:
                file.write(data)
        except OSError as error:
            terminal.tell(f"cannot add to the step's summary: {error.strerror}: {path}\n")


def actions(environment: Mapping[str, str]) -> Actions | None:
    """The step that this runs in, by its environment; None where it is no such step."""
    if environment.get("GITHUB_ACTIONS") != "true":
        return None
    return Actions(
        workspace=environment.get("GITHUB_WORKSPACE", ""),
        summary=environment.get("GITHUB_STEP_SUMMARY", ""),
    )
