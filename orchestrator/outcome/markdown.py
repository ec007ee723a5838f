"""Runs -> Markdown, for a CI job's summary page: a section a pattern, verdict and reasons first. Pure.

Nothing in it depends on where the record is kept or on which verb writes it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from orchestrator.cells import plain, plural, seconds
from orchestrator.outcome.entries import Entry, Refusal, Run, failed_processes, interruption, place, unjudged
from orchestrator.outcome.expect import told
from orchestrator.outcome.markup import block, code, details, escaped, grid
from orchestrator.outcome.picture import picture
from orchestrator.outcome.remarks import fault_text, latency_text
from orchestrator.outcome.tables import link_lines, process_lines
from orchestrator.outcome.values import Expectation, ProblemSummary, ProcessSummary, Summary

SHOWN = 50
"""Problems, notes, expectations or faults that are listed; of more, how many there are."""

SHOWN_LOGS = 5
SHOWN_DEFAULTS = 12


class Part(NamedTuple):
    """One part of a section, and its name for when there is no room for it."""

    name: str
    text: str


def markdown_text(entries: Iterable[Entry], *, limit_bytes: int | None = None) -> str:
    """The whole document, with a newline at its end.

    With `limit_bytes` it is no longer than that: parts for which there is no room are left out and named. Each
    section keeps its head, so only very many patterns can exceed it.
    """
    sections = [list(_section(entry)) for entry in entries]
    if limit_bytes is not None:
        sections = _fitted(sections, limit_bytes)
    return "\n\n".join(part.text for section in sections for part in section) + "\n"


def _fitted(sections: Sequence[Sequence[Part]], limit_bytes: int) -> list[list[Part]]:
    names = ", ".join(dict.fromkeys(part.name for section in sections for part in section))
    room = limit_bytes - sum(_size(section[0]) + _size(_left_out(names)) for section in sections)
    fitted = []
    for head, *others in sections:
        kept, left = [head], []
        for part in others:
            if _size(part) <= room:
                kept.append(part)
                room -= _size(part)
            else:
                left.append(part.name)
        fitted.append([*kept, _left_out(", ".join(left))] if left else kept)
    return fitted


def _left_out(names: str) -> Part:
    return Part(
        "", f"*Left out, since there is no room for it here: {names}. `orchestrator report` has all.*"
    )


def _size(part: Part) -> int:
    return len(part.text.encode()) + 2


def _section(entry: Entry) -> Iterator[Part]:
    if isinstance(entry, Refusal):
        yield Part("verdict", f"## ✗ {escaped(entry.name)}: not started")
        yield Part("problems", block(entry.text.rstrip("\n").split("\n")))
        return
    summary = entry.summary
    yield Part("verdict", f"{_heading(summary)}\n\n{_facts(summary)}")
    for name, content in (
        ("problems", _problems(summary.problems, "✗")),
        ("expectations", _expectations(summary)),
        ("links", "\n".join(link_lines(summary.links, plain, layout=grid))),
        ("processes", "\n".join(process_lines(summary.processes, plain, layout=grid))),
        ("round trips", _latencies(summary)),
        ("faults", _faults(summary)),
        ("notes", _titled("Notes", _problems(summary.notes, "–"))),
        ("picture", _picture(summary)),
        ("logs", "\n\n".join(_details(entry))),
    ):
        if content:
            yield Part(name, content)


def _heading(summary: Summary) -> str:
    name = escaped(summary.pattern)
    if summary.verdict == "passed":
        return f"## ✓ {name}: passed in {seconds(summary.elapsed_s)}"
    how = interruption(summary) or summary.verdict
    return f"## ✗ {name}: {how} after {seconds(summary.elapsed_s)}, exit {summary.exit_code}"


def _facts(summary: Summary) -> str:
    told_times = [f"ready after {summary.ready_s:.2f} s"] if summary.ready_s is not None else ["never ready"]
    told_times += [f"worked {seconds(summary.work_s)}"] if summary.work_s else []
    told_times += [f"speed-up {summary.speedup:.1f}"] if summary.speedup else []
    facts = [
        code(summary.topology),
        f"engine {escaped(summary.engine)}",
        f"seed {summary.seed}",
        f"started {escaped(summary.started_at)}",
        f"run {code(summary.run_id)}",
        *told_times,
    ]
    return ", ".join(facts)


def _problems(problems: Sequence[ProblemSummary], mark: str) -> str:
    lines = [f"- {mark} {_placed(problem.text, problem.file, problem.line)}" for problem in problems]
    return "\n".join(_limited(lines))


def _placed(text: str, file: str | None, line: int | None) -> str:
    where = place(file, line)
    return f"{escaped(text)} {code(where)}" if where else escaped(text)


def _limited(lines: Sequence[str]) -> list[str]:
    if len(lines) <= SHOWN:
        return list(lines)
    return [*lines[:SHOWN], f"- … and {len(lines) - SHOWN:,} more"]


def _titled(title: str, content: str) -> str:
    return f"### {title}\n\n{content}" if content else ""


def _expectations(summary: Summary) -> str:
    """Those that somebody wrote, and of what must always hold that which does not."""
    lines, always = [], []
    for one in summary.expectations:
        if one.default and one.held and not unjudged(summary, one):
            always.append(f"{one.path} {one.condition}")
        else:
            lines.append(_expectation(one, summary))
    if always:
        more = f" and {len(always) - SHOWN_DEFAULTS:,} more" if len(always) > SHOWN_DEFAULTS else ""
        lines.append(f"- ✓ what must always hold: {escaped(', '.join(always[:SHOWN_DEFAULTS]))}{more}")
    return _titled("Expectations", "\n".join(_limited(lines)))


def _expectation(expectation: Expectation, summary: Summary) -> str:
    why = unjudged(summary, expectation)
    if why:
        words = escaped(f"{expectation.path} {expectation.condition}: {why}")
        return f"- – {words}"
    mark = "✓" if expectation.held else "✗"
    return f"- {mark} {_placed(told(expectation), summary.topology, expectation.line)}"


def _latencies(summary: Summary) -> str:
    told_nodes = [(node.name, node.latency) for node in summary.nodes if node.latency]
    return "\n".join(_limited([f"- {escaped(name)}: {latency_text(one)}" for name, one in told_nodes]))


def _faults(summary: Summary) -> str:
    lines = [f"- {_placed(fault_text(fault), summary.topology, fault.line)}" for fault in summary.faults]
    return _titled("Faults", "\n".join(_limited(lines)))


def _picture(summary: Summary) -> str:
    drawn = picture(summary)
    return f"```mermaid\n{drawn}```" if drawn else ""


def _details(run: Run) -> Iterator[str]:
    """What failed processes raised, and the last lines that they wrote."""
    failed = failed_processes(run.summary)
    for process in failed[:SHOWN_LOGS]:
        lines = _last_words(process, run.logs)
        if lines:
            yield details(f"{process.name}, its last lines", block(lines))
    if len(failed) > SHOWN_LOGS:
        more = plural(len(failed) - SHOWN_LOGS, "more process", "more processes")
        yield f"… and {more} failed."


def _last_words(process: ProcessSummary, logs: Mapping[str, Sequence[str]]) -> list[str]:
    item = process.failure.item if process.failure else ""
    traceback = process.failure.traceback.strip().split("\n") if process.failure else []
    written = list(logs.get(process.name, ()))
    repeats = bool(traceback) and traceback[-1] in written[-2:]
    handled = [f"was handling {item}"] if item else []
    return [*handled, *written] if repeats or not traceback else [*handled, *traceback, *written]
