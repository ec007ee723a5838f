"""The server: answers each request (the guide, chapter 1, "Ask and Ye Shall Receive")."""

from __future__ import annotations

from roles.kit.calls import Function, load_function
from roles.kit.reqrep import Rep
from roles.kit.role import Role


class Server(Role):
    """Replies with what `call` makes of the request, by default `World`."""

    clients = Rep()

    call: Function = load_function("roles.functions:world", param="call")

    def run(self) -> None:
        for request in self.clients:
            self.clients.send(self.call(request))
