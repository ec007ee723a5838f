"""What `chaos/harness.py` gives, by the name under which the tests know it: they and the gates run topologies alike."""

from chaos.harness import (
    DEADLINE_S,
    ENGINES,
    MARKER,
    SCRIPTS,
    Outcome,
    Project,
    Recorded,
    Run,
    Service,
    jain,
    processes_with,
    wait_until,
)

__all__ = [
    "DEADLINE_S",
    "ENGINES",
    "MARKER",
    "SCRIPTS",
    "Outcome",
    "Project",
    "Recorded",
    "Run",
    "Service",
    "jain",
    "processes_with",
    "wait_until",
]
