"""`callsheet plan`: what a run would do and cost now, line by line, with the reason of each."""

from typing import Annotated

import typer

from callsheet.cli import console, options
from callsheet.steps.draw_up import Drawn


def plan(
    spec: options.Spec,
    only: options.Only = None,
    again: options.Again = None,
    sandbox: Annotated[
        bool | None,
        typer.Option("--sandbox/--paid", help="Plan for the sandbox or the paid provider; by default as the key says."),
    ] = None,
    json: options.Json = False,
) -> None:
    """Show what a run would do and cost now. Nothing is spent, nothing is sent."""
    from callsheet.steps.draw_up import draw_up

    on_sandbox = sandbox if sandbox is not None else not has_key(spec)
    drawn = draw_up(spec, sandbox=on_sandbox, only=only or (), again=again or ())
    if json:
        console.document(drawn.plan.as_json())
        return
    console.problems(drawn.survey.warnings)
    console.plan(drawn.plan, where=where(drawn, assumed=sandbox is None and on_sandbox))


def has_key(spec: options.Spec) -> bool:
    """Is a key of the paid provider set for this checkout?"""
    from callsheet.steps import settings

    return settings.read(settings.studio_root(spec)).api_key is not None


def where(drawn: Drawn, *, assumed: bool = False) -> str:
    """The route in words; said plainly when it was chosen for want of a key."""
    if drawn.plan.route == "sandbox":
        why = "\nbecause no EVOLINK_API_KEY is set; --paid plans for the provider" if assumed else ""
        return f"sandbox: free drafts, at the credits that the provider would charge{why}"
    return f"{drawn.plan.route} ({drawn.settings.api})"
