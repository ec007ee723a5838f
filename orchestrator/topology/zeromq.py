"""What ZeroMQ knows: which sockets can talk, and which options they take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

PARTNERS: dict[str, frozenset[str]] = {
    kind: frozenset(partners.split())
    for kind, partners in {
        "PUSH": "PULL",
        "PULL": "PUSH",
        "PUB": "SUB XSUB",
        "XPUB": "SUB XSUB",
        "SUB": "PUB XPUB",
        "XSUB": "PUB XPUB",
        "REQ": "REP ROUTER",
        "REP": "REQ DEALER",
        "DEALER": "REP DEALER ROUTER",
        "ROUTER": "REQ DEALER ROUTER",
    }.items()
}
"""Whom a socket of each kind talks to (the socket types' specifications, rfc.zeromq.org 28 to 30)."""

NEEDS = {
    "PUSH": "a pusher needs a puller",
    "PULL": "a puller needs a pusher",
    "PUB": "a publisher needs subscribers",
    "XPUB": "a publisher needs subscribers",
    "SUB": "a subscriber needs a publisher",
    "XSUB": "a subscriber needs a publisher",
    "REQ": "a client needs a server",
    "REP": "a server needs clients",
    "DEALER": "a dealer needs servers, routers or dealers",
    "ROUTER": "a router needs clients, dealers or routers",
}
"""What a socket of each kind needs at the other side, in words."""

EXPECTED = {
    "PUSH": "a worker pulls",
    "PULL": "a ventilator pushes",
    "PUB": "a subscriber subscribes",
    "XPUB": "a subscriber subscribes",
    "SUB": "a publisher publishes",
    "XSUB": "a publisher publishes",
    "REQ": "a server replies",
    "REP": "a client asks",
    "DEALER": "a server replies",
    "ROUTER": "a client asks",
}
"""Who is expected to meet a socket of each kind, in words."""

SENDS = frozenset({"PUSH", "PUB", "XPUB"})
RECEIVES = frozenset({"PULL", "SUB", "XSUB"})
"""Sockets whose messages go one way only."""

SUBSCRIBES = frozenset({"SUB", "XSUB"})
PUBLISHES = frozenset({"PUB", "XPUB"})


def can_talk(kind: str, other: str) -> bool:
    """Whether sockets of the two kinds can talk; what is not known can."""
    return not kind or not other or other in PARTNERS[kind]


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """A socket option that a topology may set: the type of its value, its range, the kinds that know it."""

    type: Literal["int", "flag", "str"] = "int"
    low: int = 0
    high: int = 2**31 - 1
    kinds: frozenset[str] | None = None


def _flag_of(*kinds: str) -> Option:
    return Option(type="flag", kinds=frozenset(kinds))


OPTIONS: dict[str, Option] = {
    "AFFINITY": Option(high=2**63 - 1),
    "BACKLOG": Option(),
    "BINDTODEVICE": Option(type="str"),
    "CONFLATE": _flag_of("PUSH", "PULL", "PUB", "SUB", "DEALER"),
    "CONNECT_TIMEOUT": Option(),
    "HANDSHAKE_IVL": Option(),
    "HEARTBEAT_IVL": Option(),
    "HEARTBEAT_TIMEOUT": Option(low=-1),
    "HEARTBEAT_TTL": Option(high=6_553_599),
    "IMMEDIATE": Option(type="flag"),
    "INVERT_MATCHING": _flag_of("PUB", "XPUB", "SUB"),
    "IPV6": Option(type="flag"),
    "MAXMSGSIZE": Option(low=-1, high=2**63 - 1),
    "MULTICAST_HOPS": Option(low=1),
    "PROBE_ROUTER": _flag_of("ROUTER", "DEALER", "REQ"),
    "RCVBUF": Option(low=-1),
    "RCVHWM": Option(kinds=frozenset({"PULL", "SUB", "XSUB", "REQ", "REP", "ROUTER", "DEALER"})),
    "RECONNECT_IVL": Option(low=-1),
    "RECONNECT_IVL_MAX": Option(),
    "REQ_CORRELATE": _flag_of("REQ"),
    "REQ_RELAXED": _flag_of("REQ"),
    "ROUTER_HANDOVER": _flag_of("ROUTER"),
    "ROUTER_MANDATORY": _flag_of("ROUTER"),
    "ROUTING_ID": Option(type="str", kinds=frozenset({"REQ", "DEALER", "ROUTER"})),
    "SNDBUF": Option(low=-1),
    "SNDHWM": Option(kinds=frozenset({"PUSH", "PUB", "XPUB", "REQ", "REP", "ROUTER", "DEALER"})),
    "SOCKS_PROXY": Option(type="str"),
    "TCP_KEEPALIVE": Option(low=-1, high=1),
    "TCP_KEEPALIVE_CNT": Option(low=-1),
    "TCP_KEEPALIVE_IDLE": Option(low=-1),
    "TCP_KEEPALIVE_INTVL": Option(low=-1),
    "TCP_MAXRT": Option(),
    "TOS": Option(high=255),
    "XPUB_NODROP": _flag_of("PUB", "XPUB"),
}
"""Options by their ZeroMQ names, without `ZMQ_`. A PUB binds as an XPUB and so takes that one's options."""

OWNED: dict[str, str] = {
    "LINGER": "use close on the pattern",
    "RCVTIMEO": "waiting is the run's business",
    "SNDTIMEO": "waiting is the run's business",
    "SUBSCRIBE": "use the subscriber's topics",
    "UNSUBSCRIBE": "use the subscriber's topics",
    "XPUB_VERBOSE": "the barrier needs its own setting",
    "XPUB_VERBOSER": "the barrier needs its own setting",
    "XPUB_MANUAL": "the barrier needs its own setting",
}
"""Options that the run itself sets, and what to use instead."""

CURVE_PREFIXES = ("CURVE_", "ZAP_")
"""Options that `security: curve` sets."""

SECURITY_PREFIXES = ("PLAIN_", "GSSAPI_")
"""Options of a feature that this version does not support yet."""
