"""The topology package is pure: text and values in, values out."""

import ast
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "orchestrator" / "topology"
EFFECTS = {
    "os",
    "pathlib",
    "time",
    "zmq",
    "subprocess",
    "socket",
    "sys",
    "io",
    "importlib",
    "random",
    "logging",
}


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.py")), ids=lambda path: path.stem)
def test_no_module_reaches_out(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    modules = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    modules |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {module.partition(".")[0] for module in modules} & EFFECTS == set()
    called = {
        node.func.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    assert called & {"open", "exec", "eval", "__import__", "print"} == set()


def test_it_takes_only_contracts_from_the_roles():
    taken = {
        node.module
        for path in FOLDER.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(("roles", "orchestrator.r"))
    }
    assert taken <= {"roles.kit.spec"}
