"""Documents: what is asked for beside the report, as JSON, JUnit XML or Markdown.

Each has an option, a target (a file, or `-` for stdout) and a renderer. Targets are checked before any work is
done, and written when all is over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

from orchestrator.outcome.entries import Entry, Run
from orchestrator.outcome.junit import junit_text
from orchestrator.outcome.markdown import markdown_text
from orchestrator.outcome.summary import to_json
from orchestrator.outcome.values import Summary
from orchestrator.terminal import Terminal
from orchestrator.verbs.codes import VERSION, worst
from orchestrator.verbs.fault import CommandError, fault

STDOUT = "-"
_VERDICTS = {0: "passed", 130: "interrupted", 143: "interrupted"}

Content = TypeVar("Content")


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What a verb has come to. `problems` are those of topologies, warnings among them."""

    codes: list[int] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    problems: list[dict[str, Any]] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        """The worst of all."""
        return worst(self.codes)

    @property
    def summaries(self) -> list[Summary]:
        """Those of the runs that began."""
        return [entry.summary for entry in self.entries if isinstance(entry, Run)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Document(Generic[Content]):
    """One document, and where it is to go. `name` is what it is called in `cannot write the NAME document`."""

    option: str
    name: str
    target: str
    render: Callable[[Content], str]

    def check(self) -> None:
        """Make sure that there can be such a file; raises CommandError."""
        path = Path(self.target)
        if self.target != STDOUT and (path.is_dir() or not path.absolute().parent.is_dir()):
            why = "it is a folder" if path.is_dir() else "no such folder"
            raise self._fault(why, hint="name a file in a folder that exists")

    def write(self, content: Content, terminal: Terminal) -> None:
        """Put it where it is wanted; raises CommandError where the file cannot be written."""
        text = self.render(content)
        if self.target == STDOUT:
            terminal.answer(text)
            return
        try:
            Path(self.target).write_bytes(text.encode(errors="backslashreplace"))
        except OSError as error:
            raise self._fault(str(error.strerror), hint="name another file", exit_code=3) from error

    def _fault(self, why: str, *, hint: str, exit_code: int = 2) -> CommandError:
        text = f"cannot write the {self.name} document: {why}"
        code = f"{self.option.lstrip('-')}-path"
        return fault(text, code=code, file=self.target, hint=hint, exit_code=exit_code)


def json_document(target: str | None, render: Callable[[Content], str]) -> list[Document[Content]]:
    """The document that `--json` asks for, if it does."""
    if target is None:
        return []
    return [Document(option="--json", name="JSON", target=target, render=render)]


def outcome_documents(
    *, json: str | None, junit: str | None, markdown: str | None
) -> list[Document[Outcome]]:
    """The documents that are asked for of runs, checked; raises CommandError where one cannot be."""
    documents = json_document(json, _json_text)
    if junit is not None:
        documents.append(Document(option="--junit", name="JUnit", target=junit, render=_junit_text))
    if markdown is not None:
        documents.append(
            Document(option="--markdown", name="Markdown", target=markdown, render=_markdown_text)
        )
    check_documents(documents)
    return documents


def _json_text(outcome: Outcome) -> str:
    return to_json(
        {
            "version": VERSION,
            "verdict": _VERDICTS.get(outcome.exit_code, "failed"),
            "exit_code": outcome.exit_code,
            "runs": outcome.summaries,
            "problems": outcome.problems,
        }
    ).decode()


def _junit_text(outcome: Outcome) -> str:
    return junit_text(outcome.entries)


def _markdown_text(outcome: Outcome) -> str:
    return markdown_text(outcome.entries)


def check_documents(documents: Sequence[Document[Any]]) -> None:
    """Make sure before any work that each can be written, and that none takes another's place."""
    seen: dict[Path | str, str] = {}
    for document in documents:
        document.check()
        place = STDOUT if document.target == STDOUT else Path(document.target).resolve()
        if place in seen:
            where = "stdout" if place == STDOUT else document.target
            text = f"cannot write both {seen[place]} and {document.option} to {where}"
            raise fault(text, code="same-target", file=document.option, hint="name a file for one of them")
        seen[place] = document.option


def on_stdout(documents: Iterable[Document[Any]]) -> bool:
    """Whether a document takes stdout, so that nothing else may be written there."""
    return any(document.target == STDOUT for document in documents)


def write_documents(documents: Iterable[Document[Content]], content: Content, terminal: Terminal) -> int:
    """Write each of them, and tell of those that cannot be; 3 where there are such, else 0."""
    codes = [0]
    for document in documents:
        try:
            document.write(content, terminal)
        except CommandError as told:
            terminal.tell(told.text + "\n")
            codes.append(told.exit_code)
    return worst(codes)
