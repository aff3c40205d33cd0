"""Lay out a new studio: the flows, a first campaign with its media, settings to fill in. What is there is never touched.

The files come from one place each, the checkout of Callsheet: the wheel carries them as data (pyproject.toml,
force-include), and an editable install reads the checkout that it was made from.
"""

import os
import re
import unicodedata
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from callsheet.errors import CallsheetError, SpecError
from callsheet.steps.settings import MARKER

#: Where the wheel keeps the checkout's files, in the package.
CARRIED = "checkout"
#: The campaign that a new studio begins with, under the studio's own name, and the one that prefect.yaml names in ours.
STARTER, DEPLOYED = "specs/starter.yaml", "specs/hello.yaml"
SCHEMA = "specs/campaign.schema.json"
#: The origin and licence of each sample file; a file that is not named there is not handed on.
LICENCES = "media/README.md"

#: What a studio keeps to itself, and what else is not worth keeping.
PRIVATE = (".env", ".callsheet/", "/archive/")
IGNORED = (*PRIVATE, ".venv/", "__pycache__/")

#: Characters of a campaign's name at most (campaign_text).
NAME_LENGTH = 64
#: A name for a folder whose own has no letter a campaign's may have. `prefect` is the other: specs/prefect.yaml would make a
#: checkout of specs/.
NAMELESS = "first"

_ANOTHER = "Choose another folder: callsheet init DIR"

_SAMPLE = re.compile(r"^\| *((?:clips|references)/[^ |]+) *\|", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class LaidOut:
    """What is there now. `spec`, `created` and `kept` are relative to `root`, which is absolute.

    kept: files that were there already and are as they were. was_studio: there was a prefect.yaml before. unignored: what
    a .gitignore of the user's own does not name.
    """

    root: Path
    spec: str
    created: tuple[str, ...]
    kept: tuple[str, ...]
    was_studio: bool
    unignored: tuple[str, ...]


def lay_out(folder: Path) -> LaidOut:
    """Write what a studio in `folder` lacks; make the folder if need be. Nothing that exists is replaced.

    A studio that has a campaign of its own gets no starter and no sample media. SpecError where the folder cannot be
    written, before anything is.
    """
    try:
        return _lay_out(Path(os.path.normpath(folder.absolute())))
    except OSError as error:
        raise _unwritable(folder, error) from error


def _lay_out(root: Path) -> LaidOut:
    was_studio = (root / MARKER).is_file()
    spec = f"specs/{campaign_name(root.name)}.yaml"
    own = _campaigns(root, besides=spec)
    wanted = dict(_files(spec if not own else own[0], with_starter=not own))
    for name in wanted:
        _refuse_obstacle(root, name)
    created = [name for name, content in wanted.items() if _write(root, name, content)]
    return LaidOut(
        root=root,
        spec=own[0] if own else spec,
        created=tuple(created),
        kept=tuple(name for name in wanted if name not in created),
        was_studio=was_studio,
        unignored=_unignored(root),
    )


def campaign_name(folder: str) -> str:
    """The name of a folder as the name of a campaign: small letters without accents, digits, single hyphens."""
    plain = unicodedata.normalize("NFKD", folder).encode("ascii", "ignore").decode().lower()
    name = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:NAME_LENGTH].strip("-")
    return NAMELESS if name in ("", Path(MARKER).stem) else name


def _campaigns(root: Path, *, besides: str) -> list[str]:
    """Campaigns that are there already, relative to the root."""
    found = sorted(f"specs/{path.name}" for kind in ("*.yaml", "*.yml") for path in root.glob(f"specs/{kind}"))
    return [name for name in found if name != besides]


def _files(spec: str, *, with_starter: bool) -> Iterator[tuple[str, bytes]]:
    """Name and content of each file of a studio whose campaign is `spec`, in the order in which they are worth reading."""
    source = _source()
    if with_starter:
        starter = (source / STARTER).read_text("utf-8").replace(STARTER, spec)
        yield spec, starter.replace("campaign: starter", f"campaign: {Path(spec).stem}").encode()
    yield SCHEMA, (source / SCHEMA).read_bytes()
    for flow in sorted(source.glob("flows/*.py")):
        yield f"flows/{flow.name}", flow.read_bytes()
    yield MARKER, (source / MARKER).read_text("utf-8").replace(DEPLOYED, spec).encode()
    for name in ("prefect.toml", ".env.example"):
        yield name, (source / name).read_bytes()
    yield ".gitignore", "".join(f"{name}\n" for name in IGNORED).encode()
    if with_starter:
        licences = (source / LICENCES).read_text("utf-8")
        yield LICENCES, licences.encode()
        for name in _SAMPLE.findall(licences):
            yield f"media/{name}", (source / "media" / name).read_bytes()


def _unignored(root: Path) -> tuple[str, ...]:
    """What would end up in version control: the key, the ledger, the archive."""
    if not (root / ".gitignore").is_file():
        return PRIVATE
    lines = {line.strip().strip("/") for line in (root / ".gitignore").read_text("utf-8", "replace").splitlines()}
    return tuple(name for name in PRIVATE if name.strip("/") not in lines)


def _source() -> Path:
    """The checkout's files: carried in the package, or the checkout that an editable install belongs to."""
    package = Path(str(files("callsheet")))
    for place in (package / CARRIED, package.parent):
        if (place / MARKER).is_file():
            return place
    raise CallsheetError(
        "This installation of Callsheet lacks the files of a studio.", where=str(package), hint="Install it again."
    )


def _refuse_obstacle(root: Path, name: str) -> None:
    """SpecError where a file, or a link to nothing, stands in the place of a folder."""
    for parent in Path(root, name).parents:
        if (parent.exists() or parent.is_symlink()) and not parent.is_dir():
            raise SpecError("A file stands where a folder is needed.", where=str(parent), hint=_ANOTHER)


def _write(root: Path, name: str, content: bytes) -> bool:
    """Create the file, whole or not at all; False where something has its name. SpecError where that cannot be done."""
    target = root / name
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as file:
            try:
                file.write(content)
                file.flush()
            except BaseException:  # Ctrl-C too: half a file would be kept by the next `init`
                with suppress(OSError):
                    target.unlink()
                raise
    except FileExistsError:
        return False
    except OSError as error:
        raise _unwritable(target, error) from error
    return True


def _unwritable(place: Path, error: OSError) -> SpecError:
    return SpecError(f"It cannot be written: {error.strerror or error}.", where=str(place), hint=_ANOTHER)
