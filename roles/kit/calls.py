"""Functions that a topology names: `"module:function"`, or `{function: "module:function", with: {...}}`."""

from __future__ import annotations

import functools
import importlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

_JOINS = re.compile(r"\b(?:Optional|Union)\[")
_ARGUMENTS = re.compile(r"\[[^\[\]]*\]")
_CO_GENERATOR = 0x20
"""The flag of a generator function's code. `inspect` knows it too, but each process would import all of that."""


class SetupError(Exception):
    """What the topology asks for is not there; `where` is the key at fault, below the node."""

    def __init__(self, where: str, text: str) -> None:
        self.where = where
        super().__init__(text)


class HaltError(Exception):
    """A process cannot go on, through no fault of its role's; the text is all that is to be told."""


class Function:
    """A function with the arguments that the topology gives it.

    As the annotation of a param it makes the topology name a function: `"module:function"`, or
    `{function: ..., with: {...}}`. `gives_many` says that it is a generator function, whose call gives none or many.
    `function` is what a call comes down to, for loops in which one step more counts.
    """

    def __init__(self, function: Callable[..., Any], *, gives_many: bool, name: str) -> None:
        self.function = function
        self.gives_many = gives_many
        self.name = name

    def __call__(self, *items: Any) -> Any:
        """What the function returns."""
        return self.function(*items)


def takes_function(annotation: str) -> bool:
    """Whether one of the annotation's alternatives is a `Function`; one that is made of them is not."""
    alternatives, found = _JOINS.sub("|", annotation), 1
    while found:
        alternatives, found = _ARGUMENTS.subn("", alternatives)
    return re.search(r"\bFunction\b", alternatives) is not None


def load_function(value: Any, *, param: str) -> Function:
    """The function that `value` names; raises SetupError, `param` its place, where it cannot be had."""
    text, arguments = (value, {}) if isinstance(value, str) else (value["function"], value.get("with") or {})
    where = f"params.{param}"
    module_name, _, function_name = text.partition(":")
    module = load_module(module_name, where=where)
    function: Any = module
    for part in function_name.split("."):
        function = _attribute(function, part, text=text, where=where)
    if not callable(function):
        raise SetupError(where, f"cannot call '{text}': it is no function but a {type(function).__name__}")
    gives_many = _is_generator_function(function)
    if arguments:
        function = functools.partial(function, **arguments)
    return Function(function, gives_many=gives_many, name=text)


def _is_generator_function(function: Any) -> bool:
    while isinstance(function, functools.partial):
        function = function.func
    code = getattr(getattr(function, "__func__", function), "__code__", None)
    return code is not None and bool(code.co_flags & _CO_GENERATOR)


def load_module(name: str, *, where: str) -> Any:
    """The module of that name; raises SetupError where it cannot be imported, with the reason."""
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and (name == error.name or name.startswith(f"{error.name}.")):
            raise SetupError(
                where,
                f"cannot find module '{name}' (it is looked for beside the topology, then among what is installed)",
            ) from None
        raise SetupError(where, f"cannot import '{name}': {error}") from error
    except Exception as error:
        raise SetupError(where, f"cannot import '{name}': {type(error).__name__}: {error}") from error
    _refuse_a_shadow(name, module, where=where)
    return module


def _refuse_a_shadow(name: str, module: Any, *, where: str) -> None:
    """A module beside the topology that has the name of one which Python has loaded already is never found."""
    own = Path.cwd() / f"{name.partition('.')[0]}.py"
    loaded = getattr(module, "__file__", None) or ""
    if own.exists() and Path(loaded).parent.resolve() != own.parent.resolve():
        raise SetupError(
            where, f"cannot use your '{own.name}': Python has a module of that name (rename yours)"
        )


def _attribute(owner: Any, name: str, *, text: str, where: str) -> Any:
    try:
        return getattr(owner, name)
    except AttributeError:
        import difflib  # noqa: PLC0415 - for a mistake alone

        near = difflib.get_close_matches(name, dir(owner), n=1)
        hint = f" (did you mean '{near[0]}'?)" if near else ""
        raise SetupError(where, f"cannot find '{name}' of '{text}'{hint}") from None
