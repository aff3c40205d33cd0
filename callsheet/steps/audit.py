"""Read the ledger as it is in the database and judge it; ask the provider what is left of the account, where that is wanted."""

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from callsheet import audit as judging
from callsheet.audit import Account, Finding, Statement
from callsheet.steps import draw_up, studio
from callsheet.steps import settings as environment


@dataclass(frozen=True, kw_only=True)
class Audit:
    """What was looked at, and what was found."""

    entries: int
    takes: int
    head: str
    accounts: list[Account]
    findings: list[Finding]
    #: What the provider said now, and when it was asked before; None where it was not asked, or does not tell.
    statement: Statement | None = None
    route: str = ""

    @property
    def is_sound(self) -> bool:
        return all(finding.severity == "note" for finding in self.findings)


async def audit(folder: Path, *, online: bool, noted_head: str = "") -> Audit | None:
    """None where there is no ledger yet. LedgerError; with online also Unauthorized, Unavailable, and the rest of a read.

    online: a statement of the provider is recorded, for the next audit to be held against.
    """
    found = environment.read(environment.find_checkout(folder))
    name = studio.asked_about(found) if online else draw_up.route_name(found, sandbox=False)
    if not draw_up.has_ledger(found):
        return None
    with closing(draw_up.open_ledger(found)) as ledger:
        books = ledger.books()
        findings = judging.findings(books, noted_head=noted_head)
        statement = None
        if online:
            async with studio.reached(found, name) as provider:
                balance = await provider.balance()
            if balance is None:
                findings.append(
                    Finding(severity="note", what=f"the provider of route {name} does not tell what is left")
                )
            else:
                account = provider.route.account
                before = ledger.stated(route=name, account=account)
                statement = ledger.state(route=name, account=account, balance=balance)
                findings += judging.against_statement(before, statement, name) if before else []
    return Audit(
        entries=len(books.entries),
        takes=len(books.takes),
        head=books.head,
        accounts=judging.accounts(books),
        findings=sorted(findings, key=lambda finding: finding.severity == "note"),
        statement=statement,
        route=name,
    )
