"""`callsheet reconcile`: what a dead run left, finished; what is in doubt, listed with what settles it."""

from typing import Annotated

import typer

from callsheet.cli import completion, console, options, run
from callsheet.cli.plan import has_key
from callsheet.errors import LedgerError
from callsheet.take import State


def reconcile(
    spec: options.Spec,
    sandbox: options.Sandbox = False,
    accepted: Annotated[
        tuple[int, str] | None,
        typer.Option(metavar="TAKE JOB", help="The provider has take TAKE as job JOB: follow it."),
    ] = None,
    not_accepted: Annotated[
        int | None,
        typer.Option(
            metavar="TAKE",
            help="The provider never had take TAKE: release its hold.",
            autocompletion=completion.takes_in_doubt,
        ),
    ] = None,
    ephemeral: Annotated[bool, typer.Option("--ephemeral", help="Without a Prefect server.")] = False,
    json: options.Json = False,
) -> None:
    """Finish every live take of a campaign; nothing new is bought. A take in doubt can be settled by hand."""
    from callsheet.steps import draw_up, settings
    from callsheet.steps.load import resolve

    found = settings.read(resolve(spec).root)
    ledger = draw_up.open_ledger(found)
    try:
        if accepted:
            ledger.submitted(accepted[0], job=accepted[1])
        if not_accepted is not None:
            ledger.released(not_accepted, reason="a person says that it was not accepted")
        doubtful = [take for take in ledger.takes() if take.state is State.IN_DOUBT]
    except KeyError as error:
        raise LedgerError(f"there is no take {error}.", hint="`callsheet status` lists them.") from None
    finally:
        ledger.close()
    for take in doubtful:
        console.say(f"take {take.id} {take.slug}: in doubt since {take.updated_at:%Y-%m-%d %H:%M} UTC: {take.reason}")
        console.say(f"    It is at the provider as job JOB:  callsheet reconcile {spec} --accepted {take.id} JOB")
        console.say(f"    The provider never had it:         callsheet reconcile {spec} --not-accepted {take.id}")
    on_sandbox = sandbox or not has_key(spec)
    if on_sandbox and not sandbox:
        console.say("No EVOLINK_API_KEY is set, so only takes of the sandbox are finished.")
    run.run(spec, sandbox=on_sandbox, yes=True, attach_only=True, ephemeral=ephemeral, json=json)
