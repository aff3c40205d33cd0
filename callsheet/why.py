"""One line of a plan explained: what is done and why, how its price comes about, and what changed since it was rendered."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import floor
from typing import Any

from callsheet import catalogue, changes
from callsheet.catalogue import PriceRule
from callsheet.changes import TITLES, Change, FileChange, Words
from callsheet.credits import Credits
from callsheet.digest import Canonical, short
from callsheet.errors import SpecError
from callsheet.nearest import did_you_mean
from callsheet.plan import Line, decimal_seconds
from callsheet.provenance import Origin
from callsheet.sweep import JOINT
from callsheet.take import Take
from callsheet.tariff import billed_seconds
from callsheet.yamltext import shown

#: How a part reads that is nothing.
NOTHING = {"window": "the whole clip", "references": "none", "options": "none"}


@dataclass(frozen=True, kw_only=True)
class Price:
    """How the price of one take comes about. Seconds are exact, `rate` is for each billed second, with the factor that the
    options make."""

    seconds: Fraction
    billed: Fraction
    rate: Credits
    rule: PriceRule
    credits: Credits

    @property
    def spoken(self) -> str:
        """ "5.312 s, billed as 5.32 s at 12 credits a second: 63.84 credits ($0.94)"."""
        each = f"{self.rate} credits a second: {self.credits.spoken}"
        return f"{decimal_seconds(self.seconds)} s, billed as {decimal_seconds(self.billed)} s at {each}"

    @property
    def spoken_rule(self) -> str:
        step = decimal_seconds(self.rule.step)
        how = f"rounded {'up' if self.rule.rounding == 'up' else 'to the nearest'}"
        parts = [f"lengths are {how} to whole steps of {step} s, and a take costs {self.least} credits at least"]
        if self.rule.cap_seconds is not None:
            parts.append(f"no more than {decimal_seconds(self.rule.cap_seconds)} s are billed")
        if self.rule.basis == "request_then_actual":
            parts.append("it is settled on the seconds of the result")
        return "; ".join(parts)

    @property
    def least(self) -> Credits:
        return Credits(units=self.rule.minimum)

    def as_json(self) -> dict[str, str]:
        return {
            "seconds": decimal_seconds(self.seconds),
            "billed_seconds": decimal_seconds(self.billed),
            "credits_per_second": str(self.rate),
            "credits": str(self.credits),
            "usd": str(self.credits.usd),
        }


@dataclass(frozen=True, kw_only=True)
class Part:
    """One part of what is paid for, and the places of the campaign that it comes from."""

    part: str
    value: Canonical
    text: str
    origins: tuple[Origin, ...]

    @property
    def title(self) -> str:
        return TITLES.get(self.part, self.part)

    def as_json(self) -> dict[str, Any]:
        written = [vars(origin) for origin in self.origins if origin.place]
        return {"part": self.part, "value": self.value, "from": written}


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A changed part for people: old and new in words, with the words of a prompt or the files of a set one by one."""

    change: Change
    before: str
    after: str
    words: tuple[Words, ...] = ()
    files: tuple[FileChange, ...] = ()

    def as_json(self) -> dict[str, Any]:
        found: dict[str, Any] = {
            "part": self.change.part,
            "before": self.change.before,
            "after": self.change.after,
        }
        if self.words:
            found["words"] = [vars(word) for word in self.words]
        if self.files:
            found["files"] = [vars(file) for file in self.files]
        return found


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """`differences` None: the earlier take is from before its parts were recorded. `prepared`: what is done to the clip."""

    line: Line
    price: Price
    prepared: str
    parts: tuple[Part, ...]
    earlier: Take | None
    differences: tuple[Difference, ...] | None

    def as_json(self) -> dict[str, Any]:
        since = None
        if self.earlier is not None:
            recorded = self.differences is not None
            since = {
                "take": self.earlier.id,
                "at": self.earlier.updated_at.isoformat(),
                "archive": self.earlier.archive,
                "recorded": recorded,
                "changes": [difference.as_json() for difference in self.differences or ()],
            }
        return {
            **self.line.as_json(),
            "label": self.line.variant.label,
            "price": self.price.as_json(),
            "prepared": self.prepared,
            "identity": [part.as_json() for part in self.parts],
            "since": since,
        }


def price(line: Line) -> Price:
    """The price of this line, derived."""
    rule = catalogue.model(line.variant.model).price
    rate = rule.units * rule.factor(line.variant.options)
    return Price(
        seconds=line.seconds,
        billed=billed_seconds(rule, line.seconds),
        rate=Credits(units=floor(rate + Fraction(1, 2))),
        rule=rule,
        credits=line.price,
    )


def parts(
    identity: Mapping[str, Canonical], origins: Mapping[str, tuple[Origin, ...]], names: Mapping[str, str]
) -> tuple[Part, ...]:
    """Every part of an identity. `names`: the name of a file by its digest."""
    return tuple(
        Part(part=part, value=_plain(value), text=spoken(part, value, names), origins=origins.get(part, (Origin(),)))
        for part, value in sorted(identity.items(), key=lambda item: _rank(item[0]))
    )


def _rank(part: str) -> int:
    titles = list(TITLES)
    return titles.index(part) if part in titles else len(titles)


def _plain(value: Canonical) -> Canonical:
    return list(value) if isinstance(value, tuple) else value


def spoken(part: str, value: Canonical, names: Mapping[str, str]) -> str:
    """A part of an identity for people."""
    if value is None or (not value and not isinstance(value, bool)):
        return NOTHING.get(part, "none")
    if part == "clip":
        return _file(str(value), names)
    if part == "keep_original_sound":
        return "kept" if value else "left out"
    if isinstance(value, Mapping):
        return ", ".join(
            f"{name}: {str(item).lower() if isinstance(item, bool) else item}" for name, item in value.items()
        )
    if isinstance(value, Sequence) and not isinstance(value, str):
        return _spoken_list(part, [str(item) for item in value], names)
    return str(value)


def _spoken_list(part: str, items: Sequence[str], names: Mapping[str, str]) -> str:
    if part == "window":
        start, end = (decimal_seconds(Fraction(item)) for item in items)
        return f"{start} s to {end} s"
    if part == "framing":
        return " to ".join(items)
    return ", ".join(_file(item, names) for item in items)


def _file(sha256: str, names: Mapping[str, str]) -> str:
    name = names.get(sha256)
    return f"{name} ({short(sha256)})" if name else f"a file with the digest {short(sha256)}"


def differences(
    before: Mapping[str, Canonical], after: Mapping[str, Canonical], names: Mapping[str, str]
) -> tuple[Difference, ...]:
    """What changed, old and new."""
    return tuple(_difference(change, names) for change in changes.between(before, after))


def _difference(change: Change, names: Mapping[str, str]) -> Difference:
    before, after = change.before, change.after
    words: tuple[Words, ...] = ()
    files: tuple[FileChange, ...] = ()
    if change.part == "prompt":
        words = changes.words(str(before or ""), str(after or ""))
    elif change.part == "references":
        files = changes.files(_texts(before), _texts(after), names)
    return Difference(
        change=change,
        before=spoken(change.part, before, names),
        after=spoken(change.part, after, names),
        words=words,
        files=files,
    )


def _texts(value: Canonical) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list) else []


def line_of(lines: Sequence[Line], wanted: str) -> Line:
    """The line of a slug or label; the first take, for a slug with several. SpecError, with the nearest one, for neither."""
    for line in lines:
        if wanted in (line.variant.label, line.variant.slug):
            return line
    labels = [line.variant.label for line in lines]
    pieces = set(wanted.split(JOINT))
    likely = sorted(labels, key=lambda label: -len(pieces & set(label.split(JOINT))))
    raise SpecError(
        f"there is no variant {shown(wanted)} in this plan{did_you_mean(wanted, likely) or '.'}",
        where="--why",
        hint=f"A slug looks like {labels[0]}; `callsheet plan --lines` lists them all.",
    )
