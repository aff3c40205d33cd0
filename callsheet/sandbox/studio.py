"""What the playground leaves in a studio: campaigns under `specs/`, and the uploads they use under `media/playground/`.

Names are made here and never taken as they came. No file is replaced: a name that is taken goes on with -2, -3.
"""

import filecmp
import re
import shutil
import unicodedata
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import BinaryIO

MEDIA = "media/playground"
#: Bytes of UTF-8 in the name of a copy, without its suffix.
MAX_STEM = 80

_UNSAFE = re.compile(r"[^\w-]+")


def keep_media(root: Path, original: Path, name: str, suffix: str) -> str:
    """Copy an upload into the studio; its path from there. The same bytes under the same name are not copied again."""
    folder = root / MEDIA
    folder.mkdir(parents=True, exist_ok=True)
    for target in _numbered(folder, safe_stem(name), suffix):
        if target.is_file() and filecmp.cmp(original, target, shallow=False):
            break
        if _written(target, lambda file: _copy(original, file)):
            break
    return target.relative_to(root).as_posix()


def keep_spec(root: Path, name: str, text_for: Callable[[str], str]) -> str:
    """Write a campaign under the first free name; its path in the studio. text_for: its text, under the name it gets."""
    folder = root / "specs"
    folder.mkdir(exist_ok=True)
    for target in _numbered(folder, name, "yaml"):
        text = text_for(target.stem).encode()
        if _written(target, lambda file, text=text: file.write(text)):  # type: ignore[misc]
            break
    return target.relative_to(root).as_posix()


def safe_stem(name: str) -> str:
    """The name of an upload without its suffix, fit for a path of a campaign: no separator, no glob, no leading dot."""
    plain = _UNSAFE.sub("-", unicodedata.normalize("NFC", name.rpartition(".")[0] if "." in name else name))
    kept = plain.encode()[:MAX_STEM].decode(errors="ignore").strip("-_")
    return kept or "upload"


def _numbered(folder: Path, stem: str, suffix: str) -> Iterator[Path]:
    yield folder / f"{stem}.{suffix}"
    yield from (folder / f"{stem}-{number}.{suffix}" for number in count(2))


def _written(target: Path, write: Callable[[BinaryIO], object]) -> bool:
    """Whole, or not at all. False where the name is taken."""
    try:
        file = target.open("xb")
    except FileExistsError:
        return False
    try:
        with file:
            write(file)
    except BaseException:
        target.unlink(missing_ok=True)
        raise
    return True


def _copy(original: Path, file: BinaryIO) -> None:
    with original.open("rb") as source:
        shutil.copyfileobj(source, file, 1 << 20)
