"""Text -> the catalogue: which claims there are, what shows them, and how often they must be seen. Pure."""

from __future__ import annotations

import re
from typing import Annotated, Literal

import msgspec
import yaml

from orchestrator.topology.conditions import Condition, ConditionError, condition_of
from prover.measured import Expression, ExpressionError, expression, placeholders

RUN_TIMEOUT = "60s"


class CatalogueError(Exception):
    """The catalogue cannot be read; the text says why, and where."""


class Entry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of what the catalogue holds."""


class Check(Entry, frozen=True, kw_only=True):
    """A measure, or the ratio of two, that must meet a condition in all runs, or in `at_least` so many of them.

    Its parts name the pattern first: `fixed.elapsed_s / scaled.elapsed_s`.
    """

    measure: str
    condition: int | float | str | list[int | float | str]
    at_least: int | Literal["all"] = "all"

    @property
    def expression(self) -> Expression:
        """The measure, read; raises ExpressionError."""
        return expression(self.measure)

    @property
    def parsed(self) -> Condition:
        """The condition, read; raises ConditionError."""
        return condition_of(self.condition)

    def needed(self, runs: int) -> int:
        """In how many of so many runs it must hold."""
        return runs if self.at_least == "all" else self.at_least


class Claim(Entry, frozen=True, kw_only=True):
    """One claim: a sentence, the topology that shows it, and what is to be told of it.

    `measured` is a text with measures in braces. `wants` names patterns whose run must fail, with the kinds of problems
    that it must tell, those and no others; all other patterns must pass. `runs` is how often the file is run.
    """

    number: int
    claim: str
    file: str
    measured: str
    runs: Annotated[int, msgspec.Meta(ge=1)] = 1
    timeout: str = RUN_TIMEOUT
    wants: dict[str, list[str]] = {}
    checks: dict[str, Check] = {}

    @property
    def name(self) -> str:
        """The file's name without its ending: `12-more-workers`."""
        return self.file.removesuffix(".yaml")


def read_catalogue(text: str) -> tuple[Claim, ...]:
    """The claims in the order of their numbers; raises CatalogueError."""
    try:
        claims = msgspec.convert(yaml.safe_load(text), list[Claim])
    except yaml.YAMLError as error:
        raise CatalogueError(f"cannot read the catalogue: {error}") from error
    except msgspec.ValidationError as error:
        raise CatalogueError(f"cannot read the catalogue: {error}") from error
    for claim in claims:
        _check_claim(claim)
    numbers = [claim.number for claim in claims]
    twice = sorted({number for number in numbers if numbers.count(number) > 1})
    if twice:
        raise CatalogueError(f"cannot tell claims apart: number {twice[0]} stands there twice")
    return tuple(sorted(claims, key=lambda claim: claim.number))


def chosen(claims: tuple[Claim, ...], only: str) -> tuple[Claim, ...]:
    """The claims whose numbers `only` names, separated by commas; raises CatalogueError where one is not there."""
    known = {str(claim.number): claim for claim in claims}
    wanted = [number.strip().lstrip("0") for number in only.split(",")]
    missing = [number for number in wanted if number not in known]
    if missing:
        raise CatalogueError(f"cannot find claim '{missing[0]}' (there are {', '.join(known)})")
    return tuple(claim for claim in claims if str(claim.number) in wanted)


def _check_claim(claim: Claim) -> None:
    where = f"claim {claim.number}"
    if not re.fullmatch(rf"{claim.number:02d}-[a-z0-9-]+\.yaml", claim.file):
        raise CatalogueError(
            f"{where}: cannot take '{claim.file}' (name it {claim.number:02d}-SOMETHING.yaml)"
        )
    for name, check in claim.checks.items():
        if check.needed(claim.runs) not in range(1, claim.runs + 1):
            raise CatalogueError(
                f"{where}: {name} cannot hold in {check.at_least} of {claim.runs} runs (give it more runs)"
            )
        try:
            _ = check.expression, check.parsed
        except (ExpressionError, ConditionError) as error:
            raise CatalogueError(f"{where}: {name}: {error}") from error
    try:
        named = {one.check for one in placeholders(claim.measured) if one.check}
    except ExpressionError as error:
        raise CatalogueError(f"{where}: measured: {error}") from error
    if not named <= set(claim.checks):
        raise CatalogueError(
            f"{where}: measured names a check that is not there: {min(named - set(claim.checks))}"
        )
