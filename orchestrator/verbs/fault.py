"""What ends a verb early: told to the user once, by the command line."""

from __future__ import annotations

from typing import Any


class CommandError(Exception):
    """A verb cannot go on. `problems` says the same for machines, as `summary.json`'s wrapper holds it."""

    def __init__(
        self, text: str, *, exit_code: int = 2, problems: list[dict[str, Any]] | None = None
    ) -> None:
        """Keep the text as the user is to read it."""
        super().__init__(text)
        self.text = text
        self.exit_code = exit_code
        self.problems = problems or []


def fault(text: str, *, code: str, file: str, hint: str = "", exit_code: int = 2) -> CommandError:
    """A fault that has no place in the topology; `hint` says what to do."""
    problem = {
        "code": code,
        "severity": "error",
        "file": file,
        "line": None,
        "column": None,
        "text": text,
        "hint": hint,
        "path": "",
    }
    told = f"{file}: error: {text}" + (f" ({hint})" if hint else "") + f" [{code}]"
    return CommandError(told, exit_code=exit_code, problems=[problem])
