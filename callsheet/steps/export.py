"""Tell the films of a campaign to other programs: from its manifest and what a reviewer said. Nothing is spent or sent."""

import os
from pathlib import Path
from typing import NamedTuple

from callsheet import export as tables
from callsheet import naming
from callsheet.errors import NothingToShoot, SpecError
from callsheet.export import Row
from callsheet.sidecar import ManifestEntry
from callsheet.steps import judge, wrap
from callsheet.steps import settings as environment
from callsheet.steps.load import Loaded
from callsheet.steps.shelve import address_of, store_of
from callsheet.verdicts import Verdict

SUFFIX = ".csv"


class Table(NamedTuple):
    """rows: of the films. unseen: how many variants were approved by another film than the one that is there, a draft or one
    that was made again since; nobody has approved what would go out."""

    rows: list[Row]
    unseen: int
    #: How many approvals are of content that the campaign no longer has: words or files were edited since.
    gone: int = 0

    @property
    def spoken_unseen(self) -> str:
        return (
            f"{self.unseen} approved {'variant has' if self.unseen == 1 else 'variants have'} another film now than the one "
            f"that was approved (a draft, or it was made again)"
        )


def export(loaded: Loaded, *, verdicts: Path | None = None, approved: bool = False) -> Table:
    """A row for each film in the archive. verdicts: what was said of them, where it is not beside the manifest. approved: only
    those that were approved. NothingToShoot where there is none; SpecError, ArchiveError."""
    store, folder = store_of(loaded), naming.slug_part(loaded.campaign.name)
    manifest = wrap.manifest_of(loaded, store)
    judged = judge.known(store, manifest) if verdicts is None else judge.exported(verdicts, manifest)
    said = {verdict.key: verdict for verdict in judged.verdicts}
    base = environment.read(loaded.root).archive_url
    found = tables.rows(
        manifest.entries,
        said,
        lambda path: address_of(store, naming.from_manifest(folder, path), base),
        are_drafts=manifest.draft,
    )
    unseen = sum(
        entry.deliverable is not None and _was_approved(said.get(entry.key), entry) for entry in manifest.entries
    )
    there = {entry.key for entry in manifest.entries}
    gone = sum(verdict.says == "approve" and verdict.key not in there for verdict in judged.verdicts)
    table = Table([row for row in found if not approved or row["verdict"] == "approve"], unseen, gone)
    if not table.rows:
        if not found:
            what, hint = "No film of this campaign is in the archive.", f"Run it first: callsheet run {loaded.spec}"
        else:
            more = f": {table.spoken_unseen}" if unseen else ""
            what = f"No film of this campaign was approved{more}."
            hint = f"Judge them: callsheet review {loaded.spec} --serve --open"
        raise NothingToShoot(what, where=str(loaded.spec), hint=hint)
    return table


def _was_approved(verdict: Verdict | None, entry: ManifestEntry) -> bool:
    """As another film."""
    return verdict is not None and verdict.says == "approve" and not verdict.is_of(entry.sha256)


def write(rows: list[Row], target: Path) -> None:
    """The table as a file, whole or not at all. SpecError where it cannot be written, or is to be no .csv."""
    if target.suffix.lower() != SUFFIX:
        raise SpecError(f"a table is written to a {SUFFIX} file.", where=str(target), hint=f"Write --out films{SUFFIX}")
    part = target.with_name(f".{target.name}.part-{os.getpid()}")
    try:
        part.write_text(tables.text(rows), "utf-8", newline="")
        part.replace(target)
    except OSError as error:
        part.unlink(missing_ok=True)
        what = f"the table cannot be written: {error.strerror}."
        raise SpecError(what, where=str(target), hint="Choose another file for --out.") from error
