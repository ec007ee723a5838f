"""Small charts side by side, as one SVG. Pure: values in, text out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

_WIDTH, _HEIGHT = 440, 250
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 24, 58, 44
_COLOURS = ("#0b6e99", "#d9730d", "#6a8e3f", "#8a4f9e")
"""Apart for eyes that do not tell red from green, and in grey."""
_INK, _FAINT, _GRID, _PAPER = "#2b2b2b", "#6b6b6b", "#e4e4e4", "#ffffff"
_FONTS = "system-ui, -apple-system, Segoe UI, Helvetica, Arial, sans-serif"
_TICKS = 4
_PREFIXES = ((1e9, "G"), (1e6, "M"), (1e3, "k"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One curve: its points by x."""

    name: str
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One chart. Its x axis is logarithmic; its y axis begins at zero, or is logarithmic, too."""

    title: str
    x_label: str
    y_label: str
    series: tuple[Series, ...]
    log_y: bool = False


def svg(panels: Sequence[Panel], *, columns: int = 2) -> str:
    """All panels, in rows."""
    rows = math.ceil(len(panels) / columns)
    width, height = columns * _WIDTH, rows * _HEIGHT
    size = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="{_FONTS}" font-size="11">',
        f'<rect width="{width}" height="{height}" fill="{_PAPER}"/>',
    ]
    for number, panel in enumerate(panels):
        row, column = divmod(number, columns)
        parts.append(f'<g transform="translate({column * _WIDTH} {row * _HEIGHT})">')
        parts += _panel(panel)
        parts.append("</g>")
    return "\n".join([*parts, "</svg>"]) + "\n"


def _panel(panel: Panel) -> list[str]:
    xs = sorted({x for one in panel.series for x, _ in one.points})
    ys = [y for one in panel.series for _, y in one.points]
    ticks = decades(min(ys), max(ys)) if panel.log_y else even_ticks(max(ys))
    x_at = _scale(xs[0], xs[-1], _LEFT + 8, _WIDTH - _RIGHT, log=True)
    y_at = _scale(ticks[0], ticks[-1], _HEIGHT - _BOTTOM, _TOP, log=panel.log_y)
    bottom = _HEIGHT - _BOTTOM
    parts = [_text(_LEFT - 46, 22, panel.title, size=14, weight=600)]
    for tick in ticks:
        y = y_at(tick)
        parts.append(f'<path d="M{_LEFT} {y:.1f}H{_WIDTH - _RIGHT + 8}" stroke="{_GRID}"/>')
        parts.append(_text(_LEFT - 7, y + 4, short(tick), anchor="end", fill=_FAINT))
    for x in xs:
        parts.append(f'<path d="M{x_at(x):.1f} {bottom}v4" stroke="{_FAINT}"/>')
        parts.append(_text(x_at(x), bottom + 17, short(x), anchor="middle", fill=_FAINT))
    parts.append(f'<path d="M{_LEFT} {bottom}H{_WIDTH - _RIGHT + 8}" stroke="{_FAINT}"/>')
    parts.append(
        _text((_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT - 10, panel.x_label, anchor="middle", fill=_FAINT)
    )
    parts += _legend(panel)
    for number, one in enumerate(panel.series):
        parts += _curve(one, _COLOURS[number % len(_COLOURS)], x_at, y_at)
    return parts


def _legend(panel: Panel) -> list[str]:
    parts = [_text(_LEFT - 46, 42, panel.y_label, fill=_FAINT)]
    x = _WIDTH - _RIGHT + 8.0
    for number, one in reversed(list(enumerate(panel.series))):
        parts.append(_text(x, 42, one.name, anchor="end"))
        x -= 6.2 * len(one.name) + 8
        parts.append(f'<circle cx="{x:.1f}" cy="38" r="4" fill="{_COLOURS[number % len(_COLOURS)]}"/>')
        x -= 14
    return parts


def _curve(one: Series, colour: str, x_at: _Scale, y_at: _Scale) -> list[str]:
    places = [(x_at(x), y_at(y)) for x, y in sorted(one.points)]
    line = "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
    parts = [f'<path d="M{line}" fill="none" stroke="{colour}" stroke-width="2" stroke-linejoin="round"/>']
    for (x, y), (at, value) in zip(places, sorted(one.points), strict=True):
        told = escape(f"{one.name}: {short(value)} at {short(at)}")
        parts.append(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}" stroke="{_PAPER}">'
            f"<title>{told}</title></circle>"
        )
    return parts


class _Scale:
    """From a value to a place."""

    def __init__(self, low: float, high: float, start: float, end: float, *, log: bool) -> None:
        self._map = math.log10 if log else float
        self._low = self._map(low)
        self._span = self._map(high) - self._low or 1.0
        self._start, self._length = start, end - start

    def __call__(self, value: float) -> float:
        return self._start + (self._map(value) - self._low) / self._span * self._length


def _scale(low: float, high: float, start: float, end: float, *, log: bool) -> _Scale:
    return _Scale(low, high, start, end, log=log)


def even_ticks(high: float) -> list[float]:
    """From zero to at least `high`, in steps of 1, 2, 2.5 or 5 times a power of ten."""
    if high <= 0:
        return [0.0, 1.0]
    rough = high / _TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough * 0.999)
    return [number * step for number in range(math.ceil(high / step * 0.999) + 1)]


def decades(low: float, high: float) -> list[float]:
    """The powers of ten from at most `low` to at least `high`; both are above zero."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    return [10.0**power for power in range(first, max(last, first + 1) + 1)]


def short(value: float) -> str:
    """A value as an axis has it: 250 k, 1.5 M, 20, 0.5."""
    for factor, prefix in _PREFIXES:
        if value >= factor:
            return f"{value / factor:.3g} {prefix}"
    return f"{value:.3g}"


def _text(
    x: float,
    y: float,
    text: str,
    *,
    anchor: str = "start",
    fill: str = _INK,
    size: int = 11,
    weight: int = 400,
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{fill}" font-size="{size}" '
        f'font-weight="{weight}">{escape(text)}</text>'
    )
