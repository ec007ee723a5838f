"""Where requests from other terminals are taken, and answered at once or passed on."""

from __future__ import annotations

from collections.abc import Callable

from orchestrator.run.changing import Changes
from orchestrator.run.commands import Reply
from orchestrator.run.crew import Crew
from orchestrator.run.requests import Answer, Down, Known, Look
from orchestrator.run.states import state_of


class Desk:
    """Answers what needs no time; `changes` carries out the rest, and `go_down` brings the run to its end."""

    def __init__(self, crew: Crew, changes: Changes, go_down: Callable[[bool], None]) -> None:
        self._crew = crew
        self._changes = changes
        self._go_down = go_down

    def take(self, request: Known, phase: str) -> None:
        """Do what is asked for in this phase of the run, or answer why not."""
        match request:
            case Look():
                now_s = self._crew.now_s
                states = tuple(state_of(member, now_s=now_s) for member in self._crew.members.values())
                self._reply(
                    Answer(ticket=request.ticket, done=True, at_s=now_s, phase=phase, processes=states)
                )
            case Down():
                self._answer(request, "going down", done=True)
                self._go_down(request.at_once)
            case _ if phase == "working":
                self._changes.take(request)
            case _:
                early = phase == "starting"
                why = "has not begun yet (ask again when it has)" if early else "is coming to its end"
                self._answer(request, f"cannot change the run: it {why}", done=False)

    def _answer(self, request: Known, text: str, *, done: bool) -> None:
        self._reply(Answer(ticket=request.ticket, done=done, text=text, at_s=self._crew.now_s))

    def _reply(self, answer: Answer) -> None:
        self._crew.order(Reply(answer))
