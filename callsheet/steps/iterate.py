"""The next round of a campaign: read what a review said, and find out what of it is still meant. Nothing is spent or sent."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from pydantic import ValidationError

from callsheet import plan as planning
from callsheet import rounds
from callsheet.errors import SpecError
from callsheet.rounds import Round
from callsheet.steps.load import Loaded
from callsheet.steps.survey import Survey, survey
from callsheet.sweep import Variant
from callsheet.verdicts import LARGEST, SCHEMA_VERSION, Verdicts, mistake
from callsheet.yamltext import shown

_EXPORT = "The review board exports verdicts.json; in an archive on a disk it lies beside manifest.json."


def read(file: Path) -> Verdicts:
    """The verdicts in this file. SpecError where there are none, or they are of a later version."""
    try:
        with file.open("rb") as opened:
            text = opened.read(LARGEST + 1)
    except OSError as error:
        raise SpecError(f"the verdicts cannot be read: {error.strerror}.", where=str(file), hint=_EXPORT) from error
    if len(text) > LARGEST:
        raise SpecError(f"verdicts have at most {LARGEST:,} bytes, and this has more.", where=str(file), hint=_EXPORT)
    try:
        return Verdicts.model_validate_json(text)
    except ValidationError as error:
        raise _unreadable(file, error) from None


def _unreadable(file: Path, error: ValidationError) -> SpecError:
    first = error.errors(include_url=False)[0]
    if first["loc"] == ("schema_version",) and isinstance(first["input"], int):
        what = f"these verdicts are of version {first['input']}, and this Callsheet reads version {SCHEMA_VERSION}."
        return SpecError(what, where=str(file), hint="Use the Callsheet that wrote them, or a later one.")
    told = mistake(error)
    return SpecError(f"these are no verdicts: {told[:1].lower()}{told[1:]}.", where=str(file), hint=_EXPORT)


def iterate(
    loaded: Loaded,
    surveyed: Survey,
    home: Path,
    file: Path,
    promote: Sequence[str],
    *,
    films_of: Callable[[Collection[str]], Mapping[str, str]],
    keep_unjudged: bool = False,
) -> tuple[Loaded, Survey, Round]:
    """The campaign with what the verdicts in `file` add to it, surveyed; and what they leave of it. films_of: SHA-256 of what
    is archived on the route, by content key.

    SpecError for verdicts of another campaign, for a file that holds none, and as `rounds.next_round`; SpecInvalid where a
    clip is none for the model that it is promoted to.
    """
    judged, promoted = read(file), rounds.promotion(promote)
    if judged.campaign != loaded.campaign.name:
        raise SpecError(
            f"these are verdicts of the campaign {shown(judged.campaign)}, and not of {loaded.campaign.name}.",
            where=str(file),
            hint=_EXPORT,
        )
    variants = loaded.variants
    before = rounds.restored(variants, judged.verdicts)
    both, seen = _with(loaded, surveyed, home, before)
    keys = planning.keys_of(both.variants, {variant.label: seen.footage(variant) for variant in both.variants})
    meant = {verdict.key for verdict in judged.verdicts}
    earlier = [variant for variant in before if keys[variant.label] in meant]
    images = {name: len(files) for name, files in loaded.stills.items()}
    films = films_of(set(keys.values()))
    found = rounds.next_round(
        variants, earlier, keys, judged, promoted, images, films=films, keep_unjudged=keep_unjudged
    )
    further, seen = _with(loaded, surveyed, home, found.added)
    return further, seen, found


def _with(loaded: Loaded, surveyed: Survey, home: Path, added: tuple[Variant, ...]) -> tuple[Loaded, Survey]:
    """The campaign with these variants too. The files are known by then; only what is new about them is looked at."""
    if not added:
        return loaded, surveyed
    more = replace(loaded, added=added)
    return more, survey(more, home)
