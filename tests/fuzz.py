"""`make fuzz`: bytes of every kind into whatever reads them first, with coverage as the guide (atheris), for a bounded time.

A reader may refuse with the error that it promises; anything else that it raises is a find, and so is an input that takes
longer than LONGEST or more memory than MEMORY. What was found becomes a case in tests/unit/test_fuzz.py, which runs every
target on its seeds and on what hypothesis thinks of.
"""

import argparse
import hashlib
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from functools import partial
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from callsheet import naming, sidecar, verdicts
from callsheet.archive import store
from callsheet.campaign import Sources, parse
from callsheet.errors import SpecError
from callsheet.provider import wire
from callsheet.redact import redact
from callsheet.sweep import expand

ROOT = Path(__file__).parents[1]
#: Seconds for one input, and megabytes of the process.
LONGEST, MEMORY = 10, 2048
#: Variants of a campaign that are looked at; how many there may be is checked before they are made.
LOOKED_AT = 200


class Target(NamedTuple):
    """A reader, and inputs that it takes, to begin with."""

    feed: Callable[[bytes], None]
    seeds: tuple[bytes, ...]


def said(words: str) -> None:
    assert words, "a refusal that says nothing"


def campaign(data: bytes) -> None:
    """A campaign that is taken can be expanded, and every name in it is one for a file."""
    try:
        found = parse(data, file="fuzz.yaml", sources=Sources(document=lambda _path: data))
        variants = list(islice(expand(found), LOOKED_AT))
    except SpecError as error:
        said(str(error))
        return
    for variant in variants:
        store.refuse_strange(f"{variant.slug}.mp4")


def documents(data: bytes) -> None:
    """Sidecars, manifests and verdicts, as an archive has them that somebody else wrote to."""
    for read in (partial(sidecar.read, sidecar.Sidecar), partial(sidecar.read, sidecar.Manifest)):
        try:
            read(data)
        except ValueError as error:
            said(str(error))
    try:
        verdicts.Verdicts.model_validate_json(data)
    except ValidationError as error:
        said(verdicts.mistake(error))


def answers(data: bytes) -> None:
    """What a provider says, or who speaks in its name."""
    try:
        told = wire.parsed(data)
    except ValueError:
        return
    for kind in (wire.Created, wire.Task, wire.TaskList, wire.Upload, wire.StoredFile, wire.Account):
        wire.read(kind, told)
    for task in wire.tasks(told):
        assert wire.is_job_id(task.id) or not task.id
    wire.error_object(told)
    wire.amount(told)


def names(data: bytes) -> None:
    """A template and the values in it: the name that comes out stays in the archive."""
    template, _, rest = data.decode("utf-8", "replace").partition("\n")
    values = rest.split("\n")
    fields = {name: values[number % len(values)] for number, name in enumerate(sorted(naming.FIELDS))}
    try:
        name = naming.deliverable(template, fields)
    except ValueError as error:
        said(str(error))
        return
    store.refuse_strange(f"{name}.mp4")


def words(data: bytes) -> None:
    """Whatever is logged: a secret that is known is gone, however it stands there."""
    text = data.decode("utf-8", "replace")
    secret = "sk-evo-0123456789abcdef"
    assert secret not in redact(f"{text}{secret}{text}", [secret])


_CAMPAIGNS = tuple(path.read_bytes() for path in sorted((ROOT / "specs").glob("*.yaml")))
_TASK = (
    b'{"id":"task-unified-1-a","status":"completed","progress":100,"model":"kling-o1-video-edit","results":["https://a.b/c.mp4"],'
    b'"usage":{"credits_used":36},"created":1700000000,"error":{"code":"service_error","message":"m","param":null}}'
)
TARGETS: Mapping[str, Target] = {
    "campaign": Target(campaign, (*_CAMPAIGNS, b"campaign: a\nmodel: kling-o1-video-edit\nclips: {a: &x [*x]}\n")),
    "documents": Target(
        documents, (b'{"schema":1,"campaign":"a","entries":[]}', b'{"verdicts":[]}', b"[1e999]", b"\xff{}")
    ),
    "answers": Target(answers, (_TASK, b'{"data":[' + _TASK + b"]}", b'{"error":{"message":"no"}}', b"NaN", b"[[[[")),
    "names": Target(
        names, (naming.TEMPLATE.encode() + b"\nbunny\n../x\nCON\n\xe4\xb8\xad", b"{campaign}/../{clip}\na")
    ),
    "words": Target(words, (b"Bearer ", b"https://a/b?X-Amz-Signature=", b"token=", b"postgresql://u:p@")),
}


def main() -> int:
    asked = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    asked.add_argument("--seconds", type=int, default=60, help="for each target")
    asked.add_argument("--only", choices=list(TARGETS))
    asked.add_argument("--inside", choices=list(TARGETS), help=argparse.SUPPRESS)
    given, rest = asked.parse_known_args()
    if given.inside:
        return _inside(given.inside, rest)
    found = 0
    for name in [given.only] if given.only else TARGETS:
        found += _run(name, given.seconds)
    return 1 if found else 0


def _run(name: str, seconds: int) -> int:
    """One target in a process of its own, which libFuzzer ends by itself; 1 for a find, whose input is kept."""
    corpus, finds = ROOT / "build/fuzz" / name, ROOT / "build/fuzz/finds"
    for folder in (corpus, finds):
        folder.mkdir(parents=True, exist_ok=True)
    for seed in TARGETS[name].seeds:
        (corpus / hashlib.sha256(seed).hexdigest()[:16]).write_bytes(seed)
    limits = [f"-max_total_time={seconds}", f"-timeout={LONGEST}", f"-rss_limit_mb={MEMORY}", "-max_len=65536"]
    words = [
        sys.executable,
        "-m",
        "tests.fuzz",
        "--inside",
        name,
        *limits,
        f"-artifact_prefix={finds}/{name}-",
        str(corpus),
    ]
    ended = subprocess.run(words, cwd=ROOT, stderr=subprocess.PIPE, text=True, errors="replace", check=False)
    last = [line for line in ended.stderr.splitlines() if line.startswith("#")][-1:]
    print(
        f"{name:<10} {'a find: ' + str(finds) if ended.returncode else 'nothing found'}  {' '.join(' '.join(last).split()[:8])}"
    )
    if ended.returncode:
        print("\n".join(ended.stderr.splitlines()[-25:]))
    return int(ended.returncode != 0)


def _inside(name: str, rest: list[str]) -> int:
    import atheris

    for module in [module for module in sys.modules if module.partition(".")[0] == "callsheet"]:
        del sys.modules[module]  # it is loaded again, so that what it reads is followed
    with atheris.instrument_imports(include=["callsheet"]):
        followed = import_module("tests.fuzz")
    atheris.Setup([sys.argv[0], *rest], followed.TARGETS[name].feed)
    atheris.Fuzz()
    return os.EX_OK


if __name__ == "__main__":
    sys.exit(main())
