"""Foreign messages at every role: frames that are none of ours, and peers that do not keep to ZMTP.

All the while somebody of ours is served, the role stays alive, and its memory stays flat.
"""

from __future__ import annotations

import contextlib
import random

from chaos import zmtp
from chaos.acts import ACTS, Act
from chaos.gate import Gate, Tally, dice
from chaos.junk import LIMIT_BYTES
from chaos.stage import StageError

ROUNDS = 20
"""So often it is looked whether somebody of ours is served."""

MORE_BYTES = 5 * 1024 * 1024
_STRETCHES = 3
_MOST_OPEN = 30
_CONNECTIONS = 12


def run(seed: str, amount: int) -> Tally:
    """So many frames at each role."""
    tally, notes = Tally(), list[str]()
    for act in ACTS:
        one = play(act, f"{seed}/{act.__name__}", amount)
        tally.add(one)
        notes += [one.note] if one.note else []
    most = max(notes, key=lambda note: float(note.split()[1]), default="nobody lived")
    tally.note = f"shared out among {len(ACTS)} roles; {most} at the most"
    return tally


def play(kind: type[Act], seed: str, amount: int) -> Tally:
    """So many frames at one role, in rounds, between which somebody is served."""
    chance, tally = dice(seed), Tally()
    act = kind(chance)
    try:
        with act.stage:
            act.begin()
            act.stage.go()
            act.serve()
            try:
                grown_bytes = _disturbed(act, chance, tally, amount)
            except OSError:
                act.stage.check()  # which says more, where it is gone
                raise
    except (StageError, OSError) as fault:  # whoever is gone does not answer either
        tally.faults.append(f"{kind.__name__}, seed {seed}, after {tally.tried} frames: {fault}")
    else:
        tally.note = f"memory {grown_bytes / 1024**2:+.1f} MiB"
        if grown_bytes > MORE_BYTES:
            tally.faults.append(f"{kind.__name__}, seed {seed}: its memory grew by {grown_bytes:,} bytes")
    return tally


def _disturbed(act: Act, chance: random.Random, tally: Tally, amount: int) -> int:
    """Send the frames; by how many bytes the role's memory has grown since the first half of them.

    Where that is much, the half is done again, twice at the most: on a busy machine there are more peers at once than
    there were before, and what is taken for them once is not taken again.
    """
    with contextlib.closing(_Visitors(act, chance)) as visitors:
        _stretch(act, visitors, tally, amount // 2)
        for _ in range(_STRETCHES):
            before_bytes = act.stage.rss_bytes
            _stretch(act, visitors, tally, amount // 2)
            grown_bytes = act.stage.rss_bytes - before_bytes
            if grown_bytes <= MORE_BYTES:
                break
    act.serve()
    return grown_bytes


def _stretch(act: Act, visitors: _Visitors, tally: Tally, amount: int) -> None:
    """So many frames, in rounds."""
    begun = tally.tried
    for number in range(ROUNDS // 2):
        wanted = begun + amount * (number + 1) // (ROUNDS // 2)
        tally.tried += visitors.come()
        while tally.tried < wanted:
            sent = act.disturb()
            tally.tried += sent or visitors.speak()
        act.serve()
        act.stage.check()


class _Visitors:
    """Connections made by hand to every port that binds."""

    def __init__(self, act: Act, chance: random.Random) -> None:
        self._act = act
        self._chance = chance
        self._open: list[zmtp.Peer] = []

    def come(self) -> int:
        """Some speak no ZMTP, some speak it badly, some are too large, some say nothing and stay; how many came."""
        count = 0
        for port, kind in self._act.peers.items():
            address = self._act.stage.addresses[port]
            for _ in range(_CONNECTIONS):
                peer = zmtp.plain(address)
                zmtp.speak(peer, zmtp.nonsense(self._chance))
                self._keep(peer)
                count += 1
            for _ in range(_CONNECTIONS // 2):
                count += self._bad(address, kind)
            count += self._too_large(address, kind)
        return count

    def speak(self) -> int:
        """One more peer that begins well; how many frames it has sent."""
        port, kind = self._chance.choice(list(self._act.peers.items()))
        return self._bad(self._act.stage.addresses[port], kind)

    def _bad(self, address: str, kind: str) -> int:
        peer = zmtp.open_peer(address, kind)
        count = 0
        while zmtp.speak(peer, zmtp.bad_traffic(self._chance, enveloped=self._act.enveloped)):
            count += 1
            if self._chance.random() < 0.1:
                break
        self._keep(peer)
        return count

    def _too_large(self, address: str, kind: str) -> int:
        """Whoever sends a larger frame than is allowed is disconnected."""
        with zmtp.open_peer(address, kind) as peer:
            zmtp.speak(peer, zmtp.frame(bytes(LIMIT_BYTES + 1)))
            if not zmtp.hangs_up(peer):
                raise StageError(f"{kind} may send {LIMIT_BYTES + 1} bytes")
        return 1

    def _keep(self, peer: zmtp.Peer) -> None:
        self._open.append(peer)
        while len(self._open) > _MOST_OPEN:
            self._open.pop(0).close()

    def close(self) -> None:
        """Close what is open."""
        for peer in self._open:
            peer.close()
        self._open.clear()


GATE = Gate(
    name="wires",
    title="foreign, malformed and oversized frames, and peers that break ZMTP",
    unit="frames",
    must="the role lives, a good peer is served, memory grows by less than 5 MiB",
    once=10_000,
    full=500_000 * len(ACTS),
    run=run,
)
