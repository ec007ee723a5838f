"""What the project says of itself: README, CHANGELOG, Makefile, the CI script and the hooks."""

import json
import re
import shlex
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path

import pytest
import yaml

from orchestrator.cli import commands
from orchestrator.topology.form import EndpointForm, FileForm, NodeForm, PatternForm
from orchestrator.topology.lint import ALLOWED
from orchestrator.topology.measure_names import ENDPOINT_MEASURES, NODE_MEASURES, RUN_MEASURES, SPREADS
from orchestrator.topology.schema import schema
from roles.kit import runtime

ROOT = Path(__file__).resolve().parents[1]
REFERENCE = ("docs/topology.md", "docs/services.md", "docs/command-line.md")
DOCUMENTS = ("README.md", "CONTRIBUTING.md", "examples/README.md", "docs/reliability.md", *REFERENCE)
SPAN = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def text(name):
    return (ROOT / name).read_text(encoding="utf-8")


def reference():
    return "\n".join(map(text, REFERENCE))


@cache
def project():
    return tomllib.loads(text("pyproject.toml"))


def targets():
    return set(re.findall(r"^([a-z][a-z-]*):(?!=)", text("Makefile"), re.MULTILINE))


def command_lines(name):
    """What a document tells the reader to type: lines that begin with `$ ` in blocks, and spans of code."""
    document = text(name)
    typed = [
        line.removeprefix("$ ")
        for _, block in FENCE.findall(document)
        for line in block.splitlines()
        if line.startswith("$ ")
    ]
    return typed + SPAN.findall(FENCE.sub("", document))


def called(name, program):
    """The words after each mention of a program in a document."""
    for line in command_lines(name):
        words = line.split("#")[0].split()
        while words and "=" in words[0] and words[0].partition("=")[0].isupper():
            words = words[1:]
        if words and Path(words[0]).name == program:
            yield words[1:]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_make_target_that_is_named_exists(name):
    named = {word for words in called(name, "make") for word in words if "=" not in word}
    assert named <= targets()


def test_the_two_commands_of_a_newcomer_are_named():
    named = {tuple(words) for words in called("README.md", "make")}
    assert {("demo-pipeline",), ("test",)} <= named


def test_every_target_says_what_it_does_and_is_phony():
    makefile = text("Makefile").replace("\\\n", " ")
    described = set(re.findall(r"^([a-z][a-z-]*):.*## \w", makefile, re.MULTILINE))
    phony = set(re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE).group(1).split())
    assert described == targets() == phony


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_verb_and_option_that_is_named_exists(name):
    for words in called(name, "orchestrator"):
        for verb in words[:1]:
            if verb.startswith("-"):
                assert verb in ("--help", "--version"), words
                continue
            assert verb in commands.commands, words
            options = {option for one in commands.commands[verb].params for option in one.opts}
            used = {word.split("=")[0].strip("[]") for word in words if word.strip("[").startswith("--")}
            assert used <= options | {"--help"}, words


def test_every_verb_and_option_is_told():
    told = reference()
    for verb, command in commands.commands.items():
        assert f"`{verb}" in told, verb
        for option in (option for one in command.params for option in one.opts if option.startswith("--")):
            assert option in told, f"{verb} {option}"


def test_the_workflow_in_the_reference_calls_what_there_is():
    (block,) = [
        block for language, block in FENCE.findall(text("docs/command-line.md")) if "runs-on:" in block
    ]
    (job,) = yaml.safe_load(block)["jobs"].values()
    typed = [shlex.split(step["run"]) for step in job["steps"] if "run" in step]
    assert typed[0] == ["make", "setup"]
    assert [words[:2] for words in typed[1:]] == [
        [".venv/bin/orchestrator", "validate"], [".venv/bin/orchestrator", "run"],
    ]  # fmt: skip
    for _, verb, *words in typed[1:]:
        options = {option for one in commands.commands[verb].params for option in one.opts}
        assert {word for word in words if word.startswith("--")} <= options
    written = dict(zip(typed[2], typed[2][1:], strict=False))
    uploaded = job["steps"][-1]["with"]["path"].split()
    assert uploaded == [written["--run-dir"], written["--junit"], written["--markdown"]]
    assert not any(name.startswith(".") for name in uploaded), "hidden files are not uploaded"


def test_every_key_of_the_file_is_told():
    told = set(SPAN.findall(reference()))
    for form in (FileForm, PatternForm, NodeForm, EndpointForm):
        for key in form.model_fields:
            assert key in told, f"{form.__name__}: {key}"


@pytest.mark.parametrize("role", runtime.BUILT_IN)
def test_every_role_port_and_param_is_told(role):
    told = set(SPAN.findall(reference()))
    found = runtime._role_class(role)
    for name in (role, *found.declared_ports(), *found.declared_params()):
        assert name in told, f"{role}: {name}"


def test_every_code_that_can_be_allowed_is_told():
    told = set(SPAN.findall(reference()))
    assert told >= ALLOWED


def test_every_exit_code_is_told():
    rows = re.findall(r"^\| `?(\d+)`? \|", text("docs/command-line.md"), re.MULTILINE)
    assert {"0", "1", "2", "3", "130", "143"} <= set(rows)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_file_that_is_linked_exists(name):
    folder = (ROOT / name).parent
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text(name)):
        assert "://" in target or (folder / target).exists(), target


def anchors(path):
    headings = re.findall(r"^#+ (.*)$", FENCE.sub("", path.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_heading_that_is_linked_exists(name):
    for target, heading in re.findall(r"\]\(([^)#:]*)#([^)]+)\)", text(name)):
        page = (ROOT / name).parent / target if target else ROOT / name
        assert heading in anchors(page), f"{target}#{heading}"


@pytest.mark.parametrize(
    ("name", "block"),
    [
        pytest.param(name, block, id=f"{name}-{number}")
        for name in DOCUMENTS
        if (ROOT / name).exists()
        for number, (language, block) in enumerate(FENCE.findall(text(name)))
        if language == "yaml" and "patterns:" in block
    ],
)
def test_every_topology_in_a_document_is_in_order(tmp_path, name, block):
    """Files and functions that a block names are the reader's own, so only what can be told without them counts."""
    (tmp_path / "topology.yaml").write_text(block)
    for language, other in FENCE.findall(text(name)):
        named = re.match(r"# (\w+\.py)\n", other)
        if language == "python" and named:
            (tmp_path / named.group(1)).write_text(other)
    (tmp_path / "access.log").write_text("one\n")
    done = subprocess.run(
        [sys.executable, "-m", "orchestrator", "validate"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_the_changelog_has_the_version():
    newest = re.search(r"^## \[?([^\]\s]+)", text("CHANGELOG.md"), re.MULTILINE).group(1)
    assert newest in (project()["project"]["version"], "Unreleased")
    assert f"## {project()['project']['version']}" in text("CHANGELOG.md").replace("[", "").replace("]", "")


def test_the_ci_script_runs_what_the_readme_names():
    script = text(".ci/run")
    assert script.startswith("#!/usr/bin/env bash\n")
    assert "set -euo pipefail" in script
    run = [shlex.split(line)[1] for line in script.splitlines() if line.startswith("make ")]
    assert run == ["demo-pipeline", "claims", "check", "test-pythons"]
    assert set(run) <= targets()
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o111
    assert "check: lint test" in text("Makefile")


def test_every_supported_python_is_told_the_same_everywhere():
    declared = [
        one.rpartition(" ")[2]
        for one in project()["project"]["classifiers"]
        if re.fullmatch(r".*:: 3\.\d+", one)
    ]
    assert re.search(r"^OTHER_PYTHONS \?= (.*)$", text("Makefile"), re.MULTILINE).group(1).split() == declared
    assert project()["project"]["requires-python"] == f">={declared[0]}"
    assert f"Python {declared[0]}" in text("README.md")


@pytest.mark.parametrize(
    ("check", "file"),
    [("validate-config", ".pre-commit-config.yaml"), ("validate-manifest", ".pre-commit-hooks.yaml")],
)
def test_pre_commit_takes_our_files(check, file):
    done = subprocess.run(
        [sys.executable, "-m", "pre_commit", check, file],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_the_published_hook_finds_and_refuses_a_wrong_topology(tmp_path):
    (hook,) = yaml.safe_load(text(".pre-commit-hooks.yaml"))
    for name, wanted in (
        ("topology.yaml", True),
        ("a/topology-two.yml", True),
        ("values.yaml", False),
        ("topology.py", False),
    ):
        assert bool(re.search(hook["files"], name)) is wanted, name
    good, bad = tmp_path / "topology.yaml", tmp_path / "topology-bad.yaml"
    good.write_text(text("topology.yaml"))
    bad.write_text(text("topology.yaml").replace("replicas: 3", "replica: 3", 1))
    program, *arguments = hook["entry"].split()
    assert program in project()["project"]["scripts"]
    for files, code in (([good], 0), ([good, bad], 2)):
        done = subprocess.run(
            [sys.executable, "-m", program, *arguments, *map(str, files)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stderr
    assert "did you mean 'replicas'?" in done.stderr


def test_our_own_hook_checks_every_topology_that_we_ship():
    hooks = yaml.safe_load(text(".pre-commit-config.yaml"))["repos"][0]["hooks"]
    (pattern,) = [hook["files"] for hook in hooks if hook["id"] == "validate"]
    others = [*ROOT.glob("examples/*.yaml"), *ROOT.glob("claims/[0-9]*.yaml")]
    shipped = ["topology.yaml", *(str(path.relative_to(ROOT)) for path in others)]
    assert all(re.search(pattern, name) for name in shipped)
    assert not re.search(pattern, "claims/claims.yaml")


@pytest.mark.parametrize("path", sorted(ROOT.glob("examples/*.yaml")), ids=lambda path: path.stem)
def test_every_example_is_in_order_and_told(path):
    done = subprocess.run(
        [sys.executable, "-m", "orchestrator", "validate", str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert path.name in text("examples/README.md")
    assert path.read_text(encoding="utf-8").startswith(
        "# yaml-language-server: $schema=../topology.schema.json\n"
    )


def test_the_schema_beside_the_topology_is_current():
    assert json.loads(text("topology.schema.json")) == schema()


def test_every_measure_is_told():
    told = reference()
    names = (*RUN_MEASURES, *NODE_MEASURES, *SPREADS, *ENDPOINT_MEASURES)
    assert [name for name in names if f"`{name}`" not in told and f"`.{name}`" not in told] == []
