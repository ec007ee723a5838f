"""The folders are the architecture: this reads the imports and fails on an arrow that runs the wrong way."""

import ast
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

CONTRACTS = {
    f"roles.kit.{name}"
    for name in ("curve", "errand", "guard", "histogram", "keys", "messages", "slot", "spec")
}
"""What the orchestrator may know of the roles' kit."""

PURE = {
    "orchestrator.cells",
    "orchestrator.directions",
    "orchestrator.engines.supervisord.config",
    "orchestrator.graph",
    "orchestrator.mermaid",
    "orchestrator.planpage",
    "orchestrator.observers.board",
    "orchestrator.observers.prefixes",
    "orchestrator.observers.stages",
    "orchestrator.observers.totals",
    *(
        f"orchestrator.run.{name}"
        for name in (
            "addresses",
            "attention",
            "bookkeeping",
            "books",
            "changing",
            "commands",
            "coordinator",
            "departures",
            "crew",
            "deliveries",
            "desk",
            "difference",
            "endings",
            "events",
            "experiment",
            "faults",
            "graph",
            "hanging",
            "joining",
            "launcher",
            "leaving",
            "member",
            "missing",
            "order",
            "outline",
            "outlines",
            "pace",
            "plan",
            "planner",
            "recall",
            "reports",
            "requests",
            "restarts",
            "scaling",
            "targets",
            "states",
            "stopper",
            "succession",
            "tolerance",
        )
    ),
}
"""Modules that take values and give values, besides all of the packages in `PURE_PACKAGES`."""

PURE_PACKAGES = ("orchestrator.outcome", "orchestrator.topology")

EFFECTS = {
    *("asyncio", "fcntl", "glob", "importlib", "io", "logging", "mmap", "multiprocessing", "os", "pathlib"),
    *(
        "random",
        "resource",
        "secrets",
        "select",
        "selectors",
        "shutil",
        "signal",
        "socket",
        "subprocess",
        "sys",
    ),
    *("tempfile", "threading", "time", "zmq"),
}
"""Modules through which files, clocks, chance, sockets, processes and the environment are reached."""

CALLS = {"__import__", "breakpoint", "eval", "exec", "input", "open", "print"}

LAYERS = {
    "orchestrator.topology": set(),
    "orchestrator.run": {
        "orchestrator.topology",
        "orchestrator.engines",
        "orchestrator.cells",
        "orchestrator.directions",
    },
    "orchestrator.engines": {"orchestrator.run"},
    "orchestrator.outcome": {
        "orchestrator.topology",
        "orchestrator.run",
        "orchestrator.cells",
        "orchestrator.directions",
        "orchestrator.mermaid",
    },
    "orchestrator.observers": {"orchestrator.run", "orchestrator.cells", "orchestrator.directions"},
    "orchestrator.sources": {"orchestrator.topology"},
    "orchestrator.cells": set(),
    "orchestrator.directions": {"orchestrator.topology"},
    "orchestrator.rundir": set(),
    "orchestrator.terminal": {"orchestrator.cells"},
    "orchestrator.mermaid": {"orchestrator.cells"},
    "orchestrator.graph": {
        "orchestrator.run",
        "orchestrator.cells",
        "orchestrator.directions",
        "orchestrator.mermaid",
    },
    "orchestrator.planpage": {
        "orchestrator.run",
        "orchestrator.cells",
        "orchestrator.graph",
        "orchestrator.observers",
    },
    "orchestrator.verbs": {
        "orchestrator.topology",
        "orchestrator.run",
        "orchestrator.engines",
        "orchestrator.outcome",
        "orchestrator.observers",
        "orchestrator.cells",
        "orchestrator.graph",
        "orchestrator.planpage",
        "orchestrator.rundir",
        "orchestrator.sources",
        "orchestrator.terminal",
    },
    "orchestrator.options": {"orchestrator.topology"},
    "orchestrator.cli_live": {"orchestrator.options", "orchestrator.terminal", "orchestrator.verbs"},
    "orchestrator.cli": {
        "orchestrator.cli_live",
        "orchestrator.engines",
        "orchestrator.options",
        "orchestrator.run",
        "orchestrator.terminal",
        "orchestrator.verbs",
    },
    "orchestrator.__main__": {"orchestrator.cli"},
}
"""What each package, or module beside the packages, takes from the others; nothing takes from above."""

ENGINE_USERS = {f"orchestrator.run.{name}" for name in ("runner", "service", "sockets")}
"""Of `run` these alone know that there are engines."""

VALUES = {f"orchestrator.run.{name}" for name in ("commands", "events", "outlines", "plan", "requests")}
"""What an engine may know of `run`: values, and nobody who decides."""


def module_name(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def modules():
    paths = [path for top in ("orchestrator", "roles") for path in (ROOT / top).rglob("*.py")]
    return {module_name(path): ast.parse(path.read_text(encoding="utf-8")) for path in paths}


def of(prefix):
    return sorted(name for name in modules() if name == prefix or name.startswith(f"{prefix}."))


def imported(tree):
    """Every module that is imported anywhere in the tree, late ones included; `from x import y` may mean x.y."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute here"
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            ours = {name for name in inner if name in modules()}
            found |= ours
            if len(ours) < len(inner):
                found.add(node.module)
    return found


def from_package(name, prefix):
    return {other for other in imported(modules()[name]) if other == prefix or other.startswith(f"{prefix}.")}


def group(name):
    return ".".join(name.split(".")[:2])


def is_pure(name):
    return name in PURE or name.startswith(tuple(f"{package}." for package in PURE_PACKAGES))


def pure_modules():
    return [name for name in of("orchestrator") if is_pure(name)]


def test_every_pure_module_is_there():
    assert set(modules()) >= PURE


@pytest.mark.parametrize("name", of("roles"))
def test_roles_know_nothing_of_the_orchestrator(name):
    assert from_package(name, "orchestrator") == set()


@pytest.mark.parametrize("name", of("orchestrator"))
def test_the_orchestrator_knows_only_the_contracts_of_the_roles(name):
    allowed = CONTRACTS | (
        {"roles.kit.forked", "roles.kit.runtime"} if name == "orchestrator.engines.local" else set()
    )
    assert from_package(name, "roles") <= allowed


@pytest.mark.parametrize("name", pure_modules())
def test_pure_modules_reach_nothing(name):
    tree = modules()[name]
    assert {other.partition(".")[0] for other in imported(tree)} & EFFECTS == set()
    calls = {
        node.func.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    assert calls & CALLS == set()


@pytest.mark.parametrize("name", pure_modules())
def test_pure_modules_stand_on_pure_modules(name):
    assert [
        other for other in from_package(name, "orchestrator") if "." in other and not is_pure(other)
    ] == []


@pytest.mark.parametrize("name", of("orchestrator"))
def test_the_layers_are_one_way(name):
    taken = {group(other) for other in from_package(name, "orchestrator")} - {"orchestrator"}
    assert taken - {group(name)} <= LAYERS.get(group(name), set())


def test_every_part_has_its_layer():
    assert {group(name) for name in of("orchestrator") if "." in name} == set(LAYERS)


def test_engines_are_known_to_few():
    users = {name for name in of("orchestrator.run") if from_package(name, "orchestrator.engines")}
    assert users <= ENGINE_USERS
    for name in of("orchestrator.engines"):
        assert from_package(name, "orchestrator.run") <= VALUES


def test_no_module_imports_itself_through_others():
    arrows = {
        name: {other for other in imported(tree) if other in modules()} for name, tree in modules().items()
    }
    try:
        list(TopologicalSorter(arrows).static_order())
    except CycleError as error:
        pytest.fail(f"modules import each other in a circle: {' -> '.join(error.args[1])}")


def test_the_reader_of_imports_sees_them_all():
    tree = ast.parse(
        "import os.path\ndef f():\n    from roles.kit import runtime, spec\n    import zmq as z\n"
    )
    assert imported(tree) == {"os.path", "roles.kit.runtime", "roles.kit.spec", "zmq"}
