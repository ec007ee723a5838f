import io

from orchestrator.observers.board import Row
from orchestrator.observers.live import Canvas


def drawn(*, colour):
    stream = io.StringIO()
    canvas = Canvas(stream, colour=colour)
    canvas.draw(
        [
            Row(name="sink-1", received=30, total=60, rate_per_s=27.0),
            Row(name="worker", replicas=50, sent=1234),
        ]
    )
    canvas.write("worker-1 | \x1b[36m[bold]word\x1b[0m")
    canvas.close()
    return stream.getvalue()


def test_rows_show_what_is_known():
    text = drawn(colour=False)
    assert "sink-1" in text
    assert "30 of 60" in text
    assert "worker ×50" in text
    assert "1,234" in text


def test_lines_are_written_as_they_are():
    assert "worker-1 | [bold]word" in drawn(colour=False)
    assert "\x1b[36m[bold]word" in drawn(colour=True)
