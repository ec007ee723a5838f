"""What a line came to, as JSON and as Markdown. Pure: values in, values out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.measure import Compare, Line, Measure, Pair, medians, ratios

Entry = Mapping[str, Any]
"""A line as it stands in `results.json`."""

BEGIN = "<!-- bench -->"
END = "<!-- /bench -->"

_HEAD = (
    "| what | ours | counterpart | ratio (smallest to largest) | goal |",
    "| --- | --- | --- | --- | --- |",
)
_MEANING = {
    Compare.RATE: "{} ×",
    Compare.TIME: "{} × as fast",
    Compare.COST: "{} ×",
    Compare.ALONE: "{}",
}
_BYTES = ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"))


def entry(line: Line, pairs: Sequence[Pair], word: str = "") -> dict[str, Any]:
    """What is kept of a line; `word` says why there are no pairs, or no more of them."""
    ours, theirs = medians(pairs)
    return {
        "name": line.name,
        "title": line.title,
        "against": line.against,
        "word": word,
        "note": line.note(ours, theirs) if pairs else "",
        "rows": [_row(measure, pairs, ours, theirs) for measure in line.measures] if pairs else [],
        "pairs": [
            {
                "ours": dict(pair.ours),
                "theirs": None if pair.theirs is None else dict(pair.theirs),
                "first": "ours" if pair.ours_first else "theirs",
            }
            for pair in pairs
        ],
    }


def _row(
    measure: Measure, pairs: Sequence[Pair], ours: Mapping[str, float], theirs: Mapping[str, float]
) -> dict[str, Any]:
    ratio = ratios(measure, pairs)
    return {
        "what": measure.what,
        "unit": measure.unit,
        "compare": measure.compare.name,
        "ours": ours[measure.key],
        "theirs": theirs.get(measure.key),
        "ratio": {"median": ratio.median, "low": ratio.low, "high": ratio.high},
        "goal": measure.goal,
        "held": measure.holds(ratio.median),
    }


def merged(old: Sequence[Entry], new: Sequence[Entry], order: Sequence[str]) -> list[Entry]:
    """The entries by name, new ones in place of old ones, in the order of the names; others are dropped."""
    by_name = {one["name"]: one for one in (*old, *new)}
    return [by_name[name] for name in order if name in by_name]


def table(entries: Sequence[Entry]) -> str:
    """The Markdown table of all lines, with notes below it."""
    lines = [*_HEAD, *(_table_row(one, row) for one in entries for row in one["rows"])]
    words: dict[str, list[str]] = {}
    for one in entries:
        if one["word"]:
            words.setdefault(one["word"], []).append(_both(one))
    notes = [f"{one['title']}: {one['note']}." for one in entries if one["note"]]
    notes += [f"{word}: {'; '.join(names)}." for word, names in words.items()]
    text = "\n".join(lines) + "\n"
    if notes:
        text += "\n" + "\n".join(f"- {_sentence(note)}" for note in notes) + "\n"
    return text


def _table_row(one: Entry, row: Mapping[str, Any]) -> str:
    title = f"{one['title']}: {row['what']}" if row["what"] else one["title"]
    if row["theirs"] is None:
        against = one["against"] or "–"
    else:
        against = f"{one['against']}, {figure(row['theirs'], row['unit'])}"
    compare = Compare[row["compare"]]
    ratio = row["ratio"]
    if compare is Compare.ALONE:
        told = f"{number(ratio['low'])} to {number(ratio['high'])}"
    else:
        median = _MEANING[compare].format(number(ratio["median"]))
        told = f"{median} ({number(ratio['low'])} to {number(ratio['high'])})"
    return f"| {title} | {figure(row['ours'], row['unit'])} | {against} | {told} | {_goal(row, compare)} |"


def _goal(row: Mapping[str, Any], compare: Compare) -> str:
    if row["goal"] is None:
        return "–"
    bound = "at least" if compare in (Compare.RATE, Compare.TIME) else "at most"
    return f"{bound} {number(row['goal'])}: {'held' if row['held'] else 'missed'}"


def figure(value: float, unit: str) -> str:
    """A value with its unit: three digits that matter, thousands apart, large bytes as kB, MB and GB."""
    for factor, name in _BYTES:
        if unit.startswith("bytes") and value >= factor:
            return f"{number(value / factor)} {name}{unit.removeprefix('bytes')}"
    return f"{number(value)} {unit}"


def number(value: float) -> str:
    """A value with three digits that matter: 447,000, 12.3, 0.91."""
    if value >= 100:
        digits = len(str(int(value)))
        return f"{round(value, 3 - digits):,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def page(results: Mapping[str, Any], picture: str) -> str:
    """The whole Markdown: machine, table, picture (a path; none if it is empty)."""
    machine, versions, pairs = results["machine"], results["versions"], results["pairs"]
    counted = f"{pairs} {'pair' if pairs == 1 else 'pairs'}"
    text = (
        f"{machine['processor']}, {machine['cores']} cores, {figure(machine['memory_bytes'], 'bytes')} of memory, "
        f"{machine['system']}; "
        + ", ".join(f"{name} {version}" for name, version in versions.items())
        + f".\n\nEach line is {counted} (fewer where there is no goal), ours and theirs in turn; "
        "what counts is the median of their ratios.\n"
    )
    text += f"\n{table(results['lines'])}"
    if picture:
        text += f"\n![How it grows]({picture})\n"
    return text


def replaced(document: str, part: str) -> str:
    """The document with the part between its two markers replaced; as it was where it has none."""
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        return document
    return f"{before}{BEGIN}\n{part.strip()}\n{END}{after}"


def _both(one: Entry) -> str:
    return f"{one['title']} against {one['against']}" if one["against"] else str(one["title"])


def _sentence(note: str) -> str:
    return note[:1].upper() + note[1:]
