"""A run that is held: at its start and before its end, until whoever has started it lets it go on."""

from __future__ import annotations

from chaos.harness import Project

GATE = """
    from roles.kit import Role


    class Gate(Role):
        '''Holds the start of a run until the file `start` lies beside the topology, and its end until `end` does.'''

        def setup(self):
            self.until("start")

        def run(self):
            self.until("end")

        def until(self, name):
            while not (self.folder / name).exists():
                self.pause(0.005)
"""

EFFECTS = """
    import os
    import time

    _trace = None


    def note(item):
        '''Leave a line in a file of this process's own, at once.'''
        global _trace
        if _trace is None:
            _trace = os.open(f"effects/{os.getpid()}", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.write(_trace, f"{str(item)[:20]}\\n".encode())
        return item


    def slowly(item, seconds=0.0005):
        time.sleep(seconds)
        return note(item)
"""


def furnish(project: Project) -> None:
    """Put the gate and the functions beside the topology."""
    project.write("gate.py", GATE)
    project.write("effects.py", EFFECTS)
    (project.folder / "effects").mkdir()


def open_gate(project: Project, *names: str) -> None:
    """Let the run through the gate: its `start`, its `end`."""
    for name in names:
        (project.folder / name).touch()
