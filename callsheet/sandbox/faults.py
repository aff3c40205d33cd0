"""Faults on cue: what goes wrong at this server, when, and how often, as a file or an admin's request says it.

The same seed and the same requests in the same order give the same faults. Counts are kept in memory only.
"""

from collections.abc import Collection
from dataclasses import dataclass
from fnmatch import fnmatchcase
from random import Random
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from callsheet import yamltext
from callsheet.errors import Problem, SpecInvalid
from callsheet.nearest import did_you_mean, listed

Point = Literal["submit", "status", "batch", "list", "credits", "models", "upload", "result", "render", "callback"]
Deed = Literal[
    "refuse", "delay", "drop", "lose", "misreport", "page", "stall", "truncate", "expire", "hide", "fail", "spoil"
]

#: What can be wrong with a film (`spoiling`).
Defect = Literal["frozen", "black", "flicker", "green", "stretched", "silent", "late", "unchanged"]

#: What can be done to a request and its answer, wherever it goes.
OF_REQUESTS: tuple[Deed, ...] = ("refuse", "delay", "drop", "lose", "misreport", "page", "stall")
#: What can be done where.
DEEDS: dict[Point, tuple[Deed, ...]] = {
    "submit": OF_REQUESTS,
    "status": OF_REQUESTS,
    "batch": OF_REQUESTS,
    "list": (*OF_REQUESTS, "hide"),
    "credits": OF_REQUESTS,
    "models": OF_REQUESTS,
    "upload": OF_REQUESTS,
    "result": (*OF_REQUESTS, "truncate", "expire"),
    "render": ("fail", "delay", "stall", "spoil"),
    "callback": ("drop",),
}
#: Seconds that a stall lasts where nothing else is said: longer than any client waits.
FOR_EVER = 3600.0
MOST_RULES = 1000


class Rule(BaseModel):
    """One fault. `on`: where; `do`: what; which of the requests there: `model`, `prompt` (globs), `skip`, `every`, `times`,
    `probability`.

    Tested in this order: a request that the globs do not fit is not counted; the first `skip` pass; of the rest every
    `every`-th; of those a share of `probability`; and no more than `times` in all.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    on: Point
    do: Deed
    model: str = "*"
    prompt: str = "*"
    skip: int = Field(default=0, ge=0)
    every: int = Field(default=1, ge=1)
    times: int | None = Field(default=None, ge=1)
    probability: float = Field(default=1.0, ge=0, le=1)
    #: HTTP status of refuse and misreport; `code` is the machine string of a refusal, or the code of a failed task.
    status: int = Field(default=503, ge=400, le=599)
    code: str = Field(default="service_unavailable", max_length=100)
    message: str = Field(default="A fault on cue.", max_length=1000)
    retry_after: int | None = Field(default=None, ge=0)
    #: Before anything else is done; of a stall, how long it lasts; of `hide`, the age below which a task is not listed.
    seconds: float = Field(default=0.0, ge=0, le=86_400)
    #: Of truncate: how many come through.
    bytes: int = Field(default=1000, ge=0)
    #: Of spoil: what is wrong with the film.
    film: Defect = "frozen"

    @model_validator(mode="after")
    def _fits(self) -> "Rule":
        if self.do not in DEEDS[self.on]:
            raise ValueError(
                f"`do: {self.do}` is not possible on {self.on}; there it is one of {', '.join(DEEDS[self.on])}"
            )
        return self


class Script(BaseModel):
    """A file of faults: a seed for the probabilities, and the rules. The first rule that comes true is done."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: int = 0
    faults: tuple[Rule, ...] = Field(default=(), max_length=MOST_RULES)


@dataclass
class _Count:
    rule: Rule
    dice: Random
    seen: int = 0
    done: int = 0

    def comes_true(self) -> bool:
        rule, self.seen = self.rule, self.seen + 1
        if self.seen <= rule.skip or (self.seen - rule.skip) % rule.every:
            return False
        if self.dice.random() >= rule.probability or (rule.times is not None and self.done >= rule.times):
            return False
        self.done += 1
        return True


class Faults:
    """The rules in force, and how often each has come true."""

    def __init__(self, script: Script | None = None) -> None:
        self.follow(script or Script())

    def follow(self, script: Script) -> None:
        """These rules from now on, all counts at zero."""
        self.script = script
        self._counts = [_Count(rule, Random(f"{script.seed}/{number}")) for number, rule in enumerate(script.faults)]  # noqa: S311

    def watches(self, point: Point) -> bool:
        return any(count.rule.on == point for count in self._counts)

    def cue(
        self, point: Point, *, model: str = "", prompt: str = "", deeds: Collection[Deed] | None = None
    ) -> Rule | None:
        """What is to go wrong now; None for nothing. deeds: only these, the others are somebody else's."""
        for count in self._counts:
            rule = count.rule
            if rule.on != point or (deeds is not None and rule.do not in deeds):
                continue
            if not (fnmatchcase(model, rule.model) and fnmatchcase(prompt, rule.prompt)):
                continue
            if count.comes_true():
                return rule
        return None

    def told(self) -> dict[str, Any]:
        """The rules and how often each came true, for an admin."""
        rows = [
            {**count.rule.model_dump(exclude_defaults=True), "seen": count.seen, "done": count.done}
            for count in self._counts
        ]
        return {"seed": self.script.seed, "faults": rows}


def read(text: str | bytes, *, file: str = "faults") -> Script:
    """A file of faults (YAML 1.2, or JSON): a list of rules, or `seed` and `faults`. SpecSyntax, SpecInvalid."""
    document = yamltext.read(text, file=file)
    is_list = isinstance(document.value, list)
    value = {"faults": document.value} if is_list else document.value
    try:
        return Script.model_validate({} if value is None else value)
    except ValidationError as error:
        found = [_problem(document, one, is_list=is_list) for one in error.errors()]
        raise SpecInvalid(found) from None


def _problem(document: yamltext.Document, mistake: ErrorDetails, *, is_list: bool) -> Problem:
    path, kind = mistake["loc"][1:] if is_list else mistake["loc"], mistake["type"]
    message, hint = mistake["msg"].removeprefix("Value error, "), ""
    is_key = kind == "extra_forbidden"
    if is_key:
        known = tuple(Rule.model_fields if "faults" in mistake["loc"] else Script.model_fields)
        close = did_you_mean(str(path[-1]), known)
        message, hint = (
            f"unknown key `{path[-1]}`{close}",
            "" if close else f"The keys here are {listed(known, most=20)}.",
        )
    elif kind == "missing":
        message, path = f"the key `{path[-1]}` is missing", path[:-1]
    elif kind == "literal_error":
        known = {"on": get_args(Point), "do": get_args(Deed), "film": get_args(Defect)}[str(path[-1])]
        message += did_you_mean(str(mistake["input"]), known)
    line, column = document.place(path, key=is_key)
    shown = "" if is_key else yamltext.dotted(path)
    return Problem(file=document.file, line=line, column=column, path=shown, message=message, hint=hint)
