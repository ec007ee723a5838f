"""Everybody comes whom `security: curve` has to keep out: no message of theirs is taken, and none given to them.

They come to a socket of each kind that binds, to the control channel, and to whole runs at the barrier and in the
middle; between them somebody comes who may, and is served. Then the authenticator ends, and nobody at all is let in.
"""

from __future__ import annotations

import contextlib
import functools
import io
import random
import tempfile
from collections.abc import Callable
from pathlib import Path

import zmq

from chaos.curves import (
    INTRUDERS,
    PARTNERS,
    TOLD,
    as_node,
    is_shown_out,
    recorded_handshake,
    replay,
)
from chaos.doors import DOORS
from chaos.gate import Gate, Tally, dice
from chaos.harness import Project, Run, wait_until
from chaos.held import furnish, open_gate

_TIMES = 2
"""So often each of them comes to a door."""

HOLD = """
    import time
    from pathlib import Path


    def until_told(item):
        while not Path("more").exists():
            time.sleep(0.01)
        return item
"""

GUARDED = {
    "PULL": """
        p:
          security: curve
          endpoints: {door: "tcp://127.0.0.1:*", elsewhere: ipc}
          nodes:
            node: {role: ventilator, connect: door, params: {count: 50}}
            server: {role: sink, bind: door, params: {call: "hold:until_told"}}
            other: {role: ventilator, connect: elsewhere, params: {count: 1}}
            last: {role: sink, bind: elsewhere}
            gate: {role: "gate:Gate", depends_on: [node, other], ready_within: 120s}
          expect: {server.received: 50}
    """,
    "REP": """
        p:
          security: curve
          endpoints: {door: "tcp://127.0.0.1:*", elsewhere: ipc}
          nodes:
            node: {role: client, connect: door, params: {requests: 50, call: "hold:until_told"}}
            server: {role: server, bind: door}
            other: {role: ventilator, connect: elsewhere, params: {count: 1}}
            last: {role: sink, bind: elsewhere}
            gate: {role: "gate:Gate", depends_on: [node, other], ready_within: 120s}
          expect: {server.received: 50}
    """,
    "PUB": """
        p:
          security: curve
          endpoints: {door: "tcp://127.0.0.1:*", elsewhere: ipc}
          nodes:
            node: {role: subscriber, connect: door, params: {call: "hold:until_told"}}
            server: {role: publisher, bind: door, params: {count: 50}}
            other: {role: ventilator, connect: elsewhere, params: {count: 1}}
            last: {role: sink, bind: elsewhere}
            gate: {role: "gate:Gate", depends_on: [node, other], ready_within: 120s}
          expect: {node.received: 50}
    """,
}
"""By the kind of the socket that binds: `server` lets `node` in, and `other` has a key as well."""


def intrude(run: Run, keys: Path, kind: str) -> int:
    """Everybody comes once, and is shown out; how many came."""
    (known,) = [event for event in run.events("AddressesKnown") if event["endpoint"] == "door"]
    (address,) = known["addresses"]
    for make in INTRUDERS.values():
        is_shown_out(address, PARTNERS[kind], make(keys, "server", "node", "other"))
    replay(int(address.rpartition(":")[2]), recorded_handshake(keys, "node", "server"))
    return len(INTRUDERS) + 1


def visited_run(project: Project, kind: str, count: Callable[[int], object] = lambda _: None) -> Run:
    """A whole run, to which everybody comes at the barrier and in the middle; AssertionError where one gets in.

    `count` is told how many have come. The run is over, and has passed.
    """
    furnish(project)
    project.write("hold.py", HOLD)
    project.topology(GUARDED[kind])
    assert project.call("keys").returncode == 0
    keys = project.folder / ".keys" / "p"
    run = project.start()
    run.wait_for("ProcessReady", process="node-1")
    count(intrude(run, keys, kind))
    assert not run.events("RunReady"), "intruders were taken for peers"
    open_gate(project, "start")
    run.wait_for("RunReady")
    count(intrude(run, keys, kind))
    log = run.run_dir / "logs" / "server-1.log"
    wanted = set(TOLD.values())
    wait_until(lambda: all(why in log.read_text() for why in wanted), f"{wanted}; log: {log.read_text()}")
    open_gate(project, "more", "end")
    link = run.outcome().passed().links["door"]
    assert link["foreign"] == 0, link
    return run


def run(seed: str, amount: int) -> Tally:
    """So many visits: to each door in turn, and in each round to one whole run."""
    chance, tally = dice(seed), Tally()
    while tally.tried < amount:
        for name in DOORS:
            visits = functools.partial(at_door, name=name, chance=chance, tally=tally)
            _in_folder(tally, f"seed {seed}, {name}", visits)
        kind = chance.choice(sorted(GUARDED))
        _in_folder(
            tally, f"seed {seed}, a run with {kind}", functools.partial(_at_run, kind=kind, tally=tally)
        )
    return tally


def _in_folder(tally: Tally, what: str, play: Callable[[Path], object]) -> None:
    with tempfile.TemporaryDirectory(prefix="strangers-", dir="/tmp") as folder:
        try:
            with contextlib.redirect_stderr(io.StringIO()):  # who was refused is told there
                play(Path(folder))
        except (AssertionError, OSError, zmq.ZMQError) as fault:
            tally.faults.append(f"{what}, after {tally.tried} visits: {fault}")


def at_door(folder: Path, name: str, chance: random.Random, tally: Tally) -> None:
    """All come in any order, and once more when the authenticator has ended; AssertionError as one gets in."""
    door = DOORS[name](folder)
    try:
        for who in chance.sample(sorted(TOLD) * _TIMES, len(TOLD) * _TIMES):
            door.visit(who)
            tally.tried += 1
            tally.counts[who] += 1
            if chance.random() < 0.5:
                door.serves_the_good()
                tally.counts["good ones served between them"] += 1
        door.serves_the_good()
        door.end_authenticator()
        for who in chance.sample(sorted(INTRUDERS), len(INTRUDERS)):
            door.visit(who)
            tally.tried += 1
        is_shown_out(door.address, door.partner, as_node(door.keys, "node", door.server))
        tally.tried += 1
        tally.counts["without an authenticator"] += len(INTRUDERS) + 1
        door.lets_nothing_in()
    finally:
        door.close()


def _at_run(folder: Path, kind: str, tally: Tally) -> None:
    def count(visits: int) -> None:
        tally.tried += visits
        tally.counts["in whole runs"] += visits

    project = Project(folder)
    try:
        visited_run(project, kind, count)
    finally:
        project.close()


GATE = Gate(
    name="strangers",
    title="visits of who must not come in, under `security: curve`: to sockets that bind, control channels, whole runs",
    unit="visits",
    must="all are shown out, 0 messages of theirs are taken, whoever may come in is served",
    once=100,
    full=2000,
    run=run,
)
