"""Which variants of a campaign a plan is about, as a person asks for them on the command line."""

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from callsheet.errors import NothingToShoot, SpecError
from callsheet.nearest import did_you_mean, listed
from callsheet.sweep import Variant
from callsheet.yamltext import shown

#: The ways to choose a pilot.
PILOTS = ("pairwise",)


@dataclass(frozen=True, kw_only=True)
class Selection:
    """only, skip, again: globs of slugs. limit: most variants to shoot. pilot: how a small set of them is chosen.
    verdicts: the file of a review that they have been through; promote: where its winners go on; keep_unjudged: what
    nobody judged stays, even of a look that was rejected.

    SpecError for a limit below 1 and for an unknown kind of pilot.
    """

    only: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    again: tuple[str, ...] = ()
    limit: int | None = None
    pilot: str | None = None
    verdicts: str | None = None
    promote: tuple[str, ...] = ()
    keep_unjudged: bool = False

    def __post_init__(self) -> None:
        if self.limit is not None and self.limit < 1:
            raise SpecError(f"{self.limit} is not a number of variants.", where="--limit", hint="Write 1 or more.")
        if self.pilot is not None and self.pilot not in PILOTS:
            near = did_you_mean(self.pilot, PILOTS) or "."
            hint = f"Write --pilot {listed(PILOTS, last='or')}."
            raise SpecError(f"there is no pilot {shown(self.pilot)}{near}", where="--pilot", hint=hint)
        if self.promote and self.verdicts is None:
            hint = "Write --verdicts verdicts.json: the review board exports that file."
            raise SpecError("winners are known from a review only.", where="--promote", hint=hint)
        if self.keep_unjudged and self.verdicts is None:
            hint = "Write --verdicts verdicts.json as well, or leave it out: without verdicts nothing is left out."
            raise SpecError("what was judged is known from a review only.", where="--keep-unjudged", hint=hint)

    def __bool__(self) -> bool:
        """Does it leave anything out, or add anything?"""
        return self != Selection()

    def as_arguments(self) -> dict[str, Any]:
        """Plain values by name: what a flow and a plan file are given."""
        return {
            "only": list(self.only),
            "skip": list(self.skip),
            "again": list(self.again),
            "limit": self.limit,
            "pilot": self.pilot,
            "verdicts": self.verdicts,
            "promote": list(self.promote),
            "keep_unjudged": self.keep_unjudged,
        }

    def of(self, variants: Sequence[Variant]) -> tuple[Variant, ...]:
        """The variants that --only names and --skip does not. NothingToShoot when none is left."""
        chosen = matching(variants, self.only, "--only") if self.only else tuple(variants)
        if not self.skip:
            return chosen
        skipped = {variant.label for glob in self.skip for variant in matching(variants, (glob,), "--skip")}
        left = tuple(variant for variant in chosen if variant.label not in skipped)
        if not left:
            raise NothingToShoot(
                f"--skip {' '.join(self.skip)} leaves none of the {len(chosen)} variants.", hint=_example(variants)
            )
        return left

    def again_of(self, variants: Sequence[Variant]) -> frozenset[str]:
        """Labels of the variants to render although they are archived. NothingToShoot when --again names none."""
        found = matching(variants, self.again, "--again") if self.again else ()
        return frozenset(variant.label for variant in found)

    @property
    def words(self) -> tuple[str, ...]:
        """The options and their values, as they are typed."""
        globs = (("--only", self.only), ("--skip", self.skip), ("--again", self.again))
        found = [word for option, values in globs for value in values for word in (option, value)]
        if self.pilot is not None:
            found += ["--pilot", self.pilot]
        if self.verdicts is not None:
            found += ["--verdicts", self.verdicts]
        found += [word for value in self.promote for word in ("--promote", value)]
        if self.keep_unjudged:
            found.append("--keep-unjudged")
        if self.limit is not None:
            found += ["--limit", str(self.limit)]
        return tuple(found)


def matching(variants: Sequence[Variant], globs: Sequence[str], option: str) -> tuple[Variant, ...]:
    """The variants whose slug or label matches one of the globs. NothingToShoot where one of them matches none: a
    mistyped one among several would else be left out in silence."""
    found: set[str] = set()
    for glob in globs:
        matched = {v.label for v in variants if fnmatchcase(v.slug, glob) or fnmatchcase(v.label, glob)}
        if not matched:
            what = f"{option} {glob} matches none of the {len(variants)} variants."
            raise NothingToShoot(what, hint=_closer(variants, glob, option) or _example(variants))
        found |= matched
    return tuple(variant for variant in variants if variant.label in found)


def _closer(variants: Sequence[Variant], glob: str, option: str) -> str:
    """Where it is a part of slugs: the glob that finds these. A word alone has to be the whole slug."""
    wider = f"{glob}--*" if any(variant.label.startswith(f"{glob}--") for variant in variants) else f"*{glob}*"
    count = sum(fnmatchcase(variant.label, wider) for variant in variants)
    return f"Write {option} '{wider}', which matches {count} of them: a glob is of the whole slug." if count else ""


def _example(variants: Sequence[Variant]) -> str:
    return f"A slug looks like {variants[0].slug}; `callsheet plan --lines` lists them all."
