"""How a plan is shown: its lines, its money by axis, its totals, cheaper ways, one line explained."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from callsheet.breakdown import Axis, Share, shortened
from callsheet.cli import console
from callsheet.cli.console import say, tell
from callsheet.cli.tables import table
from callsheet.credits import ZERO, Credits, total
from callsheet.plan import Line, Plan, decimal_seconds, worst_case
from callsheet.work import Work

if TYPE_CHECKING:
    from callsheet.changes import FileChange
    from callsheet.mending import Mended
    from callsheet.pilot import Pilot
    from callsheet.rounds import Round
    from callsheet.suggest import Suggestion
    from callsheet.take import Take
    from callsheet.why import Difference, Explanation, Part

#: Lines of a plan that are shown without being asked for, and files; and values of one axis, at most.
LINES_SHOWN, FILES_SHOWN, VALUES_SHOWN = 60, 20, 20
ACTION_STYLE = {"shoot": "green", "attach": "cyan", "skip": "dim", "blocked": "red"}


def plan(lines: Sequence[Line], *, all_lines: bool) -> None:
    """The lines of a plan with what each costs now and why; of very many only the blocked ones, unless all are wanted."""
    shown = lines if all_lines or len(lines) <= LINES_SHOWN else [line for line in lines if line.action == "blocked"]
    rows = [
        (
            line.variant.label,
            (line.action, ACTION_STYLE[line.action]),
            decimal_seconds(line.seconds),
            str(line.credits) if line.credits else "–",
            line.reason,
        )
        for line in shown
    ]
    if rows:
        table(("variant", "action", "seconds", "credits", "why"), rows, right=("seconds", "credits"))
        tell()
    if len(shown) < len(lines):
        say(f"{len(lines) - len(shown)} lines are not shown; --lines shows all of them.", style="dim")


def by_axis(axes: Sequence[Axis], whole: Share) -> None:
    """What each value of each axis adds up to, and what they all do. Nothing where nothing new is spent."""
    if not axes or not whole.credits:
        return
    rows = [
        (axis.name if number == 0 else "", share)
        for axis in axes
        for number, share in enumerate(shortened(axis.shares, VALUES_SHOWN))
    ]
    cells = [_share_cells(name, share) for name, share in [*rows, ("all", whole)]]
    width = max(len(row[-1]) for row in cells)
    names = ("axis", "value", "variants", "shoot", "credits", "USD".rjust(width))
    table(names, [(*row[:-1], row[-1].rjust(width)) for row in cells], right=("variants", "shoot", "credits"))
    tell()


def _share_cells(name: str, share: Share) -> tuple[str, ...]:
    value = share.value if share.value is not None else "(without)"
    credits = str(share.credits) if share.credits else "–"
    usd = f"${share.credits.usd}" if share.credits else "–"
    return name, "" if name == "all" else value, str(share.variants), str(share.shoot), credits, usd


DECISION_STYLE = {"pass": "green", "remux": "cyan", "transcode": "yellow"}


def mended(files: "Sequence[Mended]", *, all_files: bool) -> None:
    """What is done to each file, how many variants use it, and why."""
    shown = files if all_files else files[:FILES_SHOWN]
    rows = [(one.file, (one.decision, DECISION_STYLE[one.decision]), str(one.variants), one.why) for one in shown]
    if rows:
        table(("file", "preparation", "variants", "why"), rows, right=("variants",))
        tell()
    if len(shown) < len(files):
        say(f"{len(files) - len(shown)} files are not shown; --lines shows all of them.", style="dim")


def plan_facts(
    drawn: Plan,
    *,
    where: str,
    work: Work,
    selected: str = "",
    pilot: "Pilot | None" = None,
    approve_above: Credits | None = None,
    review: Sequence[tuple[str, str]] = (),
) -> Sequence[tuple[str, str]]:
    """The totals of a plan as name and value.

    selected: what it leaves out, in words. review: what verdicts make of it. approve_above: a dearer plan is shown with the
    worst that it can come to.
    """
    counts = ", ".join(f"{len(drawn.of(a))} {a}" for a in ("shoot", "attach", "skip", "blocked") if drawn.of(a))
    how_many = f"{len(drawn.lines)}: {counts}" if counts else "none"
    facts = [("campaign", drawn.campaign), ("route", where), ("variants", how_many)]
    for owner, count in Counter(line.owner for line in drawn.lines if line.owner).items():
        waited = "1 variant is" if count == 1 else f"{count} variants are"
        facts.append(("running", f"{waited} being rendered by {owner}; nothing new is bought for that"))
    if selected:
        facts.append(("selected", selected))
    if pilot is not None:
        facts.append(("pilot", pilot.spoken))
    facts += review
    facts.append(("cost", _cost(drawn)))
    if drawn.most > drawn.credits:
        facts.append(("failover", f"up to {drawn.most.spoken}, if only the dearest routes are well"))
    budget = drawn.budget
    if budget.limit is None:
        facts.append(
            ("budget", f"none: nothing but --max-usd limits a run ({budget.charged} charged, {budget.held} held)")
        )
    elif budget.left is not None:
        short = drawn.credits - budget.left
        missing = f"; this run needs {short.spoken} more" if short > Credits() else ""
        parts = f"{budget.charged} charged, {budget.held} held, {budget.left} left{missing}"
        facts.append(("budget", f"{budget.limit.spoken}: {parts}"))
    if drawn.month is not None:
        facts.append(("month", drawn.month.spoken))
    if approve_above is not None and drawn.credits > approve_above:
        facts.append(("at worst", _worst(drawn, approve_above)))
    facts.append(("media", work.spoken))
    facts.append(("plan", drawn.digest[:12]))
    return facts


def review_facts(found: "Round", saved: Credits) -> Sequence[tuple[str, str]]:
    """What a review makes of a campaign, as name and value."""
    facts = [("verdicts", found.spoken)]
    if found.rejected or found.lost:
        facts.append(("left out", found.spoken_left_out))
    if found.waiting:
        facts.append(("waiting", f"{len(found.waiting)} that did not win; a plan without --promote includes them"))
    if found.once:
        facts.append(("retakes", found.spoken_once))
    if found.added:
        facts.append(("added", found.spoken_added))
    if found.unshaped:
        facts.append(("shape", found.spoken_shape))
    facts.append(("saving", _spoken_saving(saved)))
    return facts


def _spoken_saving(saved: Credits) -> str:
    if saved > ZERO:
        return f"{saved.spoken} less than without the verdicts"
    return f"nothing: {(ZERO - saved).spoken} more than without the verdicts" if saved < ZERO else "nothing"


def _worst(drawn: Plan, approve_above: Credits) -> str:
    budget, worst = drawn.budget, worst_case(drawn)
    own = worst - budget.charged - budget.held
    of = "" if budget.limit is None else f" of {budget.limit.spoken}"
    sum_of_it = f"{budget.charged} charged + {budget.held} held + {own} of this plan"
    return f"{worst.spoken}{of}: {sum_of_it}; a person confirms above {approve_above.spoken}"


def suggestions(found: "Sequence[Suggestion]") -> None:
    """Cheaper ways: what each saves, what to write where, and what it changes."""
    tell()
    if not found:
        tell("No cheaper way to the same campaign was found.")
        return
    for suggestion in found:
        tell(suggestion.spoken, style="bold")
        for edit in suggestion.proposal.edits:
            tell(f"    {edit.spoken}")
        tell(f"    {suggestion.note}", style="dim")
    if len(found) > 1:
        tell("Each saving is for that change alone; together they may save less than their sum.")


WORD_STYLE = {"same": "", "removed": "red", "added": "green"}
WORD_MARKS = {"same": ("", ""), "removed": ("[-", "-]"), "added": ("{+", "+}")}


def explanation(told: "Explanation") -> None:
    """One line of a plan: what is done and why, the price, every part with its place, and what changed."""
    line = told.line
    cost = f"{line.credits.spoken} of new money" if line.credits else "nothing new"
    facts = [
        ("variant", line.variant.label),
        ("action", f"{line.action}: {line.reason}"),
        ("cost", cost),
        ("price", told.price.spoken),
        ("", told.price.spoken_rule),
        ("prepared", told.prepared),
        ("key", line.key),
    ]
    for name, value in facts:
        tell(f"{name:<10} {value}")
    tell()
    rows = [row for part in told.parts for row in _part_rows(part)]
    table(("part", "from", "value"), rows)
    if told.earlier is not None:
        tell()
        _changes(told.earlier, told.differences)


def _part_rows(part: "Part") -> Iterator[tuple[str, str, str]]:
    """A row for the value, and one more for each further place it comes from."""
    first, *others = (f"{one.place} {one.path}" if one.place else "default" for one in part.origins)
    yield part.title, first, part.text
    for other in others:
        yield "", other, ""


def _changes(earlier: "Take", differences: "Sequence[Difference] | None") -> None:
    since = f"since take {earlier.id} of {earlier.updated_at:%Y-%m-%d %H:%M} UTC ({earlier.archive})"
    if differences is None:
        tell(f"{since}: its parts were not recorded then")
        return
    tell(f"{since}:")
    for difference in differences:
        name = f"  {difference.change.title:<14} "
        if difference.words:
            marked = [(word, *WORD_MARKS[word.kind]) for word in difference.words]
            pieces = [(f"{left}{word.text}{right}", WORD_STYLE[word.kind]) for word, left, right in marked]
            console.show(console.out, name, *pieces)
        elif difference.files:
            for file in difference.files:
                tell(f"{name}{_file_change(file)}")
        else:
            tell(f"{name}{difference.before} -> {difference.after}")


def _file_change(file: "FileChange") -> str:
    before, after = file.before[:12], file.after[:12]
    name = file.file or f"a file with the digest {before or after}"
    how = f"{before} -> {after}" if file.kind == "changed" else before or after
    return f"{file.kind}: {name} ({how})" if file.file else f"{file.kind}: {name}"


def _cost(drawn: Plan) -> str:
    """New money; and what live takes hold already, which this run may turn into a charge."""
    going_on = total([line.take.cost for line in drawn.of("attach") if line.take])
    new = drawn.credits.spoken if drawn.credits else "nothing"
    return f"{new} new; {going_on.spoken} of takes that go on are held already" if going_on else new
