"""The verbs `scale` and `restart`: changes that a run is asked for while it goes on."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from orchestrator.run.live import Live, is_alive
from orchestrator.run.planfile import kept_plan
from orchestrator.run.reception import Asker, AskError, reception_address, ticket
from orchestrator.run.requests import Answer, Request, Restart, Scale
from orchestrator.run.scaling import scaled
from orchestrator.run.targets import to_restart
from orchestrator.terminal import Terminal
from orchestrator.topology.durations import in_words
from orchestrator.verbs.codes import worst
from orchestrator.verbs.fault import CommandError, fault
from orchestrator.verbs.finding import Wanted, find_one

INTERRUPTED = 130
_LOOK_EVERY_S = 2.0
"""Who waits for an answer makes sure so often that there is somebody to give one."""


def scale(wanted: Wanted, numbers: Iterable[tuple[str, int]], *, timeout_s: float, terminal: Terminal) -> int:
    """Have nodes run as so many processes, one node after another; 0 where all came about, else 1.

    Raises CommandError where one cannot be, before any is asked for, and where no answer comes in time.
    """
    requests = [Scale(ticket=ticket(), node=node, replicas=number) for node, number in numbers]
    nodes = [request.node for request in requests]
    for node in nodes:
        if nodes.count(node) > 1:
            text = f"cannot scale '{node}' to several numbers at once"
            raise fault(text, code="twice", file=wanted.name, hint="name each node once")
    return _change(wanted, requests, timeout_s=timeout_s, terminal=terminal)


def restart(wanted: Wanted, names: Iterable[str], *, timeout_s: float, terminal: Terminal) -> int:
    """Have processes, or all of a node, started again, one name after another; 0 where all came about, else 1.

    Raises CommandError where one cannot be, before any is asked for, and where no answer comes in time.
    """
    requests = [Restart(ticket=ticket(), target=name) for name in names]
    return _change(wanted, requests, timeout_s=timeout_s, terminal=terminal)


def _change(wanted: Wanted, requests: Sequence[Request], *, timeout_s: float, terminal: Terminal) -> int:
    live = find_one(wanted)
    _check(requests, live, wanted)
    patience = _Patience(wanted=wanted, live=live, timeout_s=timeout_s, until_s=time.monotonic() + timeout_s)
    codes = []
    with (
        if_interrupted("interrupted; what was asked for goes on (orchestrator ps shows how it is)"),
        Asker(reception_address(live.sockets)) as asker,
    ):
        for request in requests:
            answer = patience.answer(asker, request)
            if answer.done:
                terminal.answer(f"{answer.text}\n")
            else:
                terminal.tell(f"{fault(answer.text, code='refused', file=wanted.name).text}\n")
            codes.append(0 if answer.done else 1)
    return worst(codes)


def _check(requests: Sequence[Request], live: Live, wanted: Wanted) -> None:
    """By the plan as it stands; whoever carries it out looks again, at the plan as it is then."""
    try:
        plan = kept_plan(Path(live.run_dir))
    except (OSError, ValueError):
        return
    try:
        for request in requests:
            match request:
                case Scale(node=node, replicas=replicas):
                    plan = scaled(plan, node, replicas)
                case Restart(target=target):
                    to_restart(plan, target)
                case _:
                    pass
    except ValueError as error:
        raise fault(str(error), code="refused", file=wanted.name) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class _Patience:
    """Waits for answers until `until_s`, as long as the run goes on."""

    wanted: Wanted
    live: Live
    timeout_s: float
    until_s: float

    def answer(self, asker: Asker, request: Request) -> Answer:
        """The answer to a request; raises CommandError where it does not come."""
        while True:
            left_s = max(0.0, self.until_s - time.monotonic())
            try:
                return asker.ask(request, within_s=min(left_s, _LOOK_EVERY_S))
            except AskError:
                if not is_alive(self.live):
                    raise self._fault("the run has come to its end", hint="", code="not-running") from None
                if left_s <= _LOOK_EVERY_S:
                    hint = (
                        "the change may still go on; orchestrator ps shows how it is, --timeout waits longer"
                    )
                    why = f"no answer within {in_words(self.timeout_s)}"
                    raise self._fault(why, hint=hint, code="no-answer") from None

    def _fault(self, why: str, *, hint: str, code: str) -> CommandError:
        text = f"cannot change {self.live.pattern}: {why}"
        return fault(text, code=code, file=self.wanted.name, hint=hint, exit_code=1)


@contextmanager
def if_interrupted(text: str) -> Iterator[None]:
    """Where Ctrl-C comes meanwhile, this is what the user is told; exit code 130."""
    try:
        yield
    except KeyboardInterrupt:
        raise CommandError(text, exit_code=INTERRUPTED) from None
