"""A plan as a file: what was drawn up from what, so that a run can be held to exactly it, or say what moved since."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from callsheet import catalogue, digest
from callsheet.credits import Credits
from callsheet.errors import SpecError
from callsheet.nearest import listed
from callsheet.plan import Line, Plan
from callsheet.selection import Selection

#: Raised whenever a field changes its meaning, goes away, or is needed to tell what moved.
VERSION = 1
#: The key that makes a JSON document a plan of ours.
MARK = "callsheet_plan"
#: Bytes of a plan file; one of 10,000 lines has a quarter of that.
MAX_BYTES = 16_000_000
#: Lines that are named in an error, of those that turned in one way; and ways.
LINES_NAMED, WAYS_NAMED = 3, 8


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class SelectionRecord(_Record):
    only: list[str]
    skip: list[str]
    again: list[str]
    limit: int | None
    pilot: str | None
    verdicts: str | None = None
    promote: list[str] = []
    keep_unjudged: bool = False


class LineRecord(_Record):
    label: str
    key: str
    action: str
    credits: str
    #: The newest take of this content that was known.
    supersedes: int


class PlanFile(_Record):
    """`spec` and the names in `media` are as a person writes them in the checkout. All digests are SHA-256."""

    callsheet_plan: int
    campaign: str
    spec: str
    spec_sha256: str
    route: str
    selection: SelectionRecord
    digest: str
    credits: str
    usd: str
    budget: str | None
    #: The catalogue's entry of each model: limits and price rule.
    models: dict[str, str]
    #: Every file but the campaign itself: clips, images, what it extends, prompts.
    media: dict[str, str]
    lines: list[LineRecord]

    @property
    def chosen(self) -> Selection:
        """The selection that it was drawn up with."""
        asked = self.selection
        return Selection(
            only=tuple(asked.only),
            skip=tuple(asked.skip),
            again=tuple(asked.again),
            limit=asked.limit,
            pilot=asked.pilot,
            verdicts=asked.verdicts,
            promote=tuple(asked.promote),
            keep_unjudged=asked.keep_unjudged,
        )

    def text(self) -> str:
        """The file."""
        return self.model_dump_json(indent=1) + "\n"


def record(plan: Plan, selection: Selection, *, spec: str, spec_sha256: str, media: Mapping[str, str]) -> PlanFile:
    """The file of this plan."""
    names = sorted({line.variant.model for line in plan.lines})
    return PlanFile(
        callsheet_plan=VERSION,
        campaign=plan.campaign,
        spec=spec,
        spec_sha256=spec_sha256,
        route=plan.route,
        selection=SelectionRecord(**selection.as_arguments()),
        digest=plan.digest,
        credits=str(plan.credits),
        usd=str(plan.credits.usd),
        budget=None if plan.budget.limit is None else str(plan.budget.limit),
        models={name: digest_of_model(catalogue.model(name)) for name in names},
        media=dict(sorted(media.items())),
        lines=[_line(line) for line in plan.lines],
    )


def digest_of_model(model: catalogue.Model) -> str:
    """The digest of everything that the catalogue says of a model."""
    return digest.of_bytes(json.dumps(asdict(model), sort_keys=True, default=str).encode())


def _line(line: Line) -> LineRecord:
    return LineRecord(
        label=line.variant.label,
        key=line.key,
        action=line.action,
        credits=str(line.credits),
        supersedes=line.supersedes,
    )


def read(text: bytes, *, file: str) -> PlanFile:
    """The plan in this text. SpecError where it is none, is of another version, or is damaged; `file` is where it lies."""
    written = _document(text, file)
    if written[MARK] != VERSION:
        raise SpecError(
            f"this plan is of version {written[MARK]}, and this Callsheet reads version {VERSION}.",
            where=file,
            hint="Draw it up again with callsheet plan SPEC --out.",
        )
    try:
        return PlanFile.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        at = ".".join(str(step) for step in first["loc"])
        raise SpecError(
            f"this plan is damaged: {at}: {first['msg'][:1].lower()}{first['msg'][1:]}.",
            where=file,
            hint="Draw it up again with callsheet plan SPEC --out.",
        ) from None


def is_plan(text: bytes) -> bool:
    """Is this a plan of ours, of whatever version?"""
    try:
        _document(text, "")
    except SpecError:
        return False
    return True


def _document(text: bytes, file: str) -> dict[str, Any]:
    try:
        written = json.loads(text) if len(text) <= MAX_BYTES else None
    except (ValueError, RecursionError):
        written = None
    if not isinstance(written, dict) or MARK not in written:
        raise SpecError(
            "this is not a plan of Callsheet.", where=file, hint="Write one with callsheet plan SPEC --out plan.json."
        )
    return written


# --- what moved -----------------------------------------------------------------------------------------------------


def moved(then: PlanFile, now: PlanFile) -> tuple[str, ...]:
    """Everything that is not as it was when the plan was drawn up, each in a few words; nothing where the plan holds."""
    found = [*_sources(then, now), *_lines(then, now)]
    if not found and then.digest != now.digest:
        found.append(f"plan {digest.short(then.digest)} is plan {digest.short(now.digest)} now")
    return tuple(found)


def _sources(then: PlanFile, now: PlanFile) -> Iterator[str]:
    if then.campaign != now.campaign:
        yield f"the campaign is called {now.campaign} and not {then.campaign}"
    if then.spec_sha256 != now.spec_sha256:
        yield f"{now.spec} was edited"
    for file in sorted(then.media.keys() & now.media.keys()):
        if then.media[file] != now.media[file]:
            yield f"{file} has other bytes"
    if gone := sorted(then.media.keys() - now.media.keys()):
        yield f"{listed(gone)} {_is(gone)} not used any more"
    if new := sorted(now.media.keys() - then.media.keys()):
        yield f"{listed(new)} {_is(new)} used besides"
    for model in sorted(then.models.keys() & now.models.keys()):
        if then.models[model] != now.models[model]:
            yield f"the price table says something else of {model}"
    if then.budget != now.budget:
        yield f"the budget is {_amount(now.budget)} and not {_amount(then.budget)}"
    if then.route != now.route:
        yield f"the route is {now.route} and not {then.route}"


def _lines(then: PlanFile, now: PlanFile) -> Iterator[str]:
    """What became of the lines, by what happened to them: a few of each by name."""
    before = {line.label: line for line in then.lines}
    after = {line.label: line for line in now.lines}
    turned: dict[str, list[str]] = {}
    for label in before | after:
        if how := _turned(before.get(label), after.get(label)):
            turned.setdefault(how, []).append(label)
    ways = [_spoken(labels, how) for how, labels in turned.items()]
    yield from ways[:WAYS_NAMED]
    if len(ways) > WAYS_NAMED:
        yield f"{sum(map(len, list(turned.values())[WAYS_NAMED:]))} more lines changed like that"


def _turned(before: LineRecord | None, after: LineRecord | None) -> str:
    """How, in the words for one line."""
    if before is None:
        return "is new" if after else ""
    if after is None:
        return "is not in it any more"
    if before.action != after.action:
        return f"was {before.action} and is {after.action}"
    if before.key != after.key:
        return "has other content"
    if before.supersedes != after.supersedes:
        return f"has a newer take, {after.supersedes}"
    if before.credits != after.credits:
        return f"cost {before.credits} credits and would cost {after.credits} now"
    return ""


def _spoken(labels: list[str], how: str) -> str:
    """Lines that turned in one way: a few of them by name."""
    if len(labels) == 1:
        return f"{labels[0]} {how}"
    many = how.replace("was ", "were ").replace("is ", "are ").replace("has ", "have ")
    return f"{len(labels)} lines {many}: {listed(labels, most=LINES_NAMED)}"


def _is(files: list[str]) -> str:
    return "is" if len(files) == 1 else "are"


def _amount(budget: str | None) -> str:
    return "none" if budget is None else Credits.of(budget).spoken
