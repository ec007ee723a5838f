"""Calls to supervisord over its socket, each within a time: XML-RPC, one connection that stays open."""

from __future__ import annotations

import http.client
import socket
import xmlrpc.client
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from xml.parsers.expat import ExpatError

from orchestrator.engines.base import EngineError

SHUTDOWN_STATE, BAD_NAME, SPAWN_ERROR, ALREADY_STARTED = 6, 10, 50, 60
"""Codes of faults, as supervisor's documentation has them."""

ANSWERS_WITHIN_S = 30.0
"""On a machine with too much to do, one that starts hundreds is the last to have its turn."""

Fault = xmlrpc.client.Fault


class UnreachableError(EngineError):
    """There is nobody at the socket."""


class Rpc:
    """A supervisord by its socket.

    Raises UnreachableError where nobody is there, EngineError where it does not answer in time or makes no sense, and
    `Fault` where it says no.
    """

    def __init__(self, path: Path, *, timeout_s: float = ANSWERS_WITHIN_S) -> None:
        self._path = path
        self._timeout_s = timeout_s
        self._transport = _Transport(str(path), timeout_s)
        # The name stands for nothing: the transport knows the way.
        self._proxy = xmlrpc.client.ServerProxy("http://supervisord/RPC2", transport=self._transport)

    def call(self, method: str, *parameters: object) -> Any:  # noqa: ANN401 - each call has an answer of its own
        """The answer to one call, such as `supervisor.getPID`."""
        try:
            return getattr(self._proxy, method)(*parameters)
        except TimeoutError:
            raise EngineError(
                f"cannot go on: supervisord has not answered for {self._timeout_s:g} s at {self._path} "
                "(is it stopped, or the machine overloaded? its number is in supervisord.pid beside the socket)"
            ) from None
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise UnreachableError(
                f"cannot reach supervisord at {self._path}: {reason} (has somebody ended it?)"
            ) from None
        except (xmlrpc.client.ProtocolError, xmlrpc.client.ResponseError, ExpatError) as error:
            raise EngineError(
                f"cannot understand who answers at {self._path}: {error} (is it a supervisord?)"
            ) from None

    def multicall(self, calls: Iterable[tuple[str, *tuple[object, ...]]]) -> list[Any]:
        """The answers to many calls, made in one; a `Fault` stands in the place of each that failed."""
        asked = [{"methodName": name, "params": parameters} for name, *parameters in calls]
        answers: list[Any] = self.call("system.multicall", asked)
        return [
            Fault(answer["faultCode"], answer["faultString"])
            if isinstance(answer, dict) and "faultCode" in answer
            else answer
            for answer in answers
        ]

    def close(self) -> None:
        """Hang up."""
        self._transport.close()


class _Transport(xmlrpc.client.Transport):
    """Python's own, which calls once more where a connection that was kept open has been closed meanwhile."""

    def __init__(self, path: str, timeout_s: float) -> None:
        super().__init__()
        self._timeout_s = timeout_s
        self._path = path
        self._open: _Connection | None = None

    def make_connection(self, host: object) -> http.client.HTTPConnection:  # noqa: ARG002 - the signature is Python's
        if self._open is None:
            self._open = _Connection(self._path, self._timeout_s)
        return self._open

    def close(self) -> None:
        if self._open is not None:
            self._open.close()
            self._open = None


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout_s: float) -> None:
        super().__init__("supervisord", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)
