"""Charts: where ticks are, and that what is drawn is whole."""

from xml.etree import ElementTree as ET

import pytest

from benchmarks.chart import Panel, Series, decades, even_ticks, short, svg
from benchmarks.growth import picture

SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize(
    ("high", "ticks"),
    [
        (38, [0, 10, 20, 30, 40]),
        (1.4, [0, 0.5, 1, 1.5]),
        (100, [0, 25, 50, 75, 100]),
        (7, [0, 2, 4, 6, 8]),
        (0, [0, 1]),
    ],
)
def test_even_ticks_begin_at_zero_and_reach_the_highest(high, ticks):
    assert even_ticks(high) == pytest.approx(ticks)


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [(2, 50, [1, 10, 100]), (1, 100, [1, 10, 100]), (0.4, 3, [0.1, 1, 10]), (10, 10, [10, 100])],
)
def test_decades_enclose_all(low, high, ticks):
    assert decades(low, high) == pytest.approx(ticks)


@pytest.mark.parametrize(
    ("value", "told"), [(0, "0"), (0.5, "0.5"), (20, "20"), (1000, "1 k"), (1_500_000, "1.5 M"), (5e9, "5 G")]
)
def test_axes_have_short_numbers(value, told):
    assert short(value) == told


def test_a_point_stands_where_its_values_say():
    series = Series(name="a < b", points=((1, 0), (10, 50), (100, 100)))
    root = ET.fromstring(svg([Panel(title="t", x_label="x", y_label="y", series=(series,))]))  # noqa: S314
    dots = [dot for dot in root.iter(f"{SVG}circle") if dot.find(f"{SVG}title") is not None]
    xs, ys = [float(dot.get("cx")) for dot in dots], [float(dot.get("cy")) for dot in dots]
    assert xs[1] - xs[0] == pytest.approx(xs[2] - xs[1], abs=0.2)  # each ten times as far
    assert ys[0] - ys[1] == pytest.approx(ys[1] - ys[2], abs=0.2)
    assert ys[2] < ys[0]  # up is less
    assert dots[2].find(f"{SVG}title").text == "a < b: 100 at 100"


def test_the_picture_has_a_panel_for_each_curve_that_was_measured():
    grown = {
        "tasks": [[1, 1000.0], [2, 2000.0]],
        "tasks_plain": [[1, 900.0], [2, 1900.0]],
        "launch": [[10, 0.5], [100, 3.0]],
    }
    root = ET.fromstring(picture(grown))  # noqa: S314
    titles = [text.text for text in root.iter(f"{SVG}text") if text.get("font-weight") == "600"]
    assert titles == ["Pipeline of tiny tasks", "Launched, answered, stopped"]
    assert len(list(root.iter(f"{SVG}title"))) == 6
