"""A run that goes on, as other terminals find it, and answers as it is told: no processes, one thread."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

import msgspec
import zmq

from orchestrator.run.live import PREFIX, SUPERVISOR_SOCKET, Live, announce, base, withdraw
from orchestrator.run.reception import Reception, reception_address
from orchestrator.run.requests import Answer, Known

Script = Callable[[Known], Answer | None]
"""What a request is answered with; None is silence."""


class FakeRun:
    """Found by its record from the moment it is made. Use it as a context manager; `asked` are the requests so far.

    A service listens where supervisord would, too. `heard` is set when the first request has come. One that has been
    answered is answered the same when it comes again, as a run does.
    """

    def __init__(
        self,
        file: Path,
        run_dir: Path,
        script: Script,
        *,
        pattern: str = "p",
        run_id: str = "20260101-000000-abcdef",
        service: bool = False,
        pid: int | None = None,
    ) -> None:
        self.asked: list[Known] = []
        self.heard = threading.Event()
        self.sockets = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getuid()}-", dir=base()))
        run_dir.mkdir(parents=True, exist_ok=True)
        self.live = Live(
            run_id=run_id,
            file=str(file),
            pattern=pattern,
            engine="supervisor" if service else "local",
            pid=pid or os.getpid(),
            sockets=str(self.sockets),
            run_dir=str(run_dir.resolve()),
            service=service,
        )
        self._script = script
        self._stop = threading.Event()
        self._bound = threading.Event()
        self._daemon = socket.socket(socket.AF_UNIX)
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> FakeRun:
        if self.live.service:
            self._daemon.bind(str(self.sockets / SUPERVISOR_SOCKET))
            self._daemon.listen()
        self._thread.start()
        assert self._bound.wait(60)
        announce(self.live)
        return self

    def __exit__(self, *exception: object) -> None:
        withdraw(self.live)
        self.leave()
        shutil.rmtree(self.sockets, ignore_errors=True)

    def leave(self) -> None:
        """Listen no more, as one that was killed: the record stays."""
        self._stop.set()
        self._thread.join(60)
        self._daemon.close()

    def _serve(self) -> None:
        with zmq.Context() as context:
            reception = Reception(context, reception_address(self.sockets))
            self._bound.set()
            answers: dict[str, Answer] = {}
            while not self._stop.is_set():
                reception.socket.poll(10)
                for request in reception.hear():
                    if request.ticket not in {one.ticket for one in self.asked}:
                        self.asked.append(request)
                    self.heard.set()
                    answer = answers.get(request.ticket) or self._script(request)
                    if answer is not None:
                        answers[request.ticket] = answer
                        reception.reply(msgspec.structs.replace(answer, ticket=request.ticket))
            reception.socket.close(linger=200)


def silent(request: Known) -> None:
    """The script of a run whose coordinator is away."""
