"""`check` and `plan` of big campaigns, each a cold process, against a bare interpreter that imports pydantic and yaml."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from bench.process import run, side_by_side
from bench.row import Row

ROOT = Path(__file__).parents[1]
COMMAND = str(Path(sys.executable).parent / "callsheet")
BARE = (sys.executable, "-c", "import pydantic, yaml")
CLIPS, SETS, RATIOS = 25, 4, 2
#: Bytes, of the address space of `plan` for 100,000 variants.
MEMORY = 400


def rows(folder: Path) -> Iterator[Row]:
    """In a studio in this folder, with media whose facts are known already."""
    lay_out(folder)
    ten, hundred = _campaign(folder, 10_000), _campaign(folder, 100_000)
    check, plan = (COMMAND, "check", ten), (COMMAND, "plan", ten, "--sandbox")
    run(plan, folder=folder)  # facts of the media are found out, bytecode is written
    found = side_by_side({"bare": BARE, "check": check, "plan": plan}, folder=folder, times=7)
    bare = "python importing pydantic, yaml"
    yield Row(
        what="check, 10,000 variants", ours=found["check"].work, against=bare, theirs=found["bare"].work, at_most=3
    )
    yield Row(what="plan, 10,000 variants", ours=found["plan"].work, against=bare, theirs=found["bare"].work, at_most=5)
    big = side_by_side({"ten": plan, "hundred": (COMMAND, "plan", hundred, "--sandbox")}, folder=folder, times=2)
    yield Row(
        what="plan, 100,000 variants",
        ours=big["hundred"].work,
        against="ten times plan of 10,000",
        theirs=10 * big["ten"].work,
        at_most=1,
    )
    yield Row(
        what="memory of plan, 100,000 variants",
        ours=big["hundred"].megabytes,
        against="what it may take",
        theirs=MEMORY,
        unit="MB",
        at_most=1,
    )


def lay_out(folder: Path) -> None:
    """A studio with the sample media of this checkout."""
    (folder / "specs").mkdir(parents=True)
    for name in ("prefect.yaml", "prefect.toml", "media"):
        source = ROOT / name
        shutil.copytree(source, folder / name) if source.is_dir() else shutil.copy(source, folder / name)


def _campaign(folder: Path, variants: int) -> str:
    """The path of a campaign with so many variants, no two of which are the same purchase."""
    clip = next((folder / "media/clips").glob("*.mp4")).relative_to(folder)
    stills = sorted(path.relative_to(folder) for path in (folder / "media/references").iterdir())
    prompts = variants // (CLIPS * SETS * RATIOS)
    lines = [
        "campaign: big",
        "model: kling-o1-video-edit",
        "budget: $1000000",
        "clips:",
        *(f"  clip-{n}: {{source: {clip}, trim: 0s..3.{n:02d}s}}" for n in range(CLIPS)),
        "references:",
        "  none: []",
        *(f"  set-{n}: [{stills[n % len(stills)]}{', ' + str(stills[0]) if n == 2 else ''}]" for n in range(1, SETS)),
        "prompts:",
        *(f"  prompt-{n}: Re-light the scene as number {n} of the series, and keep the faces." for n in range(prompts)),
        "aspect_ratios: [16:9, 9:16]",
    ]
    spec = folder / f"specs/big-{variants}.yaml"
    spec.write_text("\n".join(lines) + "\n")
    return str(spec.relative_to(folder))
