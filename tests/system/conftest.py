"""What all system tests share: a user's folder, and the certainty that nothing outlives a test."""

from __future__ import annotations

import contextlib
import random
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from harness import Project

from orchestrator.run.plan import Plan
from orchestrator.verbs.loading import load, make_plans

BELOW_THE_SYSTEMS_OWN = range(20_000, 32_768)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.system)


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """A folder of the user's; what was started in it is gone afterwards."""
    made = Project(tmp_path)
    yield made
    made.close()


@pytest.fixture
def plan_of_file() -> Callable[[Path], Plan]:
    """Gives the plan of the only pattern of a file."""

    def plan(path: Path) -> Plan:
        (one,) = make_plans(load(str(path), ()), None)
        return one

    return plan


@pytest.fixture
def free_port() -> Callable[[], int]:
    """Gives tcp ports that nobody has now, for rows that need a number known beforehand; never one twice.

    They are none of those that the system gives to whoever asks for any, or another test might be given one meanwhile.
    """
    ports = iter(random.sample(BELOW_THE_SYSTEMS_OWN, len(BELOW_THE_SYSTEMS_OWN)))

    def give() -> int:
        for port in ports:
            with contextlib.suppress(OSError), socket.socket() as holder:
                holder.bind(("127.0.0.1", port))
                return port
        raise AssertionError("no port is free")

    return give
