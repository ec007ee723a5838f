"""Where somebody at another terminal asks something of a run: a ROUTER in its private directory, and who asks there.

Only the user whose run it is can reach it: the directory is 0700.
"""

from __future__ import annotations

import math
import time
import uuid
from pathlib import Path

import msgspec
import zmq

from orchestrator.run import requests
from orchestrator.run.requests import Answer, Request

MALFORMED = (ValueError, msgspec.MsgspecError)

ASK_AGAIN_S = 1.0
"""An answer can be lost with a coordinator that dies; one ticket is served once, so to ask again does no harm."""


_SHORTEST_S = 0.001


class AskError(Exception):
    """Nobody answers."""


def reception_address(sockets: str | Path) -> str:
    """Where the run with this private directory is asked."""
    return f"ipc://{sockets}/requests"


class Reception:
    """The run's end. What is no request is dropped."""

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], address: str) -> None:
        self.socket = context.socket(zmq.ROUTER)
        self.socket.set_hwm(1000)
        self.socket.bind(address)
        self._askers: dict[str, bytes] = {}

    def hear(self) -> list[requests.Known]:
        """All that has been asked since."""
        heard: list[requests.Known] = []
        while True:
            try:
                identity, *_, frame = self.socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return heard
            except ValueError:
                continue
            try:
                request = requests.decode_request(frame)
            except MALFORMED:
                continue
            self._askers[request.ticket] = identity
            heard.append(request)

    def reply(self, answer: Answer) -> None:
        """Answer whoever has asked under that ticket; one who is no longer there does not hear it."""
        identity = self._askers.pop(answer.ticket, None)
        if identity is not None:
            self.socket.send_multipart([identity, requests.encode(answer)], zmq.NOBLOCK)


def ticket() -> str:
    """A name for a request that nobody else gives."""
    return uuid.uuid4().hex


class Asker:
    """Somebody at another terminal. Use it as a context manager."""

    def __init__(self, address: str) -> None:
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._socket = self._context.socket(zmq.DEALER)
        self._socket.set(zmq.LINGER, 0)
        self._socket.connect(address)

    def __enter__(self) -> Asker:
        return self

    def __exit__(self, *exception: object) -> None:
        self._context.destroy(linger=0)

    def ask(self, request: Request, *, within_s: float | None) -> Answer:
        """The answer to a request, asked again now and then; raises AskError where there is none within the time."""
        until_s = None if within_s is None else time.monotonic() + within_s
        while until_s is None or until_s - time.monotonic() > _SHORTEST_S:
            self._socket.send(requests.encode(request))
            left_s = ASK_AGAIN_S if until_s is None else min(ASK_AGAIN_S, until_s - time.monotonic())
            answer = self._await(request.ticket, max(0.0, left_s))
            if answer is not None:
                return answer
        raise AskError(f"no answer within {within_s:g} s")

    def _await(self, ticket: str, within_s: float) -> Answer | None:
        until_s = time.monotonic() + within_s
        while self._socket.poll(math.ceil(max(0.0, until_s - time.monotonic()) * 1000)):
            try:
                answer = requests.decode_answer(self._socket.recv())
            except MALFORMED:
                continue
            if answer.ticket == ticket:
                return answer
        return None
