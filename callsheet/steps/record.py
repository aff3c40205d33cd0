"""A plan kept in a file, and drawn up again from it: `plan --out`, `run --plan`. Nothing is spent or sent."""

import os
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from callsheet import planfile
from callsheet.errors import MediaError, PlanChanged, SpecError
from callsheet.planfile import PlanFile
from callsheet.routing import SANDBOX
from callsheet.steps import settings
from callsheet.steps.draw_up import Drawn, draw_up
from callsheet.steps.load import Loaded
from callsheet.steps.survey import hash_of


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """A plan file, where it lies, and the campaign it is of, found from here."""

    file: Path
    plan: PlanFile
    spec: Path

    @property
    def sandbox(self) -> bool:
        return self.plan.route == SANDBOX


def write(drawn: Drawn, target: Path) -> None:
    """Keep the plan in a file, complete or not at all. SpecError where that cannot be; no other file is ever replaced."""
    _refuse_to_replace(target)
    part = target.with_name(f".{target.name}.part-{os.getpid()}")
    try:
        part.write_text(_record(drawn).text(), "utf-8")
        part.replace(target)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise SpecError(
            f"the plan cannot be written: {error.strerror}.", where=str(target), hint="Choose another file for --out."
        ) from error


def _refuse_to_replace(target: Path) -> None:
    try:
        with target.open("rb") as file:
            there = file.read(planfile.MAX_BYTES + 1)
    except OSError:
        return  # nothing that could be lost is there; whether it can be written shows when it is
    if there and not planfile.is_plan(there):
        raise SpecError(
            "this file is no plan, and is not replaced by one.", where=str(target), hint="Choose another for --out."
        )


def read(file: Path, *, spec: Path | None = None, sandbox: bool | None = None) -> Recorded:
    """A plan from its file. spec, sandbox: what else was said on the command line, which has to agree. SpecError."""
    try:
        with file.open("rb") as opened:
            text = opened.read(planfile.MAX_BYTES + 1)
    except OSError as error:
        hint = "Write one with callsheet plan SPEC --out plan.json."
        raise SpecError(f"the plan cannot be read: {error.strerror}.", where=str(file), hint=hint) from error
    plan = planfile.read(text, file=str(file))
    found = Recorded(file=file, plan=plan, spec=spec or _find(plan.spec, file))
    if spec is not None and _shown(spec) != plan.spec:
        hint = "Leave the campaign out: the plan knows it."
        raise SpecError(f"this is a plan of {plan.spec}, and not of {spec}.", where=str(file), hint=hint)
    if sandbox and not found.sandbox:
        hint = "Leave --sandbox out, or draw up a plan with --sandbox."
        raise SpecError(
            f"this is a plan for the route {plan.route}, and not for the sandbox.", where=str(file), hint=hint
        )
    if sandbox is False and found.sandbox:
        hint = "Leave --paid out, or draw up a plan with --paid."
        raise SpecError("this is a plan of free drafts, and not for the provider.", where=str(file), hint=hint)
    return found


def draw_up_again(recorded: Recorded) -> Drawn:
    """The same plan, drawn up now. PlanChanged, naming all that moved, where it is not the same any more."""
    try:
        drawn = draw_up(recorded.spec, sandbox=recorded.sandbox, **recorded.plan.chosen.as_arguments())
    except (SpecError, MediaError) as error:
        if not _is_edited(recorded):
            raise
        raise _changed(recorded, [f"{recorded.plan.spec} was edited: {error.what.rstrip('.')}"]) from error
    moved = planfile.moved(recorded.plan, _record(drawn))
    if moved:
        raise _changed(recorded, moved)
    return drawn


def _changed(recorded: Recorded, moved: Sequence[str]) -> PlanChanged:
    count = f"{len(moved)} thing{'' if len(moved) == 1 else 's'} moved"
    told = f" {'; '.join(moved)}" if len(moved) < 3 else "".join(f"\n    {words};" for words in moved).rstrip(";")
    return PlanChanged(
        f"{count} since this plan was drawn up:{told}.",
        where=str(recorded.file),
        hint=f"Look at it again: callsheet plan {shlex.join(_as_typed(recorded))}",
    )


def _as_typed(recorded: Recorded) -> list[str]:
    """The words behind `callsheet plan` that it was drawn up with."""
    route = "--sandbox" if recorded.sandbox else "--paid"
    return [str(recorded.spec), route, *recorded.plan.chosen.words, "--out", str(recorded.file)]


def _is_edited(recorded: Recorded) -> bool:
    return recorded.spec.is_file() and hash_of(recorded.spec) != recorded.plan.spec_sha256


def _record(drawn: Drawn) -> PlanFile:
    loaded, survey = drawn.loaded, drawn.survey
    shown, variants = loaded.shown, [line.variant for line in drawn.plan.lines]
    clips = [survey.clips[name] for name in {variant.clip for variant in variants if variant.clip}]
    stills = [still for name in {variant.references for variant in variants} for still in survey.stills[name]]
    return planfile.record(
        drawn.plan,
        drawn.selection,
        spec=_shown(loaded.spec),
        spec_sha256=hash_of(loaded.spec),
        media={
            **{shown(clip.path): clip.sha256 for clip in clips},
            **{shown(still.path): still.sha256 for still in stills},
            **{_shown(text): hash_of(text) for text in _texts(loaded)},
            **({drawn.selection.verdicts: hash_of(Path(drawn.selection.verdicts))} if drawn.selection.verdicts else {}),
        },
    )


def _texts(loaded: Loaded) -> Iterator[Path]:
    """The files that the campaign reads besides itself: those it extends, and prompts."""
    yield from map(Path, loaded.campaign.extends)
    prompts = loaded.campaign.document.value.get("prompts", {})
    for form in prompts.values():
        if isinstance(form, dict) and "file" in form:
            yield loaded.root / form["file"]


def _shown(spec: Path) -> str:
    """A campaign as it is called from the root of its checkout."""
    place, root = spec.absolute(), settings.studio_root(spec).absolute()
    place = Path(os.path.normpath(place))
    return str(place.relative_to(root)) if place.is_relative_to(root) else str(place)


def _find(spec: str, file: Path) -> Path:
    """The campaign of a plan: from here, else from the checkout that this or the plan is in."""
    if Path(spec).is_absolute() or Path(spec).is_file():
        return Path(spec)
    return settings.find_checkout(Path.cwd(), file.absolute().parent) / spec
