"""Summary -> the report that ends a run: what happened, then reasons, then the next step. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from orchestrator.cells import Style, plain, plural, printable, seconds
from orchestrator.outcome.entries import failed_processes
from orchestrator.outcome.remarks import problem_lines, remark_lines
from orchestrator.outcome.tables import link_lines, process_lines
from orchestrator.outcome.values import ProcessSummary, Summary, total_received

SHOWN_RESULTS = 10
SHOWN_LOGS = 5
_WORTHWHILE = 0.7
"""The least speed-up a worker with which more workers are worth a try."""

_MOST_REPLICAS = 16


def report_text(
    summary: Summary,
    *,
    logs: Mapping[str, Sequence[str]],
    place: str,
    style: Style = plain,
    several: bool = False,
) -> str:
    """The whole report, with a newline at its end.

    `logs` holds the last log lines of processes by name; those of failed ones are shown. `place` is the run's
    directory as the reader is to be told it. `several` says that other patterns
    run too: the verdict then names its pattern, and no next step is told.
    """
    tail = [_verdict(summary, style), *_last(summary, place, hint=not several)]
    if several:
        tail[0] = f"{summary.pattern}: {tail[0]}"
    if summary.verdict != "passed":
        tail = [" ".join(tail)]
    rest = [
        *_results(summary.processes, style),
        *remark_lines(summary, style),
        *problem_lines(summary, style),
        *_details(summary, logs, style),
        *tail,
    ]
    blocks = [process_lines(summary.processes, style), link_lines(summary.links, style), rest]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def _results(processes: Iterable[ProcessSummary], style: Style) -> list[str]:
    told = [process for process in processes if process.result]
    lines = [f"{style('bold', process.name)}  {_result(process.result)}" for process in told[:SHOWN_RESULTS]]
    if len(told) > SHOWN_RESULTS:
        lines.append(f"… and {plural(len(told) - SHOWN_RESULTS, 'more result')} in summary.json")
    return lines


def _result(result: Mapping[str, object]) -> str:
    return printable(", ".join(f"{key}: {_value(value)}" for key, value in result.items()))


def _value(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.4g}" if abs(value) < 10_000 else f"{value:,.0f}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    text = str(value)
    return text if len(text) <= 200 else text[:199] + "…"


def _details(summary: Summary, logs: Mapping[str, Sequence[str]], style: Style) -> list[str]:
    """What failed processes were at, their tracebacks, and the last lines that they wrote."""
    failed = failed_processes(summary)
    lines: list[str] = []
    for process in failed[:SHOWN_LOGS]:
        log = [printable(line) for line in logs.get(process.name, ())]
        lines += [f"  {line}" for line in _detail(process, log, style)]
    if len(failed) > SHOWN_LOGS:
        lines.append(f"  … and {plural(len(failed) - SHOWN_LOGS, 'more process', 'more processes')} failed.")
    return lines


def _detail(process: ProcessSummary, log: Sequence[str], style: Style) -> list[str]:
    lines = []
    name = style("bold", process.name)
    traceback = process.failure.traceback.strip().splitlines() if process.failure else []
    if process.failure and process.failure.item:
        lines.append(f"{name} was handling {printable(process.failure.item)}")
    if traceback:
        lines.append(f"{name} raised:")
        lines += [f"  {printable(line)}" for line in traceback]
    last_words = traceback[-1] if traceback else process.failure.text if process.failure else ""
    # The role's log ends with the same traceback, and perhaps with the item.
    repeats = bool(last_words) and printable(last_words) in log[-2:]
    if log and not repeats:
        lines.append(f"{name}, last lines of its log:")
        lines += [f"  {line}" for line in log]
    return lines


def _verdict(summary: Summary, style: Style) -> str:
    if summary.verdict == "passed":
        return style("good", f"PASSED in {seconds(summary.elapsed_s)}") + _achieved(summary)
    if summary.verdict == "interrupted":
        signal = "SIGTERM" if summary.exit_code == 143 else "SIGINT"
        words = f"INTERRUPTED by {signal} after {seconds(summary.elapsed_s)}, exit {summary.exit_code}."
        return style("warn", words)
    return style("bad", f"FAILED, exit {summary.exit_code}.")


def _achieved(summary: Summary) -> str:
    work_s = summary.work_s
    if not work_s:
        return ""
    busy_s = (summary.speedup or 0.0) * work_s
    if busy_s >= 0.05:
        return f": {seconds(busy_s)} of work in {seconds(work_s)}, speed-up {summary.speedup:.1f}"
    received = sum(total_received(process) or 0 for process in summary.processes)
    return f": {plural(received, 'message')} received in {seconds(work_s)}" if received else ""


def _last(summary: Summary, place: str, *, hint: bool) -> list[str]:
    if summary.verdict == "passed":
        following = _next(summary) if hint else ""
        return [f"Next: {following} Report: {place}" if following else f"Report: {place}"]
    culprit = _culprit(summary)
    return [f"Log: {place}/logs/{culprit}.log" if culprit else f"Report: {place}"]


def _culprit(summary: Summary) -> str:
    """The process whose log is to be read first: the first failed one that a problem names."""
    failed = [process.name for process in failed_processes(summary)]
    named = [problem.process for problem in summary.problems if problem.process in failed]
    return next((name for name in [*named, *failed] if name), "")


def _next(summary: Summary) -> str:
    """What to change to see something of it: more workers, where those that there are were of use."""
    nodes: dict[str, list[ProcessSummary]] = {}
    for process in summary.processes:
        if process.role == "worker":
            nodes.setdefault(process.node, []).append(process)
    replicated = [group for group in nodes.values() if 1 < len(group) <= _MOST_REPLICAS]
    workers = sum(len(group) for group in nodes.values())
    if not replicated or (summary.speedup or 0.0) < _WORTHWHILE * workers:
        return ""
    busiest = max(replicated, key=lambda group: sum(process.busy_s or 0.0 for process in group))
    return f"set {busiest[0].node} replicas to {_more(len(busiest))} in {summary.topology}."


def _more(replicas: int) -> int:
    return 1 << (2 * replicas - 1).bit_length()
