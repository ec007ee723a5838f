"""The worker: takes tasks, does the work, passes the results on (the guide, chapter 1, "Divide and Conquer")."""

from __future__ import annotations

from roles.kit.calls import Function, load_function
from roles.kit.pipeline import Pull, Push, relay
from roles.kit.role import Role


class Worker(Role):
    """Does `call` for each task; by default it sleeps for as many milliseconds as the task says.

    A function that returns gives one result a task, None included; a generator function may give none or
    many.
    """

    tasks = Pull()
    results = Push()

    call: Function = load_function("roles.functions:sleep_ms", param="call")

    def run(self) -> None:
        if self.call.gives_many:
            for task in self.tasks:
                for result in self.call(task):
                    self.results.send(result)
        else:
            relay(self.tasks, self.call.function, self.results)
