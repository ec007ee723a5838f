"""The ventilator: sends out the tasks of a batch (the guide, chapter 1, "Divide and Conquer")."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from roles.kit.calls import Function
from roles.kit.pipeline import BATCH_SIGNAL, Push
from roles.kit.source import Source


class Ventilator(Source):
    """Sends each task to a worker in turn.

    With `workload_ms` each of `count` tasks is a number of milliseconds between the two. Where `start` is
    connected, the sink gets the guide's batch signal before the first task.
    """

    tasks = Push()
    start = Push(optional=True)

    call: Function | None = None
    workload_ms: tuple[int, int] | None = None
    rate: float | None = None

    def run(self) -> None:
        begun = self._note("batch")
        if self.start.connected and self.spec.replica == 1 and not begun.exists():
            self.start.send(BATCH_SIGNAL)
            begun.touch()  # a sink takes a second one for a result
        self.tasks.send_all(self.paced(self.items(), self.rate))

    def everything(self) -> Iterable[object]:
        """All tasks of the batch, those of the other replicas included."""
        if self.call is not None:
            tasks: Iterable[object] = self.call()
            return tasks
        if self.workload_ms is not None:
            return self._workloads(*self.workload_ms)
        return super().everything()

    def _workloads(self, low_ms: int, high_ms: int) -> Iterator[int]:
        total_ms = 0
        for _ in range(self.count or 0):
            task_ms = self.random.randint(low_ms, high_ms)
            total_ms += task_ms
            yield task_ms
        if self.spec.replica == 1:
            print(f"{self.count} tasks, {total_ms} ms of work")
            self.result = {"tasks": self.count, "work_ms": total_ms}
