"""What a role process does from its first instruction to its last: the process's side of the run protocol.

Hello, load the role, bind, Bound; Connect, connect, wait for the peers, Ready; Go, run, Finished; hold the
sockets; Stop, leave. The sockets are held because an ipc peer at its high-water mark loses what a sender that
closes has left in its buffers.
"""

from __future__ import annotations

import importlib
import os
import shlex
import signal
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import msgspec
import zmq

from roles.kit import calls, messages, spec
from roles.kit.calls import HaltError, SetupError
from roles.kit.control import Control, Finish
from roles.kit.frames import Unsendable
from roles.kit.histogram import Histogram
from roles.kit.limits import which
from roles.kit.pipeline import Pull, Push
from roles.kit.ports import Ended, Port
from roles.kit.presence import OpenPort
from roles.kit.pubsub import Pub, Sub
from roles.kit.reqrep import Req
from roles.kit.retry import MOST_OLD, NoReply
from roles.kit.role import Role
from roles.kit.slot import SlotFile
from roles.kit.sockets import ZAP_DOMAIN, BindError, open_port
from roles.kit.telling import briefly, from_the_users_code_on, plain, safe

if TYPE_CHECKING:
    from roles.kit.curve import Doors

_END_EVERY_MS = 50
_FORGET_MS = 0
_LONGEST_ITEM = 1000
_HURRIED_LINGER_MS = 100
_PUBLISHERS_LINGER_MS = 1000
_ACKNOWLEDGED_LINGER_MS = 1000
_SOCKETS_OF_OURS = 16

BUILT_IN = ("ventilator", "worker", "sink", "publisher", "subscriber", "client", "server", "proxy")
"""The names of the roles that come with the project; each is a module here, its class the name in capitals."""


def be(process: spec.ProcessSpec, place: spec.Place, incarnation: int) -> NoReturn:
    """Be the process that `process` describes, in the run that `place` describes. Exits; never returns.

    The leash is on by now, and the streams are those of the process's own.
    """
    if process.environment:
        os.environ.update(process.environment)
    os.chdir(place.folder)
    if process.command:
        _become(process, place)
    try:
        runtime = Runtime(process, place, incarnation)
    except HaltError as error:  # there is nobody to tell: it cannot reach its coordinator
        print(error, file=sys.stderr)
        sys.exit(1)
    sys.exit(runtime.run())


def _become(process: spec.ProcessSpec, place: spec.Place) -> NoReturn:
    """Turn into the user's program. Its addresses and name are in the environment."""
    for ignored in (signal.SIGINT, signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(ignored, signal.SIG_DFL)  # what is ignored stays so in the new program
    try:
        os.execvpe(process.command[0], process.command, os.environ)  # noqa: S606 - no shell is wanted
    except OSError as error:
        print(
            f"cannot run {shlex.join(process.command)} in {place.folder}: {error.strerror}", file=sys.stderr
        )
        sys.stderr.flush()
        os._exit(127)


def _dial(socket: zmq.Socket[bytes], process: spec.ProcessSpec, place: spec.Place) -> None:
    """Connect to the control channel; what is not a socket of a private directory is under CURVE. Raises HaltError."""
    if not place.control.startswith("ipc://"):
        from roles.kit import curve, keys  # noqa: PLC0415 - all runs on one machine go without

        folder = Path(place.keys)
        curve.take_time(socket)
        curve.go_in(socket, keys.read_pair(folder, process.node), keys.read_public(folder, keys.CONTROL))
    socket.connect(place.control)


class Runtime:
    """One process on its way through a run."""

    def __init__(self, process: spec.ProcessSpec, place: spec.Place, incarnation: int) -> None:
        self._process = process
        self._place = place
        self._incarnation = incarnation
        # Each has two more while it is watched, and libzmq takes its time to close thousands.
        sockets = 6 * sum(port.copies + (port.delivery == "keep") for port in process.ports)
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._context.set(zmq.MAX_SOCKETS, max(1023, sockets + _SOCKETS_OF_OURS) + MOST_OLD)
        socket = self._context.socket(zmq.DEALER)
        socket.set(zmq.ROUTING_ID, f"{process.name}/{incarnation}".encode())
        socket.set_hwm(0)
        _dial(socket, process, place)
        self._control = Control(socket, SlotFile(place.slots).words(process.slot))
        self._open: list[OpenPort] = []
        self._role: Role | None = None
        self._doors: Doors | None = None
        self._finished = messages.Finished()
        self._told = ""
        self._control.on_joined = self._take_in
        self._control.on_hold = self._hold_port
        self._control.on_release = self._release_port

    def run(self) -> int:
        """Go through the run; returns the process's exit code."""
        self._control.say(messages.Hello(pid=os.getpid()))
        exit_code = 0
        try:
            role = self._role = self._load()
            self._open_ports(role)
            self._connect(role)
            self._await_go()
            self._work(role)
        except SystemExit as error:
            exit_code = self._left(error)
        except SetupError as error:
            exit_code = self._fail(
                messages.Failed(kind="setup", text=str(error), where=error.where), error.__cause__
            )
        except BindError as error:
            exit_code = self._fail(
                messages.Failed(kind="bind", text=str(error), endpoint=error.endpoint), None
            )
        except (NoReply, HaltError) as error:
            exit_code = self._fail(messages.Failed(kind="raised", text=str(error)), None)
        except Exception as error:  # noqa: BLE001 - whatever a user's role raises is told under its name
            exit_code = self._raised(error)
        except Finish:
            pass  # told to leave before Go
        exit_code = self._finish(exit_code)
        self._hold()
        self._close()
        return exit_code

    def _work(self, role: Role) -> None:
        """Run the role. Only where it returns has the item in hand been handled."""
        try:
            role.run()
        except (Finish, Ended):
            pass
        else:
            for opened in self._open:
                opened.port.settle()
        self._conclude()
        self._finished = messages.Finished(result=plain(role.result), latencies=self._latencies())
        messages.encode(self._finished)  # what cannot be told is the role's failure, and so it must show here

    def _conclude(self) -> None:
        """What waits at batching ports goes; what cannot be sent is the role's failure."""
        for opened in self._open:
            if isinstance(opened.port, Push):
                opened.port.conclude()

    def _latencies(self) -> dict[int, int]:
        """The round trips of all REQ ports."""
        all_ports = Histogram()
        for opened in self._open:
            if isinstance(opened.port, Req):
                all_ports.merge(opened.port.latencies.counts)
        return all_ports.counts

    def _load(self) -> Role:
        if self._place.folder not in sys.path:
            sys.path.insert(0, self._place.folder)
        role = _role_class(self._process.role)(self._process, self._place, self._control)
        role.incarnation = self._incarnation
        if any(port.delivery for port in self._process.ports):
            from roles.kit.delivery import Delivery  # noqa: PLC0415 - most never need it

            self._control.delivery = Delivery(self._process, self._place, self._incarnation)
        role.setup()
        return role

    def _open_ports(self, role: Role) -> None:
        declared = role.declared_ports()
        doors = self._doors = self._make_doors()
        addresses: dict[str, str] = {}
        for index, port_spec in enumerate(self._process.ports):
            declaration = declared.get(port_spec.name)
            if declaration is None:
                raise SetupError(
                    "role", f"cannot find port '{port_spec.name}' in the class {type(role).__name__}"
                )
            port = open_port(declaration, port_spec, index, self._context, self._control, doors=doors)
            setattr(role, declaration.attribute, port)
            name, incarnation = self._process.name, self._incarnation
            opened = OpenPort(port=port, process=name, incarnation=incarnation, doors=doors)
            self._open.append(opened)
            addresses |= opened.bind(self._place.sockets)
        self._control.say(messages.Bound(addresses=addresses))

    def _make_doors(self) -> Doors | None:
        """What CURVE takes, where an endpoint is under it: its guard is there before anything is bound."""
        attachments = [one for port in self._process.ports for one in port.attachments]
        if all(one.curve is None for one in attachments):
            return None
        from roles.kit.curve import Doors  # noqa: PLC0415 - for those who need it

        folder = Path(self._place.keys)
        return Doors(self._context, folder, self._process.node, attachments, plain=ZAP_DOMAIN)

    def _connect(self, role: Role) -> None:
        while self._control.addresses is None:
            self._await_control([socket for opened in self._open for socket in opened.monitors])
            for opened in self._open:
                opened.count_peers()
        for opened in self._open:
            opened.connect(self._control.addresses, self._control.late, self._control.nodes)
        role.connected()
        waiting = self._open
        while (
            not self._control.going
        ):  # it may have been told so together with the addresses: nobody is awaited
            waiting = [opened for opened in waiting if not opened.in_place()]
            if not waiting:
                self._control.say(messages.Ready())
                return
            patience_ms = min(
                (opened.patience_ms for opened in waiting if opened.patience_ms >= 0), default=-1
            )
            self._await_control([socket for opened in waiting for socket in opened.pollees], patience_ms)

    def _await_go(self) -> None:
        while not self._control.going:
            self._await_control([])
        for opened in self._open:
            opened.go()

    def _take_in(self) -> None:
        """Somebody has connected in the middle of the run."""
        for opened in self._open:
            opened.take_in()

    def _hold_port(self, name: str) -> int:
        return sum(opened.hold() for opened in self._open if opened.spec.name == name)

    def _release_port(self, name: str) -> None:
        for opened in self._open:
            if opened.spec.name == name:
                opened.release()

    def _await_control(self, others: list[zmq.Socket[bytes]], timeout_ms: int = -1) -> None:
        sockets = [*others, self._control.socket]
        zmq.zmq_poll([(socket, zmq.POLLIN) for socket in sockets], timeout_ms)
        self._control.look()

    def _raised(self, error: Exception) -> int:
        item = self._item_in_hand()
        limit = which(error, self._context)
        text = f"{type(error).__name__}: {error}" + (f": {limit}" if limit else "")
        if isinstance(error, Unsendable) and self._process.role in BUILT_IN:  # all of the way there is ours
            return self._fail(messages.Failed(kind="raised", text=text, item=item), None)
        error.__traceback__ = from_the_users_code_on(error.__traceback__)
        told = messages.Failed(
            kind="raised", text=text, item=item, traceback="".join(traceback.format_exception(error))
        )
        return self._fail(told, error)

    def _item_in_hand(self) -> str:
        """What the role was handling, as text; empty where it was nothing."""
        items = (opened.port.item_in_hand() for opened in self._open)
        return next((briefly(item, _LONGEST_ITEM) for item in items if item is not None), "")

    def _fail(self, told: messages.Failed, error: BaseException | None) -> int:
        self._told = told.text
        if error is not None:
            traceback.print_exception(error)
            if told.item:
                print(f"while handling {told.item}", file=sys.stderr)
        elif told.text:
            print(told.text, file=sys.stderr)
        self._control.say(msgspec.structs.replace(told, text=safe(told.text), traceback=safe(told.traceback)))
        return told.exit_code

    def _left(self, error: SystemExit) -> int:
        if error.code is None or error.code == 0:
            return 0
        exit_code = error.code if isinstance(error.code, int) else 1
        text = f"called sys.exit({error.code!r})"
        told = messages.Failed(kind="exit", text=text, exit_code=exit_code & 0xFF, item=self._item_in_hand())
        return self._fail(told, None)

    def _finish(self, exit_code: int) -> int:
        """Say that the role has done its part: an inlet closes, so that senders pass it over; an outlet is held."""
        try:
            self._conclude()
        except Exception as error:  # noqa: BLE001 - mostly this is why the role has failed
            if not exit_code:
                exit_code = self._raised(error)
            elif isinstance(error, Unsendable) and str(error) not in self._told:
                print(error, file=sys.stderr)
        for opened in self._open:
            if isinstance(opened.port, Pull | Sub):
                opened.port.shut()
        self._control.note_finished()
        if not exit_code and not self._control.stopping:
            self._control.say(self._finished)
        return exit_code

    def _hold(self) -> None:
        """Keep the sockets until Stop; a publisher tells its subscribers meanwhile that it has finished."""
        publishers = [opened.port for opened in self._open if isinstance(opened.port, Pub)]
        holds = self._place.hold
        while not self._control.stopping:
            for port in publishers:
                if not self._control.returns:
                    port.send_end(self._process.name)
                for _ in port.subscriptions():
                    pass
            if not holds:
                return
            poll = [(self._control.socket, zmq.POLLIN)]
            zmq.zmq_poll(poll, _END_EVERY_MS if publishers else -1)
            self._control.hear()

    def _close(self) -> None:
        if self._role is not None:
            self._role.close()
        for opened in self._open:
            for socket in opened.port.all_sockets:
                socket.close(linger=self._linger_ms(opened.port))
        if self._doors is not None:
            self._doors.close()
        self._control.socket.close(linger=1000)
        self._context.destroy(linger=_FORGET_MS)
        sys.stdout.flush()
        sys.stderr.flush()

    def _linger_ms(self, port: Port) -> int:
        """How long a socket may take to get rid of what it has sent.

        Mostly without limit: a process that cannot get rid of its messages must be seen to stay, not to leave well.
        """
        if self._control.hurried:
            return _HURRIED_LINGER_MS
        if isinstance(port, Req) and port.given_up:
            return 0
        if port.spec.delivery:  # what does not go is given again, or was done twice and is wanted no more
            return _ACKNOWLEDGED_LINGER_MS
        # A subscriber that binds and has left is waited for by the socket, in vain; those of ours have had the mark.
        connects = any(one.mode == "connect" for one in port.spec.attachments)
        return _PUBLISHERS_LINGER_MS if isinstance(port, Pub) and connects else -1


def _role_class(name: str) -> type[Role]:
    """The class of a built-in role, or of a user's `module:Class`; raises SetupError where it is not there."""
    if name in BUILT_IN:
        found = getattr(importlib.import_module(f"roles.{name}"), name.capitalize())
    else:
        module_name, _, class_name = name.partition(":")
        module = calls.load_module(module_name, where="role")
        found = getattr(module, class_name, None)
    if not (isinstance(found, type) and issubclass(found, Role)):
        raise SetupError(
            "role", f"cannot use '{name}' as a role: it is no class that derives from roles.kit.Role"
        )
    return found
