"""`callsheet plan`: what a run would do and cost now: line by line with the reason of each, and axis by axis."""

import shlex
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from callsheet import breakdown
from callsheet.cli import console, options, views
from callsheet.errors import SpecError
from callsheet.mending import Mended
from callsheet.plan import worst_case
from callsheet.selection import Selection
from callsheet.steps.draw_up import Drawn
from callsheet.work import Work

#: Globs of each option that are shown of a selection: --again-flagged may make hundreds.
MOST_GLOBS = 4

if TYPE_CHECKING:
    from callsheet.suggest import Suggestion


def plan(
    spec: options.Spec,
    only: options.Only = None,
    skip: options.Skip = None,
    limit: options.Limit = None,
    pilot: options.Pilot = None,
    verdicts: options.Verdicts = None,
    promote: options.Promote = None,
    keep_unjudged: options.KeepUnjudged = False,
    again: options.Again = None,
    again_flagged: options.AgainFlagged = False,
    sandbox: Annotated[
        bool | None,
        typer.Option("--sandbox/--paid", help="Plan for the sandbox or the paid provider; by default as the key says."),
    ] = None,
    lines: Annotated[bool, typer.Option("--lines", help="Show every line, however many there are.")] = False,
    why: Annotated[
        str | None, typer.Option("--why", metavar="SLUG", help="Explain one variant: price, parts, what changed.")
    ] = None,
    suggest: Annotated[
        bool, typer.Option("--suggest", help="Name cheaper ways, each with its saving and what to write where.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Keep the plan in a file, for `run --plan FILE`.")
    ] = None,
    json: options.Json = False,
) -> None:
    """Show what a run would do and cost now. Nothing is spent, nothing is sent."""
    from callsheet.steps.draw_up import draw_up
    from callsheet.steps.estimate import estimate
    from callsheet.steps.mend import mend

    on_sandbox = sandbox if sandbox is not None else not has_key(spec)
    if again_flagged:
        again = [*(again or ()), *options.flagged(spec, sandbox=on_sandbox)]
    selection = options.selection(only, skip, again, limit, pilot, verdicts, promote, keep_unjudged)
    _refuse_together(selection, why=why, suggest=suggest, out=out)
    drawn = draw_up(spec, sandbox=on_sandbox, **selection.as_arguments())
    if why is not None:
        from callsheet.steps.explain import explain

        explanation = explain(drawn, why)
        console.document(explanation.as_json()) if json else views.explanation(explanation)
        return
    if out is not None:
        from callsheet.steps import record

        record.write(drawn, out)
    work, files = estimate(drawn), mend(drawn)
    suggestions = _suggestions(drawn) if suggest else None
    if json:
        console.document(document(drawn, work, files, suggestions))
        return
    console.problems(drawn.survey.warnings)
    views.plan(drawn.plan.lines, all_lines=lines)
    views.by_axis(breakdown.by_axis(drawn.plan.lines), breakdown.summed(None, drawn.plan.lines))
    views.mended(files, all_files=lines)
    facts = facts_of(drawn, work, where=where(drawn, assumed=sandbox is None and on_sandbox))
    console.facts(facts)
    if suggestions is not None:
        views.suggestions(suggestions)
    if out is not None:
        console.say(f"Kept in {out}. Run exactly this: callsheet run --plan {shlex.quote(str(out))}")


def _suggestions(drawn: Drawn) -> "Sequence[Suggestion]":
    from callsheet.steps.economise import economise

    return economise(drawn)


def _refuse_together(selection: Selection, *, why: str | None, suggest: bool, out: Path | None) -> None:
    """SpecError for options that ask for different things."""
    if why is not None and (suggest or out is not None):
        other = "--suggest" if suggest else "--out"
        raise SpecError(f"--why explains one variant, and {other} is about the whole plan: they do not go together.")
    if suggest and selection:
        raise SpecError(
            f"--suggest looks at the whole campaign, and {selection.words[0]} leaves some of it out.",
            hint=f"Leave {selection.words[0]} out.",
        )


def document(
    drawn: Drawn, work: Work, files: Sequence[Mended], suggestions: "Sequence[Suggestion] | None" = None
) -> dict[str, Any]:
    """The plan for a program: the stable keys, the money by axis, the work before the first submission with what is done to
    each file and why, what was asked for."""
    worst = worst_case(drawn.plan)
    asked = {} if suggestions is None else {"suggestions": [suggestion.as_json() for suggestion in suggestions]}
    return {
        **asked,
        **drawn.plan.as_json(),
        "axes": [axis.as_json() for axis in breakdown.by_axis(drawn.plan.lines)],
        "pilot": None if drawn.pilot is None else drawn.pilot.as_json(),
        "round": None if drawn.round is None else {**drawn.round.as_json(), "saved": _saved(drawn)},
        "media": [{**one.as_json(), "variants": one.variants} for one in files],
        "work": {**work.as_json(), "worst_case": {"credits": str(worst), "usd": str(worst.usd)}},
    }


def _saved(drawn: Drawn) -> dict[str, str]:
    return {"credits": str(drawn.saved), "usd": str(drawn.saved.usd)}


def facts_of(drawn: Drawn, work: Work, *, where: str) -> Sequence[tuple[str, str]]:
    """The totals of a plan, as `plan` and `run` show them."""
    approve_above = drawn.loaded.campaign.approve_above
    return views.plan_facts(
        drawn.plan,
        where=where,
        work=work,
        selected=_selected(drawn),
        pilot=drawn.pilot,
        approve_above=approve_above,
        review=() if drawn.round is None else views.review_facts(drawn.round, drawn.saved),
    )


def _selected(drawn: Drawn) -> str:
    """Which part of the campaign this is; nothing for all of it."""
    chosen = replace(drawn.selection, verdicts=None, promote=(), keep_unjudged=False)  # a review is told by itself
    if not chosen:
        return ""
    short = replace(chosen, **{name: getattr(chosen, name)[:MOST_GLOBS] for name in ("only", "skip", "again")})
    more = (len(chosen.words) - len(short.words)) // 2
    told = f"{shlex.join(short.words)}{f' and {more} more' if more else ''}"
    return f"{len(drawn.plan.lines)} of the campaign's {len(drawn.loaded.variants)} variants: {told}"


def has_key(spec: options.Spec) -> bool:
    """Is a key of a paid route set for this checkout?"""
    from callsheet.steps import settings

    return settings.read(settings.studio_root(spec)).has_key


def where(drawn: Drawn, *, assumed: bool = False) -> str:
    """The route in words; said plainly when it was chosen for want of a key."""
    if drawn.plan.route == "sandbox":
        why = "\nbecause no EVOLINK_API_KEY is set; --paid plans for the provider" if assumed else ""
        return f"sandbox: free drafts, at the credits that the provider would charge{why}"
    used = Counter(line.route for line in drawn.plan.of("shoot"))
    cards = sorted(drawn.pool.cards, key=lambda card: -used[card.name])
    several = len(cards) > 1 and bool(used)
    lines = [_route(drawn, card.name, used[card.name] if several else None) for card in cards]
    lines += [f"not {entry.card.name}: {entry.key_name} is not set" for entry in drawn.settings.routes if entry.is_idle]
    return "\n".join(lines)


def _route(drawn: Drawn, name: str, jobs: int | None) -> str:
    """jobs: how many would go there; None where that says nothing."""
    addresses = {entry.card.name: entry.api for entry in drawn.settings.routes if entry.api}
    words = f"{name} ({addresses.get(name, drawn.settings.api)})"
    if jobs is None:
        return words
    return f"{words}: {jobs} jobs" if jobs else f"{words}: only where the others are down"
