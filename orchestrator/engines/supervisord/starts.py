"""How processes are started under supervisord: what each is to do is left for it, then one call starts them all."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from orchestrator.engines.base import EngineError
from orchestrator.engines.supervisord.config import Configuration, grouped
from orchestrator.engines.supervisord.files import write_configuration
from orchestrator.engines.supervisord.log import DaemonLog
from orchestrator.engines.supervisord.rpc import ALREADY_STARTED, SHUTDOWN_STATE, Fault, Rpc
from roles.kit import errand
from roles.kit.spec import Place, ProcessSpec

_HINTS = {
    "too many open files": " (the limit of open files is reached: ulimit -n)",
    "Too many processes": " (the machine's limit of processes is reached: ulimit -u)",
}


class Starts:
    """Starts processes under one supervisord, whose `configuration` it keeps."""

    def __init__(
        self, *, place: Place, configuration: Configuration, parent: int, rpc: Rpc, log: DaemonLog
    ) -> None:
        self._place = place
        self._directory = Path(place.sockets)
        self._configuration = configuration
        self._parent = parent
        self._rpc = rpc
        self._log = log
        self.names = configuration.names

    def start(self, batch: Sequence[tuple[ProcessSpec, int]]) -> list[int | str]:
        """Start processes, each with its incarnation; for each its number, or why it could not be started."""
        self._make_known([spec for spec, _ in batch])
        outcomes: dict[str, int | str] = {}
        for spec, incarnation in batch:
            try:
                errand.leave(self._directory, self._errand(spec, incarnation))
            except OSError as error:
                outcomes[spec.name] = f"cannot write into {self._directory}: {error.strerror}"
        asked = [spec.name for spec, _ in batch if spec.name not in outcomes]
        self._log.read()
        answers = self._rpc.multicall(("supervisor.startProcess", self.names[name], False) for name in asked)
        started = self._log.read()
        for name, answer in zip(asked, answers, strict=True):
            outcomes[name] = started.get(name) or self._number_or_reason(name, answer)
            if isinstance(outcomes[name], str):
                errand.withdraw(self._directory, name)
        return [outcomes[spec.name] for spec, _ in batch]

    def alive(self) -> dict[str, int]:
        """The numbers of the run's processes that supervisord holds to be alive."""
        try:
            found: list[dict[str, Any]] = self._rpc.call("supervisor.getAllProcessInfo")
        except Fault as fault:
            raise EngineError(
                f"cannot ask supervisord who runs: {fault.faultString} (start it anew)"
            ) from None
        return {info["name"]: info["pid"] for info in found if info["pid"] and info["name"] in self.names}

    def tell_configuration(self) -> None:
        """Have supervisord know all that is configured. What it knows already goes on undisturbed."""
        write_configuration(self._directory, self._configuration)
        try:
            [[added, _, _]] = self._rpc.call("supervisor.reloadConfig")
            answers = self._rpc.multicall(("supervisor.addProcessGroup", name) for name in added)
        except Fault as fault:
            answers, added = [fault], ["more processes"]
        for name, answer in zip(added, answers, strict=True):
            if isinstance(answer, Fault):
                raise EngineError(f"cannot tell supervisord of {name}: {answer.faultString}")
        self.names = self._configuration.names

    def _make_known(self, specs: Sequence[ProcessSpec]) -> None:
        unknown = [spec for spec in specs if spec.name not in self.names]
        if unknown:
            groups = self._configuration.groups
            more = (*groups, *grouped(unknown, known=groups))
            self._configuration = msgspec.structs.replace(self._configuration, groups=more)
            self.tell_configuration()

    def _errand(self, spec: ProcessSpec, incarnation: int) -> errand.Errand:
        return errand.Errand(process=spec, place=self._place, incarnation=incarnation, parent=self._parent)

    def _number_or_reason(self, name: str, answer: object) -> int | str:
        """Of one that was not seen to be started by the call."""
        code = answer.faultCode if isinstance(answer, Fault) else None
        if code == SHUTDOWN_STATE:
            return "supervisord is about to leave (somebody has told it to)"
        try:
            info = self._rpc.call("supervisor.getProcessInfo", self.names[name])
        except Fault:
            info = {}
        # One that is there already, somebody else has started. It waits for what it is to do, and has it by now.
        if code in (None, ALREADY_STARTED) and info.get("pid"):
            return int(info["pid"])
        said = info.get("spawnerr") or (answer.faultString if isinstance(answer, Fault) else "nothing")
        return f"supervisord says: {said}" + next((hint for key, hint in _HINTS.items() if key in said), "")
