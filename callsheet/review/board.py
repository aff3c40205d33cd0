"""The review board: one page that shows every variant of a campaign beside its source, all players in step.

The page is `<campaign>/review/index.html`; the paths in a manifest are relative to the folder above. It opens from a disk
(file://) and asks nothing of a network: style and script are inside it, and its Content-Security-Policy admits only those
two, by their digests, and media that lies beside it. Served by `callsheet review --serve` it may also speak to the server
that it came from, to keep verdicts. Names and prompts come from campaigns and are hostile: Jinja2 escapes what is markup,
`tojson` what is data, and every segment of a path is percent-encoded.
"""

import base64
import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from callsheet.review import cells as sheet
from callsheet.review.cells import Cell
from callsheet.sidecar import Manifest
from callsheet.verdicts import Verdicts

#: The files of the page's style and script, in the order in which they are joined; a part of the script may use what an
#: earlier one declares, and the last one begins the work.
STYLES = ("board", "pivot", "verdicts", "safe", "compare", "fits")
SCRIPTS = (
    "page",
    "clock",
    "frames",
    "rows",
    "filters",
    "verdicts",
    "hand",
    "judge",
    "safe",
    "pivot",
    "compare",
    "keys",
)
#: Values of an axis that are offered at once; more of them are shown on demand.
CHIPS = 12


def build(manifest: Manifest, verdicts: Verdicts | None = None, *, served: bool = False) -> str:
    """The whole page as HTML. Pure: the same manifest and verdicts give the same bytes.

    served: for `callsheet review --serve`, which keeps the verdicts that are given on it.
    """
    given = {one.key: one for one in verdicts.verdicts} if verdicts else {}
    groups = sheet.grouped(manifest.entries, given)
    cells = [cell for group in groups for strip in group.strips for cell in strip.cells]
    axes = sheet.axes_of(cells)
    style = "\n".join([*(_asset(f"style/{name}.css") for name in STYLES), _shapes(cells)])
    script = _script()
    return (
        _environment()
        .get_template("board.html.j2")
        .render(
            manifest=manifest,
            groups=groups,
            axes=[(number, axis) for number, axis in enumerate(axes) if axis.is_choice],
            most_chips=CHIPS,
            counts=sheet.counts(manifest),
            several_takes=any(cell.entry.axes.take > 1 for cell in cells),
            says={"approve": "Approved", "reject": "Rejected", "retake": "Retake"},
            data={
                "campaign": manifest.campaign,
                "draft": manifest.draft,
                "plan": manifest.plan,
                "served": served,
                **sheet.data_of(cells, axes),
                "verdicts": [one.model_dump(mode="json") for one in given.values()],
            },
            style=Markup(style),  # noqa: S704 - our own files and numbers
            script=Markup(script),  # noqa: S704 - our own files
            policy=policy(style, script, served=served),
        )
    )


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("callsheet.review", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"amount": _amount, "day": _day, "clock": _clock}
    return environment


@cache
def _asset(name: str) -> str:
    """A file of the templates' folder as it is: style and script are not templates."""
    environment = _environment()
    if environment.loader is None:
        raise LookupError("the templates have no loader")
    return environment.loader.get_source(environment, name)[0]


@cache
def _script() -> str:
    """The parts as one function: nothing of them can be reached from outside."""
    parts = "\n".join(_asset(f"script/{name}.js") for name in SCRIPTS)
    return f'"use strict";\n(() => {{\n{parts}\n}})();'


def _shapes(cells: Iterable[Cell]) -> str:
    """One rule for each proportion that occurs."""
    shapes = sorted({(cell.shape, cell.ratio) for cell in cells})
    return "\n".join(f".{shape} {{ --ratio: {float(ratio):.4f} }}" for shape, ratio in shapes)


def policy(style: str, script: str, *, served: bool) -> str:
    """Only this style and this script; pictures and films from the folder the page lies in; nothing else at all, but for
    the server that it came from."""
    files = "" if served else " file:"
    return "; ".join(
        [
            "default-src 'none'",
            f"style-src {_source_digest(style)}",
            f"script-src {_source_digest(script)}",
            f"img-src 'self'{files} data:",
            f"media-src 'self'{files}",
            *(["connect-src 'self'"] if served else []),
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )


def _source_digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _amount(text: str) -> str:
    """A decimal with thousands apart; as it is when it is none."""
    try:
        return f"{Decimal(text):,}"
    except ArithmeticError:
        return text


def _day(moment: datetime) -> str:
    moment = moment.astimezone(UTC)
    return f"{moment.day} {moment:%b %Y}"


def _clock(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%H:%M} UTC"
