"""`callsheet audit`: does the ledger agree with its journal, and with what the provider says? Nothing is changed."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from callsheet.cli import console, options, tables

if TYPE_CHECKING:
    from callsheet.steps.audit import Audit


def audit(
    online: Annotated[
        bool, typer.Option("--online", help="Ask the provider what is left, and hold that against the ledger.")
    ] = False,
    head: Annotated[
        str,
        typer.Option("--head", metavar="HASH", help="A head that was noted earlier has to be in the journal still."),
    ] = "",
    json: options.Json = False,
) -> None:
    """Check the ledger: its journal, its takes, its money. Nothing is changed."""
    from callsheet.steps.audit import audit as look

    found = asyncio.run(look(Path.cwd(), online=online, noted_head=head))
    if found is None:
        console.document({"ok": True, **_nothing()}) if json else console.tell("There is no ledger yet.")
        return
    console.document({"ok": found.is_sound, **_document(found)}) if json else _tell(found)
    if not found.is_sound:
        raise typer.Exit(6)


def _tell(found: "Audit") -> None:
    if found.accounts:
        cells = [
            (one.campaign, one.route, one.held.spoken, one.charged.spoken, one.reported.spoken, str(one.unreported))
            for one in found.accounts
        ]
        names = ("campaign", "route", "held", "charged", "the provider reported", "unreported")
        tables.table(names, cells, right=("unreported",))
        console.tell()
    for finding in found.findings:
        console.tell(f"{'wrong' if finding.severity == 'no' else 'note':<10} {finding.what}")
    console.tell(f"journal    {found.entries} entries, {found.takes} takes")
    console.tell(f"head       {found.head}")
    if found.statement is not None:
        console.tell(f"provider   {found.statement.balance.spoken} left on route {found.route}")
    wrong = sum(finding.severity == "no" for finding in found.findings)
    console.tell(f"result     {f'{wrong} wrong' if wrong else 'the ledger is as it was written'}")


def _document(found: "Audit") -> dict[str, Any]:
    return {
        "entries": found.entries,
        "takes": found.takes,
        "head": found.head,
        "findings": [{"severity": one.severity, "message": one.what} for one in found.findings],
        "money": [
            {
                "campaign": one.campaign,
                "route": one.route,
                "held": str(one.held),
                "charged": str(one.charged),
                "reported": str(one.reported),
                "unreported": one.unreported,
            }
            for one in found.accounts
        ],
        "online": None
        if found.statement is None
        else {"route": found.route, "at": found.statement.at.isoformat(), "balance": str(found.statement.balance)},
    }


def _nothing() -> dict[str, Any]:
    return {"entries": 0, "takes": 0, "head": "", "findings": [], "money": [], "online": None}
