"""Functions that a topology names."""

from __future__ import annotations

import typing

import pytest

from roles.kit.calls import Function, SetupError, load_function, takes_function


def test_a_plain_function_gives_one_result_none_included() -> None:
    call = load_function("roles.functions:sleep_ms", param="call")
    assert not call.gives_many
    assert call(0) is None


def test_a_function_gets_the_arguments_that_the_topology_gives_it() -> None:
    call = load_function({"function": "json:dumps", "with": {"indent": 1}}, param="call")
    assert call([1]) == "[\n 1\n]"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("no_such_module:f", "cannot find module 'no_such_module'"),
        ("json:dump_s", r"cannot find 'dump_s' of 'json:dump_s' \(did you mean 'dumps'\?\)"),
        ("json:__name__", "it is no function but a str"),
    ],
)
def test_what_is_not_there_is_told(name: str, text: str) -> None:
    with pytest.raises(SetupError, match=text) as told:
        load_function(name, param="fold")
    assert told.value.where == "params.fold"


@pytest.mark.parametrize(
    ("annotation", "wanted"),
    [("Function", True), ("Function | None", True), ("kit.Function | None", True), ("FunctionTable", False),
     ("list[Function]", False), ("dict[str, Function]", False), ("dict[str, list[Function]] | None", False), ("Optional[list[Function]]", False),
     ("list[str] | Function", True), ("str | None", False), ("Optional[Function]", True),
     ("Union[Function, None]", True), ("'Function'", True), ("None | Function", True),
     (str(Function), True), (str(Function | None), True), (str(typing.Optional[Function]), True)],  # noqa: UP045
)  # fmt: skip
def test_a_param_takes_a_function_where_it_is_one(annotation, wanted):
    assert takes_function(annotation) is wanted
