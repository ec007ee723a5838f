"""A world of scripted processes: what the coordinator is tested against, in any order of events, without a process.

Pure. It plays the engine, the control channel, the slots and the sockets at once: `possible` lists what could
happen next, `happen` lets one of them happen and gives the events that the coordinator would see, `obey`
carries out a command. Whoever drives it chooses the order, and with `kill` a death at any moment.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from orchestrator.engines.scripted_process import Scripted, reading
from orchestrator.engines.scripted_wiring import Joint, Wiring
from orchestrator.run import events
from orchestrator.run.commands import Command, Keep, Launch, Publish, Reply, Signal, Tell
from orchestrator.run.plan import Plan
from orchestrator.run.requests import Answer
from roles.kit import messages
from roles.kit.slot import State
from roles.kit.spec import ProcessSpec

QUEUE = 4
"""Messages that wait for one receiver before its senders block."""

_NOT_HEARING = ("planned", "starting", "launched", "gone")
"""Before its Hello a process is not known to the control channel, and what it is told is dropped."""

_LIFTS = {"starting": "launched", "launched": "greeted", "greeted": "bound", "connecting": "ready"}
"""The steps that a process takes by itself until it works."""


class ScriptedWorld:
    """All processes of a plan. Sources send `messages_each`; times are for whoever drives it to choose.

    Who has sent to a process that leaves learns of that a while later, and what it gives it until then is lost.
    """

    def __init__(self, plan: Plan, *, messages_each: int) -> None:
        self.plan = plan
        self.processes = {
            spec.name: Scripted(spec, 0 if spec.receives and not spec.source else messages_each)
            for spec in plan.processes
        }
        self._wiring = Wiring(plan, self._node_of)
        self.published: list[events.Known] = []
        self.told: list[tuple[str, messages.Down]] = []
        self.answers: dict[str, Answer] = {}
        self._turn = 0
        self._read_s = 0.0

    def obey(self, command: Command) -> None:
        """Carry out a command of the coordinator."""
        match command:
            case Launch():
                self._launch(command)
            case Tell(process=name, message=message):
                self.told.append((name, message))
                if self.processes[name].step not in _NOT_HEARING:
                    self.processes[name].inbox.append(message)
            case Signal(process=name, signal=signal):
                self._signal(self.processes[name], signal)
            case Publish(event=event):
                self.published.append(event)
            case Keep(plan=plan):
                self.plan = plan
                for spec in plan.processes:
                    self.processes.setdefault(spec.name, Scripted(spec, 0))
                self._wiring = Wiring(plan, self._node_of)
            case Reply(answer=answer):
                self.answers[answer.ticket] = answer

    def _node_of(self, name: str) -> str:
        return self.processes[name].spec.node

    def _launch(self, command: Launch) -> None:
        name = command.process
        if command.spec is not None and name not in self.processes:
            self.processes[name] = Scripted(command.spec, 0)
        for other in self.processes.values():
            other.unaware_of.discard(name)
        if command.incarnation:
            self.processes[name].begin_again(command.incarnation)
        self.processes[name].step = "starting"

    @staticmethod
    def _signal(process: Scripted, signal: str) -> None:
        if signal in ("SIGSTOP", "SIGCONT"):
            process.stopped = signal == "SIGSTOP"
        elif process.alive:
            process.step = f"dying {signal}"

    def possible(self) -> list[tuple[str, Callable[[float], list[events.Event]]]]:
        """What could happen next: whose step it is, and a function of the time that takes it."""
        found = []
        for name, process in self.processes.items():
            step = self._next_step(process)
            if step is not None:
                found.append((name, step))
            if process.unaware_of and process.alive:
                found.append((name, self._becoming_aware(process)))
        return found

    def _becoming_aware(self, process: Scripted) -> Callable[[float], list[events.Event]]:
        """Its socket has seen somebody leave. Only then is that counted."""

        def see(_: float) -> list[events.Event]:
            process.unaware_of.remove(min(process.unaware_of))
            for port in process.held:
                process.held[port] += 1
            return []

        return see

    def kill(self, name: str, at_s: float) -> list[events.Event]:
        """End a process from outside. What is on its way to it is gone with it."""
        process = self.processes[name]
        if not process.alive:
            return []
        return self._exit(process, at_s, None, "SIGKILL")

    def hang(self, name: str) -> bool:
        """Have a process stay with the item in its hand for ever; whether it has one."""
        process = self.processes[name]
        busy = process.step == "working" and process.state is State.RUNNING
        process.hangs = busy and bool(process.in_hand)
        return process.hangs

    def stop(self, name: str, *, stopped: bool = True) -> None:
        """Somebody sends SIGSTOP, or SIGCONT."""
        self.processes[name].stopped = stopped

    def lose_coordinator(self) -> None:
        """What was told and not heard is lost, and who was being started never was."""
        for process in self.processes.values():
            process.inbox.clear()
            if process.step == "starting":
                process.step = "planned"

    def meet_coordinator(self, name: str, at_s: float) -> list[events.Event]:
        """What a new coordinator hears of a process of the run: all that it has said, or its end."""
        process = self.processes[name]
        if process.exited is not None:
            return [process.exited]
        incarnation = process.incarnation
        return [
            events.Heard(at_s=at_s, process=name, message=message, incarnation=incarnation)
            for message in process.said
        ]

    def read(self, at_s: float) -> events.Read:
        """A reading of all slots."""
        for process in self.processes.values():
            if process.state is State.RUNNING:
                process.busy_s += at_s - self._read_s
        self._read_s = at_s
        alive = {name: reading(process) for name, process in self.processes.items() if process.alive}
        stopped = frozenset(
            name for name, process in self.processes.items() if process.alive and process.stopped
        )
        awake = frozenset(name for name, _ in self.possible())
        return events.Read(at_s=at_s, readings=alive, stopped=stopped, awake=awake)

    def _next_step(self, process: Scripted) -> Callable[[float], list[events.Event]] | None:
        if process.step.startswith("dying "):
            return lambda at_s: self._exit(process, at_s, None, process.step.removeprefix("dying "))
        if process.stopped or process.hangs:
            return None
        if process.inbox:
            return lambda at_s: self._hear(process, at_s)
        if process.step == "working":
            return self._work(process)
        if process.step in _LIFTS:
            return lambda at_s: self._lift(process, at_s)
        return None

    def _lift(self, process: Scripted, at_s: float) -> list[events.Event]:
        process.step = _LIFTS[process.step]
        match process.step:
            case "greeted":
                return [self._heard(process, at_s, messages.Hello(pid=1))]
            case "bound":
                return [self._heard(process, at_s, messages.Bound(addresses=_bound(process.spec)))]
            case "ready":
                return [self._heard(process, at_s, messages.Ready())]
        name, incarnation = process.spec.name, process.incarnation
        return [events.Launched(at_s=at_s, process=name, pid=1, incarnation=incarnation)]

    def _heard(self, process: Scripted, at_s: float, message: messages.Up) -> events.Heard:
        name, incarnation = process.spec.name, process.incarnation
        if not isinstance(message, messages.Held):
            process.said.append(message)
        return events.Heard(at_s=at_s, process=name, message=message, incarnation=incarnation)

    def _hear(self, process: Scripted, at_s: float) -> list[events.Event]:
        match process.inbox.pop(0):
            case messages.Connect() if process.step == "bound":
                process.step = "connecting"
            case messages.Go() if process.step != "finished":
                process.step = "working"
            case messages.Hold(port=port, number=number):
                gone = process.held.setdefault(port, 0)
                return [self._heard(process, at_s, messages.Held(port=port, number=number, gone=gone))]
            case messages.Release(port=port):
                process.held.pop(port, None)
            case messages.End(port=port):
                process.ended.add(port)
            case messages.Finish():
                process.finishing = True
                if process.step in ("greeted", "bound", "connecting", "ready"):
                    return self._finish(process, at_s)
            case messages.Stop():
                return self._exit(process, at_s, 0, None)
        return []

    def _work(self, process: Scripted) -> Callable[[float], list[events.Event]] | None:
        """One item further, or None where it can only wait."""
        if process.in_hand:
            return lambda _: self._handle(process)
        taken = next((port for port, waiting in process.waiting.items() if waiting), None)
        if taken is not None and not (process.finishing and not process.awaits_reply):
            return lambda _: self._take(process, taken)
        if process.left_to_send and not process.finishing and not process.awaits_reply:
            return lambda _: self._begin(process)
        if (
            not process.awaits_reply
            and (process.finishing or not process.left_to_send)
            and self._is_done(process)
        ):
            return lambda at_s: self._finish(process, at_s)
        if process.awaits_reply and self._wiring.inlets(process.spec.node) <= process.ended:
            return lambda at_s: self._finish(process, at_s)
        process.state, process.port = State.RECEIVING, min(self._wiring.inlets(process.spec.node), default="")
        return None

    def _is_done(self, process: Scripted) -> bool:
        asks = any(port.kind == "REQ" for port in process.spec.ports)
        return process.finishing or asks or self._wiring.inlets(process.spec.node) <= process.ended

    def _take(self, process: Scripted, port: str) -> list[events.Event]:
        process.state = State.RUNNING
        process.waiting[port] -= 1
        process.in_hand = port
        return []

    def _handle(self, process: Scripted) -> list[events.Event]:
        """Pass on what is in hand; a full queue makes the sender wait with it."""
        outlets = [
            book for book in self._wiring.outlets(process.spec.node) if not _is_reply_of_ours(process, book)
        ]
        if self._is_held(process, outlets):
            process.state = State.SENDING
            return []
        if (
            not process.awaits_reply
            and not process.finishing
            and not all(self._send(process, book) for book in outlets)
        ):
            return []
        port, process.in_hand = process.in_hand, ""
        process.received[port] = process.received.get(port, 0) + 1
        process.awaits_reply = False
        process.state = State.RUNNING
        return []

    def _begin(self, process: Scripted) -> list[events.Event]:
        books = [book for book in self._wiring.outlets(process.spec.node) if not book.replies]
        if not self._is_held(process, books) and all(self._room(book) for book in books):
            for book in books:
                self._send(process, book)
            process.left_to_send -= 1
            process.awaits_reply = any(port.kind == "REQ" for port in process.spec.ports)
            process.state = State.RUNNING
        else:
            process.state, process.port = State.SENDING, process.spec.ports[0].name
        return []

    def _is_held(self, process: Scripted, books: Iterable[Joint]) -> bool:
        held = process.held.keys()
        return bool(held) and any(
            node == process.spec.node and port in held for book in books for node, port in book.senders
        )

    def _send(self, process: Scripted, book: Joint) -> bool:
        targets = self._room(book)
        takers = {node for node, _ in book.receivers}
        unaware = sorted(name for name in process.unaware_of if self._node_of(name) in takers)
        if book.replies:
            asker = process.askers.pop(0)
            targets = [target for target in targets if target[0] == asker]
        own = next(port for node, port in book.senders if node == process.spec.node)
        if not targets and not book.replies:
            process.state, process.port = State.SENDING, own
            return False
        process.sent[own] = process.sent.get(own, 0) + 1
        if targets:
            self._turn += 1
            if unaware and not book.replies and self._turn % 2:
                return True  # into the pipe of one who is not there any more
            name, port = targets[self._turn % len(targets)]
            receiver = self.processes[name]
            receiver.waiting[port] = receiver.waiting.get(port, 0) + 1
            receiver.askers.append(process.spec.name)
        return True

    def _room(self, book: Joint) -> list[tuple[str, str]]:
        return [
            (name, port)
            for name, other in self.processes.items()
            if other.step == "working"
            for node, port in book.receivers
            if other.spec.node == node and other.waiting.get(port, 0) < QUEUE
        ]

    def _finish(self, process: Scripted, at_s: float) -> list[events.Event]:
        process.step, process.state, process.port = "finished", State.FINISHED, ""
        name = process.spec.name
        for book in self._wiring.joints:
            if name in book.receiving and not book.replies:
                for sender in book.sending:
                    if self.processes[sender].alive:
                        self.processes[sender].unaware_of.add(name)
        return [self._heard(process, at_s, messages.Finished())]

    def _exit(
        self, process: Scripted, at_s: float, exit_code: int | None, signal: str | None
    ) -> list[events.Event]:
        process.step = "gone"
        process.inbox.clear()
        process.exited = events.Exited(
            at_s=at_s,
            process=process.spec.name,
            exit_code=exit_code,
            signal=signal,
            reading=reading(process),
            incarnation=process.incarnation,
        )
        return [process.exited]


def _bound(spec: ProcessSpec) -> dict[str, str]:
    return {
        one.endpoint: f"{one.address}#{spec.name}"
        for port in spec.ports
        for one in port.attachments
        if one.mode == "bind"
    }


def _is_reply_of_ours(process: Scripted, book: Joint) -> bool:
    """A client that has a reply in hand sends nothing on account of it."""
    return not book.replies and any(port.kind == "REQ" for port in process.spec.ports)
