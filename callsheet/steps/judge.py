"""The verdicts of a campaign: read from beside its manifest, and merged into what is there.

Several boards write at once, on several machines: each merges its own into what it reads, and looks again whether it is
there. On one machine they take turns; on several, one may still write over what another has just looked at, and that one's
page sends it again when it sees that (`templates/script/verdicts.js`).
"""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import ValidationError

from callsheet import naming
from callsheet.archive.store import Store
from callsheet.errors import ArchiveError, SpecError, StoreUnreachable
from callsheet.sidecar import Manifest
from callsheet.steps import clock, private
from callsheet.steps.shelve import Shelf
from callsheet.verdicts import Verdicts, merge, mistake

#: Another machine may write between our reading and our writing; that it does so again and again is not to be expected.
TRIES = 5


def key_of(campaign: str) -> str:
    """Where they are in the archive."""
    return f"{naming.slug_part(campaign)}/verdicts.json"


def known(store: Store, manifest: Manifest) -> Verdicts:
    """What is beside the manifest; nobody has judged anything where there is nothing. ArchiveError."""
    written = store.read(key_of(manifest.campaign))
    if written is None:
        return Verdicts(campaign=manifest.campaign, draft=manifest.draft, plan=manifest.plan, verdicts=[])
    try:
        return Verdicts.model_validate_json(written).known_at(clock.now())
    except ValidationError as error:
        raise ArchiveError(
            f"These are no verdicts: {mistake(error)}.",
            where=store.spoken(key_of(manifest.campaign)),
            hint="Mend the file or move it away: the board then begins without verdicts.",
            spent="no",
        ) from error


def keep(shelf: Shelf, manifest: Manifest, news: Verdicts, *, home: Path) -> Verdicts:
    """Merge into what is beside the manifest, and give all of it. ArchiveError; ValueError for verdicts of something else."""
    if news.campaign != manifest.campaign:
        raise ValueError(f"They are of the campaign {news.campaign!r}, and this is {manifest.campaign!r}.")
    if strange := strangers(manifest, news):
        raise ValueError(f"{len(strange)} of them are of no variant of this campaign, as {strange[0]}.")
    with _alone(home):
        for _ in range(TRIES):
            there = known(shelf.store, manifest)
            merged = merge(there, news.known_at(clock.now()))
            if merged.verdicts == sorted(there.verdicts, key=lambda one: (one.slug, one.key)):
                return there
            shelf.replace_text(key_of(manifest.campaign), merged.model_dump_json(indent=2) + "\n")
    raise StoreUnreachable(
        f"The verdicts were replaced by somebody else {TRIES} times in a row.",
        where=shelf.store.spoken(key_of(manifest.campaign)),
        hint="Try again.",
        spent="no",
    )


def strangers(manifest: Manifest, news: Verdicts) -> list[str]:
    """Slugs of the verdicts whose variant the manifest does not have."""
    there = {entry.key for entry in manifest.entries}
    return [one.slug for one in news.verdicts if one.key not in there]


def exported(file: Path, manifest: Manifest) -> Verdicts:
    """The verdicts of an exported file, of whatever content. SpecError where they are of another campaign, or none."""
    from callsheet.steps import iterate  # knows plans, which a server of verdicts does not need

    news = iterate.read(file)
    if news.campaign != manifest.campaign:
        what = f"holds verdicts of the campaign {news.campaign!r}, and this is {manifest.campaign!r}."
        raise SpecError(what, where=str(file), hint="Name the other campaign's file, or its verdicts.")
    return news


def read_file(file: Path, manifest: Manifest) -> tuple[Verdicts, int]:
    """The same of variants that the campaign has, and how many others were left out. SpecError."""
    news = exported(file, manifest)
    there = {entry.key for entry in manifest.entries}
    ours = [one for one in news.verdicts if one.key in there]
    return news.model_copy(update={"verdicts": ours}), len(news.verdicts) - len(ours)


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    """One process of this machine at a time. The lock dies with its process."""
    place = home / "verdicts.lock"
    try:
        private.folder(home)
        lock = place.open("ab")
    except OSError as error:
        what = f"No verdicts can be kept: {error.strerror or error}."
        raise StoreUnreachable(what, where=str(place), hint="Give this user write access there.", spent="no") from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
